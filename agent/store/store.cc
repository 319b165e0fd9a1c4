#include "agent/store/store.h"

#include <algorithm>
#include <utility>

#include "agent/store/installed.h"
#include "agent/store/lock.h"
#include "agent/store/rows.h"
#include "agent/store/schema.h"
#include "agent/store/sqlite.h"

namespace gkmpd::store {
namespace {

bool read_floor(const Statement& row, GroupId& group, Floor& floor) {
  floor.group_name = row.text(1);
  return read_array(row, 0, group) && read_number(row, 2, floor.token_version) &&
         read_array(row, 3, floor.token_hash) && read_number(row, 4, floor.tuple.token_version) &&
         read_number(row, 5, floor.tuple.term) && read_number(row, 6, floor.tuple.rank) &&
         read_number(row, 7, floor.tuple.epoch) && read_number(row, 8, floor.next_sender_id);
}

constexpr const char* kSelectFloors =
    "SELECT group_id, group_name, token_version, token_hash, tuple_token_version, tuple_term,"
    " tuple_rank, tuple_epoch, next_sender_id FROM floors";

/// Counters of `commander` up to this are used.
std::uint64_t last_counter(const Floor& floor, const NameHash& commander) {
  auto found = floor.command_marks.find(commander);
  if (found == floor.command_marks.end()) found = floor.command_marks.find(NameHash{});
  return found == floor.command_marks.end() ? 0 : found->second;
}

/// What `wanted` would lower, or nothing.
std::string what_is_lowered(const Floor& held, const Floor& wanted) {
  if (wanted.token_version < held.token_version) {
    return "token version " + std::to_string(wanted.token_version) + " is below " +
           std::to_string(held.token_version);
  }
  if (wanted.token_version == held.token_version && wanted.token_hash != held.token_hash) {
    return "token version " + std::to_string(held.token_version) + " has another hash";
  }
  if (wanted.tuple < held.tuple) {
    return "epoch " + wanted.tuple.text() + " is below " + held.tuple.text();
  }
  if (wanted.tuple == held.tuple && wanted.next_sender_id < held.next_sender_id) {
    return "sender id " + std::to_string(wanted.next_sender_id) + " of epoch " + held.tuple.text() +
           " is used";
  }
  for (const auto& [commander, counter] : held.command_marks) {
    if (last_counter(wanted, commander) < counter) {
      return "counter " + std::to_string(counter) + " of commander " + to_hex(commander) +
             " is used";
    }
  }
  return {};
}

}  // namespace

class Store::Impl {
 public:
  Impl(Lock lock, Database database) : lock_(std::move(lock)), database_(std::move(database)) {}

  Database& database() { return database_; }

  Result<std::map<GroupId, Floor>> floors() {
    std::map<GroupId, Floor> floors;
    Statement rows(database_, kReadFailed, kSelectFloors);
    while (true) {
      auto row = rows.step();
      if (!row) return pass_on(row);
      if (!*row) break;
      GroupId group{};
      Floor floor;
      if (!read_floor(rows, group, floor)) return damaged(database_, "a group's floor");
      floors.emplace(group, std::move(floor));
    }
    if (auto read = read_marks(floors); !read) return pass_on(read);
    return floors;
  }

  Result<void> check_floor(const GroupId& group, const Floor& floor) {
    auto held = floors();
    if (!held) return pass_on(held);
    const auto found = held->find(group);
    if (found == held->end()) return {};
    const std::string lowered = what_is_lowered(found->second, floor);
    if (lowered.empty()) return {};
    return fail(kFloorLowered, "group " + floor.group_name + ": " + lowered);
  }

