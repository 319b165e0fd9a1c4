#include "agent/store/schema.h"

#include <array>
#include <string>

#include "agent/store/store.h"

namespace gkmpd::store {
namespace {

// With an exclusive lock SQLite keeps the write-ahead index in memory; FULL makes each commit wait
// for the disk.
constexpr const char* kDurability =
    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";

// What each version added to the one before. A new file goes through all of them.
constexpr const char* kVersion1 = R"(
CREATE TABLE floors (
  group_id BLOB NOT NULL PRIMARY KEY CHECK (length(group_id) = 16),
  group_name TEXT NOT NULL,
  token_version INTEGER NOT NULL,
  token_hash BLOB NOT NULL CHECK (length(token_hash) = 32),
  tuple_token_version INTEGER NOT NULL,
  tuple_term INTEGER NOT NULL,
  tuple_rank INTEGER NOT NULL,
  tuple_epoch INTEGER NOT NULL,
  next_sender_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE crls (
  issuer BLOB NOT NULL PRIMARY KEY CHECK (length(issuer) = 32),
  number INTEGER NOT NULL,
  der BLOB NOT NULL
) STRICT;
CREATE TABLE time_floor (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  unix_s INTEGER NOT NULL
) STRICT;
CREATE TABLE slots (
  group_id BLOB NOT NULL PRIMARY KEY CHECK (length(group_id) = 16),
  slot INTEGER NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;
CREATE TABLE sa_intents (
  epoch_id BLOB NOT NULL CHECK (length(epoch_id) = 16),
  spi INTEGER NOT NULL,
  group_id BLOB NOT NULL CHECK (length(group_id) = 16),
  boot_id TEXT NOT NULL,
  PRIMARY KEY (epoch_id, spi)
) STRICT, WITHOUT ROWID;
CREATE TABLE kernel_records (
  kind INTEGER NOT NULL CHECK (kind IN (1, 2)),
  group_id BLOB NOT NULL CHECK (length(group_id) = 16),
  network_namespace TEXT NOT NULL,
  destination TEXT NOT NULL,
  spi_or_index INTEGER NOT NULL,
  reqid INTEGER NOT NULL,
  PRIMARY KEY (kind, group_id, network_namespace, destination, spi_or_index, reqid)
) STRICT, WITHOUT ROWID;
)";

constexpr const char* kVersion2 = R"(
CREATE TABLE command_marks (
  group_id BLOB NOT NULL CHECK (length(group_id) = 16),
  commander BLOB NOT NULL CHECK (length(commander) = 32),
  counter INTEGER NOT NULL,
  PRIMARY KEY (group_id, commander)
) STRICT, WITHOUT ROWID;
CREATE TABLE installed_groups (
  network_namespace TEXT NOT NULL,
  group_id BLOB NOT NULL CHECK (length(group_id) = 16),
  group_name TEXT NOT NULL,
  role INTEGER NOT NULL CHECK (role IN (1, 2)),
  controller TEXT NOT NULL,
  data_address TEXT NOT NULL,
  data_port INTEGER NOT NULL,
  control_address TEXT NOT NULL,
  control_port INTEGER NOT NULL,
  epoch_id BLOB NOT NULL CHECK (length(epoch_id) = 16),
  tuple_token_version INTEGER NOT NULL,
  tuple_term INTEGER NOT NULL,
  tuple_rank INTEGER NOT NULL,
  tuple_epoch INTEGER NOT NULL,
  not_after INTEGER NOT NULL,
  remove_on_stop INTEGER NOT NULL CHECK (remove_on_stop IN (0, 1)),
  PRIMARY KEY (network_namespace, group_id)
) STRICT, WITHOUT ROWID;
)";

constexpr const char* kVersion3 = R"(
ALTER TABLE installed_groups ADD COLUMN release_at INTEGER NOT NULL DEFAULT 0;
)";

// A guard's index had its group's slot in it until then, and there was one group on an address.
constexpr const char* kVersion4 = R"(
CREATE TABLE address_slots (
  address TEXT NOT NULL PRIMARY KEY,
  slot INTEGER NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO address_slots
  SELECT destination, (min(spi_or_index) >> 8) & 4095 FROM kernel_records
  WHERE kind = 2 AND (spi_or_index >> 3) & 31 = 1 GROUP BY destination;
ALTER TABLE installed_groups ADD COLUMN data_protocol INTEGER NOT NULL DEFAULT 17;
ALTER TABLE installed_groups ADD COLUMN spi_prefix INTEGER NOT NULL DEFAULT 0;
UPDATE installed_groups SET spi_prefix = coalesce(
  (SELECT min(spi_or_index) >> 24 FROM kernel_records AS held
   WHERE held.kind = 1 AND held.group_id = installed_groups.group_id
   AND held.network_namespace = installed_groups.network_namespace), 0);
)";

// Former versions switched at the end of the deactivation delay, and so do the rows that they left.
constexpr const char* kVersion5 = R"(
ALTER TABLE installed_groups ADD COLUMN activate_at INTEGER NOT NULL DEFAULT 0;
UPDATE installed_groups SET activate_at = release_at;
)";

