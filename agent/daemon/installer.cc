#include "agent/daemon/installer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "agent/daemon/errors.h"
#include "agent/daemon/fd.h"

namespace gkmpd::daemon {
namespace {

constexpr std::size_t kMaxRefusalsNamed = 3;

/// The first refusal's kind, with the words of the first few.
Error to_error(const std::vector<xfrm::Refusal>& refusals) {
  std::string detail;
  for (std::size_t i = 0; i < refusals.size() && i < kMaxRefusalsNamed; ++i) {
    if (i > 0) detail += "; ";
    detail += refusals[i].error.detail;
  }
  if (refusals.size() > kMaxRefusalsNamed) {
    detail += fmt::format("; and {} more", refusals.size() - kMaxRefusalsNamed);
  }
  return {refusals.front().error.kind, std::move(detail)};
}

}  // namespace

Result<KernelPlace> KernelPlace::current() {
  struct stat info{};
  if (::stat("/proc/self/ns/net", &info) != 0) {
    return fail(kFileUnreadable, fmt::format("/proc/self/ns/net: {}", std::strerror(errno)));
  }
  // Files of /proc tell no size: read by hand, not by read_text_file.
  const Fd file(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  std::array<char, 64> text{};
  const auto got = file ? ::read(file.get(), text.data(), text.size()) : -1;
  if (got <= 0) {
    return fail(kFileUnreadable,
                fmt::format("/proc/sys/kernel/random/boot_id: {}", std::strerror(errno)));
  }
  std::string boot_id(text.data(), static_cast<std::size_t>(got));
  boot_id.erase(boot_id.find_last_not_of('\n') + 1);
  return KernelPlace{std::to_string(info.st_ino), std::move(boot_id)};
}

store::KernelRecord to_record(const GroupId& group, const KernelPlace& place,
                              const xfrm::ObjectId& object) {
  store::KernelRecord record;
  switch (object.kind) {
    case xfrm::ObjectKind::kSa:
      record.kind = store::KernelRecord::Kind::kSa;
      break;
    case xfrm::ObjectKind::kPolicy:
      record.kind = store::KernelRecord::Kind::kPolicy;
      break;
  }
  record.group = group;
  record.network_namespace = place.text();
  record.destination = object.destination.text();
  record.spi_or_index = object.spi_or_index;
  record.reqid = object.reqid;
  return record;
}

std::optional<xfrm::ObjectId> to_object(const store::KernelRecord& record) {
  const auto destination = IpAddress::parse(record.destination);
  if (!destination) return std::nullopt;
  switch (record.kind) {
    case store::KernelRecord::Kind::kSa:
      return xfrm::ObjectId{xfrm::ObjectKind::kSa, *destination, record.spi_or_index, record.reqid};
    case store::KernelRecord::Kind::kPolicy:
      return xfrm::ObjectId{xfrm::ObjectKind::kPolicy, *destination, record.spi_or_index,
                            record.reqid};
  }
  return std::nullopt;
}

RecordFate fate_of(const store::KernelRecord& record, const KernelPlace& place) {
  if (record.network_namespace == place.text()) return RecordFate::kHere;
  return record.network_namespace.ends_with("/" + place.boot_id) ? RecordFate::kOther
                                                                 : RecordFate::kGone;
}

void drop_outbound(xfrm::GroupSpec& spec, std::uint32_t spi) {
  const auto is_it = [&](const xfrm::SenderSa& sa) { return sa.outbound && sa.spi == spi; };
  for (const auto& sa : spec.senders) {
    if (is_it(sa) && spec.active_generation == sa.generation) spec.active_generation.reset();
  }
  std::erase_if(spec.senders, is_it);
}

Installer::Installer(xfrm::Kernel kernel, store::Store& store, KernelPlace place)
    : kernel_(std::move(kernel)), store_(store), place_(std::move(place)) {}

Result<std::vector<xfrm::ObjectId>> Installer::record_of(const GroupId* group) {
  auto records = store_.kernel_records();
  if (!records) return pass_on(records);
  std::vector<xfrm::ObjectId> out;
  for (const auto& record : *records) {
    if (group != nullptr && record.group != *group) continue;
    if (fate_of(record, place_) != RecordFate::kHere) continue;
    if (auto object = to_object(record)) out.push_back(*object);
  }
  return out;
}

Result<void> Installer::forget(const std::vector<xfrm::ObjectId>& removed) {
  if (removed.empty()) return {};
  auto records = store_.kernel_records();
  if (!records) return pass_on(records);
  std::erase_if(*records, [&](const store::KernelRecord& record) {
    const auto object = to_object(record);
    return fate_of(record, place_) != RecordFate::kHere || !object ||
           std::ranges::find(removed, *object) == removed.end();
  });
  return store_.remove_kernel_records(*records);
}

Result<Installer::Leftovers> Installer::remove_leftovers() {
  auto records = store_.kernel_records();
  if (!records) return pass_on(records);
  Leftovers leftovers;
  std::vector<store::KernelRecord> forgotten;
  for (const auto& record : *records) {
    switch (fate_of(record, place_)) {
      case RecordFate::kHere:
        break;
      case RecordFate::kGone:
        forgotten.push_back(record);
        break;
      case RecordFate::kOther:
        ++leftovers.other;
        break;
    }
  }
  leftovers.forgotten = forgotten.size();
  auto dropped = store_.remove_kernel_records(forgotten);
  if (!dropped) return pass_on(dropped);
  auto removed = remove_all();
  if (!removed) return pass_on(removed);
  leftovers.removed = *removed;
  return leftovers;
}

Result<std::size_t> Installer::remove_all() {
  auto record = record_of(nullptr);
  if (!record) return pass_on(record);
  if (record->empty()) return std::size_t{0};
  auto before = kernel_.read(*record);
  if (!before) return pass_on(before);
  auto applied = kernel_.remove(*record);
  if (!applied) return pass_on(applied);
  auto forgotten = forget(applied->removed);
  if (!forgotten) return pass_on(forgotten);
  if (!applied->complete()) return tl::unexpected(to_error(applied->refusals));
  return before->sas.size() + before->policies.size();
}

Result<std::vector<std::uint32_t>> Installer::burn(const protocol::InstallGroup& wanted,
                                                   const std::vector<xfrm::Stage>& stages) {
  std::vector<std::uint32_t> taken;
  for (const std::uint32_t spi : xfrm::new_outbound_spis(stages)) {
    if (unused_.contains({wanted.epoch_id, spi})) continue;
    auto burnt = store_.burn({wanted.group, wanted.epoch_id, spi, place_.boot_id});
    if (burnt) {
      unused_.insert({wanted.epoch_id, spi});
    } else if (burnt.error().kind == store::kIntentTaken) {
      taken.push_back(spi);
    } else {
      return pass_on(burnt);
    }
  }
  return taken;
}

Result<void> Installer::execute(const protocol::InstallGroup& wanted,
                                const std::vector<xfrm::Stage>& stages) {
  // From here on nobody knows, unless the kernel says otherwise, that the keys were not used.
  std::set<Outbound> open;
  for (const std::uint32_t spi : xfrm::new_outbound_spis(stages)) {
    if (unused_.erase({wanted.epoch_id, spi}) == 1) open.insert({wanted.epoch_id, spi});
  }
  auto applied = kernel_.execute(stages);
  if (!applied) return pass_on(applied);
  for (const auto& object : applied->added) {
    if (object.kind == xfrm::ObjectKind::kSa) open.erase({wanted.epoch_id, object.spi_or_index});
  }
  unused_.merge(open);
  auto forgotten = forget(applied->removed);
  if (!forgotten) return forgotten;
  if (!applied->complete()) return tl::unexpected(to_error(applied->refusals));
  return {};
}

Result<void> Installer::install(protocol::InstallGroup wanted) {
  auto slot = store_.slot_of(wanted.group, xfrm::kMaxSlot);
  if (!slot) return pass_on(slot);
  wanted.spec.slot = *slot;
  auto checked = xfrm::check(wanted.spec);
  if (!checked) return checked;

  std::vector<std::uint32_t> left_out;
  while (true) {
    std::vector<store::KernelRecord> records;
    for (const auto& object : xfrm::objects_of(wanted.spec)) {
      records.push_back(to_record(wanted.group, place_, object));
    }
    auto recorded = store_.add_kernel_records(records);
    if (!recorded) return recorded;
    auto record = record_of(&wanted.group);
    if (!record) return pass_on(record);
    auto stages = kernel_.prepare(wanted.spec, *record);
    if (!stages) return pass_on(stages);
    auto taken = burn(wanted, *stages);
    if (!taken) return pass_on(taken);
    if (taken->empty()) {
      auto done = execute(wanted, *stages);
      if (!done) return done;
      break;
    }
    for (const std::uint32_t spi : *taken) {
      drop_outbound(wanted.spec, spi);
      left_out.push_back(spi);
    }
  }
  if (left_out.empty()) return {};
  return fail(
      kOutboundBurnt,
      fmt::format("the key of SPI 0x{:08x} may have been used before and is not used again; "
                  "this host cannot send until the group has a new epoch",
                  left_out.front()));
}

Result<Installer::Standing> Installer::standing() {
  auto record = record_of(nullptr);
  if (!record) return pass_on(record);
  auto state = kernel_.read(*record);
  if (!state) return pass_on(state);
  return Standing{state->sas.size(), state->policies.size(), record->size()};
}

}  // namespace gkmpd::daemon