  Result<void> write_floor(const GroupId& group, const Floor& floor) {
    Statement write(database_, kWriteFailed,
                    "INSERT OR REPLACE INTO floors VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    write.bind(group).bind(floor.group_name).bind(floor.token_version).bind(floor.token_hash);
    write.bind(floor.tuple.token_version).bind(floor.tuple.term).bind(floor.tuple.rank);
    write.bind(floor.tuple.epoch).bind(floor.next_sender_id);
    if (auto written = write.run(); !written) return written;
    return write_marks(group, floor);
  }

  Result<void> read_marks(std::map<GroupId, Floor>& floors) {
    Statement rows(database_, kReadFailed,
                   "SELECT group_id, commander, counter FROM command_marks");
    while (true) {
      auto row = rows.step();
      if (!row) return pass_on(row);
      if (!*row) return {};
      GroupId group{};
      NameHash commander{};
      const bool good = read_array(rows, 0, group) && read_array(rows, 1, commander);
      const auto floor = floors.find(group);
      if (!good || floor == floors.end()) return damaged(database_, "a commander's mark");
      floor->second.command_marks[commander] = rows.number(2);
    }
  }

  /// Marks that have made room for others go.
  Result<void> write_marks(const GroupId& group, const Floor& floor) {
    Statement clear(database_, kWriteFailed, "DELETE FROM command_marks WHERE group_id = ?");
    if (auto cleared = clear.bind(group).run(); !cleared) return cleared;
    for (const auto& [commander, counter] : floor.command_marks) {
      Statement write(database_, kWriteFailed, "INSERT INTO command_marks VALUES (?, ?, ?)");
      if (auto written = write.bind(group).bind(commander).bind(counter).run(); !written) {
        return written;
      }
    }
    return {};
  }

  /// The slot that `read` finds, or the lowest free one of `table`, which `write` puts there for
  /// the same key. Both statements have their key bound already.
  Result<std::uint16_t> slot_in(const std::string& table, const char* whose, Statement& read,
                                Statement& write, std::uint16_t max_slot) {
    auto row = read.step();
    if (!row) return pass_on(row);
    std::uint16_t held = 0;
    if (*row && !read_number(read, 0, held)) return damaged(database_, "a slot");
    if (*row) return held;
    auto slot = lowest_free_slot(table);
    if (!slot) return pass_on(slot);
    if (*slot > max_slot) {
      return fail(kSlotsFull, "all " + std::to_string(max_slot + 1) + " places for " + whose +
                                  " on this host are taken; start with a new [store] path once no "
                                  "group is left");
    }
    if (auto written = write.bind(*slot).run(); !written) return pass_on(written);
    return static_cast<std::uint16_t>(*slot);
  }

  Result<std::uint64_t> lowest_free_slot(const std::string& table) {
    Statement taken(database_, kReadFailed,
                    ("SELECT slot FROM " + table + " ORDER BY slot").c_str());
    for (std::uint64_t slot = 0;; ++slot) {
      auto row = taken.step();
      if (!row) return pass_on(row);
      if (!*row || taken.number(0) != slot) return slot;
    }
  }

  /// Runs `sql`, which takes the six fields of a record, for each record.
  Result<void> for_each_record(const char* sql, const std::vector<KernelRecord>& records) {
    for (const KernelRecord& record : records) {
      Statement write(database_, kWriteFailed, sql);
      write.bind(static_cast<std::uint64_t>(record.kind)).bind(record.group);
      write.bind(record.network_namespace).bind(record.destination);
      write.bind(record.spi_or_index).bind(record.reqid);
      if (auto written = write.run(); !written) return written;
    }
    return {};
  }

 private:
  Lock lock_;
  Database database_;
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store> Store::open(const std::string& path) {
  auto lock = Lock::take(path);
  if (!lock) return pass_on(lock);
  if (auto made = make_private_file(path); !made) return pass_on(made);
  auto database = Database::open(path);
  if (!database) return pass_on(database);
  if (auto prepared = prepare(*database); !prepared) return pass_on(prepared);
  return Store(std::make_unique<Impl>(std::move(*lock), std::move(*database)));
}

Result<std::map<GroupId, Floor>> Store::floors() { return impl_->floors(); }

Result<void> Store::raise_floor(const GroupId& group, const Floor& floor) {
  Transaction transaction(impl_->database(), kWriteFailed);
  if (auto begun = transaction.begin(); !begun) return begun;
  if (auto allowed = impl_->check_floor(group, floor); !allowed) return allowed;
  if (auto written = impl_->write_floor(group, floor); !written) return written;
  return transaction.commit();
}

Result<std::optional<Bytes>> Store::crl(const Digest& issuer_key_hash) {
  Statement read(impl_->database(), kReadFailed, "SELECT der FROM crls WHERE issuer = ?");
  auto row = read.bind(issuer_key_hash).step();
  if (!row) return pass_on(row);
  if (!*row) return std::nullopt;
  return read.blob(0);
}

Result<void> Store::save_crl(const Digest& issuer_key_hash, std::uint64_t number, ByteView der) {
  Transaction transaction(impl_->database(), kWriteFailed);
  if (auto begun = transaction.begin(); !begun) return begun;
  {
    Statement read(impl_->database(), kReadFailed, "SELECT number FROM crls WHERE issuer = ?");
    auto row = read.bind(issuer_key_hash).step();
    if (!row) return pass_on(row);
    if (*row && number < read.number(0)) {
      return fail(kFloorLowered, "revocation list " + std::to_string(number) + " is older than " +
                                     std::to_string(read.number(0)) + ", which is held");
    }
  }
  Statement write(impl_->database(), kWriteFailed, "INSERT OR REPLACE INTO crls VALUES (?, ?, ?)");
  if (auto written = write.bind(issuer_key_hash).bind(number).bind(der).run(); !written) {
    return written;
  }
  return transaction.commit();
}

Result<std::optional<WallTime>> Store::time_floor() {
  Statement read(impl_->database(), kReadFailed, "SELECT unix_s FROM time_floor");
  auto row = read.step();
  if (!row) return pass_on(row);
  if (!*row) return std::nullopt;
  return from_unix(read.number(0));
}

Result<void> Store::raise_time_floor(WallTime time) {
  Statement write(impl_->database(), kWriteFailed,
                  "INSERT INTO time_floor VALUES (1, ?)"
                  " ON CONFLICT DO UPDATE SET unix_s = max(unix_s, excluded.unix_s)");
  return write.bind(to_unix(time)).run();
}

Result<std::uint16_t> Store::slot_of(const GroupId& group, std::uint16_t max_slot) {
  Statement read(impl_->database(), kReadFailed, "SELECT slot FROM slots WHERE group_id = ?");
  Statement write(impl_->database(), kWriteFailed, "INSERT INTO slots VALUES (?, ?)");
  read.bind(group);
  write.bind(group);
  return impl_->slot_in("slots", "groups", read, write, max_slot);
}

Result<std::uint16_t> Store::slot_of_address(const std::string& address, std::uint16_t max_slot) {
  Statement read(impl_->database(), kReadFailed,
                 "SELECT slot FROM address_slots WHERE address = ?");
  Statement write(impl_->database(), kWriteFailed, "INSERT INTO address_slots VALUES (?, ?)");
  read.bind(address);
  write.bind(address);
  return impl_->slot_in("address_slots", "data addresses", read, write, max_slot);
}

Result<void> Store::burn(const SaIntent& intent) {
  Transaction transaction(impl_->database(), kWriteFailed);
  if (auto begun = transaction.begin(); !begun) return begun;
  {
    Statement read(impl_->database(), kReadFailed,
                   "SELECT 1 FROM sa_intents WHERE epoch_id = ? AND spi = ?");
    auto row = read.bind(intent.epoch_id).bind(intent.spi).step();
    if (!row) return pass_on(row);
    if (*row) {
      return fail(kIntentTaken, "an outbound SA with SPI " + std::to_string(intent.spi) +
                                    " of this epoch was installed before; its key is not used "
                                    "again");
    }
  }
  Statement write(impl_->database(), kWriteFailed, "INSERT INTO sa_intents VALUES (?, ?, ?, ?)");
  write.bind(intent.epoch_id).bind(intent.spi).bind(intent.group).bind(intent.boot_id);
  if (auto written = write.run(); !written) return written;
  return transaction.commit();
}

Result<std::vector<KernelRecord>> Store::kernel_records() {
  std::vector<KernelRecord> records;
  Statement rows(impl_->database(), kReadFailed,
                 "SELECT kind, group_id, network_namespace, destination, spi_or_index, reqid"
                 " FROM kernel_records");
  while (true) {
    auto row = rows.step();
    if (!row) return pass_on(row);
    if (!*row) return records;
    KernelRecord record;
    record.kind = rows.number(0) == 1 ? KernelRecord::Kind::kSa : KernelRecord::Kind::kPolicy;
    record.network_namespace = rows.text(2);
    record.destination = rows.text(3);
    if (!read_array(rows, 1, record.group) || !read_number(rows, 4, record.spi_or_index) ||
        !read_number(rows, 5, record.reqid)) {
      return damaged(impl_->database(), "a kernel record");
    }
    records.push_back(std::move(record));
  }
}

Result<std::vector<InstalledGroup>> Store::installed_groups() {
  return read_installed_groups(impl_->database());
}

Result<void> Store::record_install(const InstalledGroup& group,
                                   const std::vector<KernelRecord>& records) {
  Transaction transaction(impl_->database(), kWriteFailed);
  if (auto begun = transaction.begin(); !begun) return begun;
  if (auto written = write_installed_group(impl_->database(), group); !written) return written;
  auto written = impl_->for_each_record(
      "INSERT OR IGNORE INTO kernel_records VALUES (?, ?, ?, ?, ?, ?)", records);
  if (!written) return written;
  return transaction.commit();
}

Result<void> Store::remove_kernel_records(const std::vector<KernelRecord>& records) {
  Transaction transaction(impl_->database(), kWriteFailed);
  if (auto begun = transaction.begin(); !begun) return begun;
  auto removed = impl_->for_each_record(
      "DELETE FROM kernel_records WHERE kind = ? AND group_id = ? AND network_namespace = ?"
      " AND destination = ? AND spi_or_index = ? AND reqid = ?",
      records);
  if (!removed) return removed;
  if (auto dropped = drop_groups_without_records(impl_->database()); !dropped) return dropped;
  return transaction.commit();
}

}  // namespace gkmpd::store
