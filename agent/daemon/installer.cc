#include "agent/daemon/installer.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/daemon/errors.h"

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

void drop_outbound(xfrm::GroupSpec& spec, std::uint32_t spi) {
  const auto is_it = [&](const xfrm::SenderSa& sa) { return sa.outbound && sa.spi == spi; };
  for (const auto& sa : spec.senders) {
    if (is_it(sa) && spec.active_generation == sa.generation) spec.active_generation.reset();
  }
  std::erase_if(spec.senders, is_it);
}

Installer::Installer(xfrm::Kernel kernel, store::Store& store, KernelPlace place)
    : kernel_(std::move(kernel)), store_(store), place_(std::move(place)) {}

Result<std::vector<xfrm::ObjectId>> Installer::record_of(const GroupFilter& which) {
  auto records = store_.kernel_records();
  if (!records) return pass_on(records);
  std::vector<xfrm::ObjectId> out;
  for (const auto& record : *records) {
    if (fate_of(record, place_) != RecordFate::kHere || !which(record.group)) continue;
    if (auto object = to_object(record)) out.push_back(*object);
  }
  return out;
}

Result<std::vector<store::InstalledGroup>> Installer::groups_here() {
  auto groups = store_.installed_groups();
  if (!groups) return groups;
  std::erase_if(*groups, [&](const auto& row) { return row.network_namespace != place_.text(); });
  return groups;
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

Result<void> Installer::forget_ended(const GroupId& group, const xfrm::GroupSpec& spec) {
  auto others = record_of([&](const GroupId& id) { return id == group; });
  if (!others) return pass_on(others);
  const auto wanted = xfrm::objects_of(spec);
  std::erase_if(*others,
                [&](const auto& id) { return std::ranges::find(wanted, id) != wanted.end(); });
  if (others->empty()) return {};
  auto gone = kernel_.missing(*others);
  if (!gone) return pass_on(gone);
  return forget(*gone);
}

Result<Installer::Takeover> Installer::take_over(WallTime now) {
  Takeover takeover;
  if (auto done = forget_earlier_boots(takeover); !done) return pass_on(done);
  auto groups = groups_here();
  if (!groups) return pass_on(groups);
  auto removed = remove([&](const GroupId& id) {
    return std::ranges::find(*groups, id, &store::InstalledGroup::group) == groups->end();
  });
  if (!removed) return pass_on(removed);
  takeover.removed = *removed;
  if (auto done = adopt(*groups, now, takeover); !done) return pass_on(done);
  return takeover;
}

Result<void> Installer::forget_earlier_boots(Takeover& takeover) {
  auto records = store_.kernel_records();
  if (!records) return pass_on(records);
  std::vector<store::KernelRecord> forgotten;
  for (const auto& record : *records) {
    switch (fate_of(record, place_)) {
      case RecordFate::kHere:
        break;
      case RecordFate::kGone:
        forgotten.push_back(record);
        break;
      case RecordFate::kOther:
        ++takeover.other;
        break;
    }
  }
  takeover.forgotten = forgotten.size();
  return store_.remove_kernel_records(forgotten);
}

Result<void> Installer::adopt(const std::vector<store::InstalledGroup>& groups, WallTime now,
                              Takeover& takeover) {
  auto record = record_of([](const GroupId&) { return true; });
  if (!record) return pass_on(record);
  auto kernel = kernel_.read(*record);
  if (!kernel) return pass_on(kernel);
  std::vector<xfrm::ObjectId> gone;
  for (const auto& row : groups) {
    auto group = to_adopted(row);
    if (!group) return fail(store::kReadFailed, "the record of group " + row.name + " is damaged");
    auto objects = record_of([&](const GroupId& id) { return id == row.group; });
    if (!objects) return pass_on(objects);
    Inspection found = inspect(row, *objects, *kernel, now);
    // The number of a network namespace that is gone may have come to this one.
    if (!found.stands) {
      takeover.vanished.push_back(row.name);
      std::ranges::move(*objects, std::back_inserter(gone));
      continue;
    }
    std::ranges::move(found.ended, std::back_inserter(gone));
    group->sending = found.sending;
    group->missing = std::move(found.missing);
    takeover.adopted.push_back(*std::move(group));
  }
  return forget(gone);
}

Result<Installer::Removal> Installer::remove_stopping() {
  auto groups = groups_here();
  if (!groups) return pass_on(groups);
  Removal removal;
  std::set<GroupId> stopping;
  for (const auto& row : *groups) {
    if (!row.remove_on_stop) continue;
    stopping.insert(row.group);
    removal.groups.push_back(row.name);
  }
  auto removed = remove([&](const GroupId& id) { return stopping.contains(id); });
  if (!removed) return pass_on(removed);
  removal.objects = *removed;
  return removal;
}

Result<Installer::Removal> Installer::remove_all() {
  auto groups = groups_here();
  if (!groups) return pass_on(groups);
  Removal removal;
  for (const auto& row : *groups) removal.groups.push_back(row.name);
  auto removed = remove([](const GroupId&) { return true; });
  if (!removed) return pass_on(removed);
  removal.objects = *removed;
  return removal;
}

Result<std::size_t> Installer::remove(const GroupFilter& which) {
  auto record = record_of(which);
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
    auto recorded = store_.record_install(to_row(wanted, place_), records);
    if (!recorded) return recorded;
    auto record = record_of([&](const GroupId& id) { return id == wanted.group; });
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
  if (auto forgotten = forget_ended(wanted.group, wanted.spec); !forgotten) return forgotten;
  if (left_out.empty()) return {};
  return fail(
      kOutboundBurnt,
      fmt::format("the key of SPI 0x{:08x} may have been used before and is not used again; "
                  "this host cannot send until the group has a new epoch",
                  left_out.front()));
}

Result<Installer::Standing> Installer::standing() {
  auto record = record_of([](const GroupId&) { return true; });
  if (!record) return pass_on(record);
  auto state = kernel_.read(*record);
  if (!state) return pass_on(state);
  return Standing{state->sas.size(), state->policies.size(), record->size()};
}

}  // namespace gkmpd::daemon