constexpr const char* kVersion6 = R"(
ALTER TABLE installed_groups ADD COLUMN controller_address TEXT NOT NULL DEFAULT '';
ALTER TABLE installed_groups ADD COLUMN controller_port INTEGER NOT NULL DEFAULT 0;
)";

constexpr std::array<const char*, kSchemaVersion> kSteps{kVersion1, kVersion2, kVersion3,
                                                         kVersion4, kVersion5, kVersion6};

Result<std::uint64_t> pragma_number(const Database& database, const char* sql) {
  Statement statement(database, kOpenFailed, sql);
  auto row = statement.step();
  if (!row) return pass_on(row);
  return *row ? statement.number(0) : 0;
}

Result<void> check_sound(const Database& database) {
  Statement statement(database, kOpenFailed, "PRAGMA quick_check(1)");
  auto row = statement.step();
  if (!row) return pass_on(row);
  const std::string verdict = *row ? statement.text(0) : "no verdict";
  if (verdict == "ok") return {};
  return fail(kOpenFailed, database.path() + " is damaged (" + verdict +
                               "): move it away, and this host joins its groups as a newcomer");
}

/// From version `from`, 0 being an empty file, to ours.
Result<void> upgrade(Database& database, std::uint64_t from) {
  Transaction transaction(database, kOpenFailed);
  if (auto begun = transaction.begin(); !begun) return begun;
  std::string sql;
  for (std::uint64_t version = from; version < kSchemaVersion; ++version) sql += kSteps[version];
  sql += "PRAGMA application_id = " + std::to_string(kApplicationId) +
         "; PRAGMA user_version = " + std::to_string(kSchemaVersion) + ";";
  if (auto made = database.run(kOpenFailed, sql.c_str()); !made) return made;
  return transaction.commit();
}

}  // namespace

Result<void> prepare(Database& database) {
  if (auto set = database.run(kOpenFailed, kDurability); !set) return set;
  auto application = pragma_number(database, "PRAGMA application_id");
  if (!application) return pass_on(application);
  auto version = pragma_number(database, "PRAGMA user_version");
  if (!version) return pass_on(version);
  auto tables = pragma_number(database, "SELECT count(*) FROM sqlite_schema");
  if (!tables) return pass_on(tables);

  if (*application == 0 && *version == 0 && *tables == 0) return upgrade(database, 0);
  if (*application != kApplicationId) {
    return fail(kOpenFailed,
                database.path() + " is another program's database; set [store] path elsewhere");
  }
  if (*version > kSchemaVersion) {
    return fail(kOpenFailed, database.path() + " was written by a newer version of this agent (" +
                                 "schema " + std::to_string(*version) + ", this one knows " +
                                 std::to_string(kSchemaVersion) + "); install that version again");
  }
  if (auto sound = check_sound(database); !sound) return sound;
  return *version < kSchemaVersion ? upgrade(database, *version) : Result<void>{};
}

}  // namespace gkmpd::store
