#include "agent/daemon/installer.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

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

using Ids = std::vector<xfrm::ObjectId>;

/// Those of `ids` that are not among `others`.
Ids beside(const Ids& ids, const Ids& others) {
  const std::set<xfrm::ObjectId> known(others.begin(), others.end());
  Ids out;
  std::ranges::copy_if(ids, std::back_inserter(out),
                       [&](const auto& id) { return !known.contains(id); });
  return out;
}

Ids ids_of(const xfrm::KernelState& state) {
  Ids out;
  for (const auto& sa : state.sas) out.push_back(sa.id());
  for (const auto& policy : state.policies) out.push_back(policy.id());
  return out;
}

bool any_stands(const xfrm::KernelState& state, const Ids& ids) {
  return beside(ids, ids_of(state)).size() < ids.size();
}

/// Of a group's SAs and inbound policy; in transport mode nothing may go by an XFRM interface.
xfrm::IpsecMode mode_of(const xfrm::KernelState& state) {
  const auto is_in = [](const xfrm::PolicyState& policy) {
    return policy.kind == xfrm::PolicyKind::kIn;
  };
  const auto tunnel = xfrm::IpsecMode::kTunnel;
  const bool any =
      std::ranges::any_of(state.sas, [&](const auto& sa) { return sa.mode == tunnel; }) ||
      std::ranges::any_of(state.policies, [&](const auto& policy) {
        return is_in(policy) && policy.mode == tunnel;
      });
  return any ? tunnel : xfrm::IpsecMode::kTransport;
}

/// As the kernel would show it.
xfrm::ObjectId id_of(const xfrm::GroupSpec& spec, const xfrm::SenderSa& sa) {
  const auto direction = sa.outbound ? xfrm::SaDirection::kOut : xfrm::SaDirection::kIn;
  return {xfrm::ObjectKind::kSa, spec.destination, sa.spi,
          xfrm::reqid(spec.slot, sa.generation, direction)};
}

}  // namespace

void drop_outbound(xfrm::GroupSpec& spec, std::uint32_t spi) {
  const auto is_it = [&](const xfrm::SenderSa& sa) { return sa.outbound && sa.spi == spi; };
  for (const auto& sa : spec.senders) {
    if (is_it(sa) && spec.active_generation == sa.generation) spec.active_generation.reset();
  }
  if (spec.sender_mode == xfrm::SenderMode::kShared) {
    for (auto& sa : spec.senders) sa.outbound = sa.outbound && !is_it(sa);
  } else {
    std::erase_if(spec.senders, is_it);
  }
}

bool use_next(protocol::InstallGroup& wanted, std::uint32_t spi) {
  const auto taken = std::ranges::find_if(
      wanted.spec.senders, [&](const auto& sa) { return sa.outbound && sa.spi == spi; });
  if (taken == wanted.spec.senders.end() || wanted.standby.empty()) {
    drop_outbound(wanted.spec, spi);
    return false;
  }
  *taken = std::move(wanted.standby.front());
  wanted.standby.erase(wanted.standby.begin());
  return true;
}

void prefer_standing(protocol::InstallGroup& wanted, const xfrm::KernelState& standing) {
  const auto stands = [&](const xfrm::SenderSa& sa) {
    return std::ranges::any_of(standing.sas, [&](const xfrm::SaState& there) {
      return there.id() == id_of(wanted.spec, sa) && there.regular && there.may_have_key(sa.key);
    });
  };
  const auto first = std::ranges::find_if(wanted.spec.senders, &xfrm::SenderSa::outbound);
  const auto other = std::ranges::find_if(wanted.standby, stands);
  if (first == wanted.spec.senders.end() || other == wanted.standby.end() || stands(*first)) return;
  // Whatever comes before it in the run has been used.
  *first = std::move(*other);
  wanted.standby.erase(wanted.standby.begin(), other + 1);
}

Installer::Installer(xfrm::Kernel kernel, store::Store& store, KernelPlace place,
                     SettingsByGroup settings)
    : kernel_(std::move(kernel)),
      store_(store),
      place_(std::move(place)),
      settings_(std::move(settings)) {}

Result<std::vector<xfrm::ObjectId>> Installer::record_of(const GroupFilter& which) {
  auto records = store_.kernel_records();
  if (!records) return pass_on(records);
  std::set<xfrm::ObjectId> out;
  for (const auto& record : *records) {
    if (fate_of(record, place_) != RecordFate::kHere || !which(record.group)) continue;
    if (auto object = to_object(record)) out.insert(*object);
  }
  return Ids(out.begin(), out.end());
}

Result<std::vector<store::InstalledGroup>> Installer::groups_here() {
  auto groups = store_.installed_groups();
  if (!groups) return groups;
  std::erase_if(*groups, [&](const auto& row) { return row.network_namespace != place_.text(); });
  return groups;
}

Result<void> Installer::forget(const GroupFilter& which, const Ids& objects) {
  if (objects.empty()) return {};
  auto records = store_.kernel_records();
  if (!records) return pass_on(records);
  std::erase_if(*records, [&](const store::KernelRecord& record) {
    const auto object = to_object(record);
    return fate_of(record, place_) != RecordFate::kHere || !which(record.group) || !object ||
           std::ranges::find(objects, *object) == objects.end();
  });
  return store_.remove_kernel_records(*records);
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
  for (const auto& row : groups) {
    auto group = to_adopted(row);
    if (!group) return fail(store::kReadFailed, "the record of group " + row.name + " is damaged");
    const GroupFilter is_it = [&](const GroupId& id) { return id == row.group; };
    auto objects = record_of(is_it);
    if (!objects) return pass_on(objects);
    Inspection found = inspect(row, *objects, *kernel, now);
    auto others = record_of([&](const GroupId& id) { return id != row.group; });
    if (!others) return pass_on(others);
    // The number of a network namespace that is gone may have come to this one. What another group
    // has there as well says nothing.
    if (!any_stands(*kernel, beside(*objects, *others))) {
      takeover.vanished.push_back(row.name);
      if (auto forgotten = forget(is_it, *objects); !forgotten) return forgotten;
      continue;
    }
    if (auto forgotten = forget(is_it, found.ended); !forgotten) return forgotten;
    group->sending = found.sending;
    group->missing = std::move(found.missing);
    takeover.adopted.push_back(*std::move(group));
  }
  return {};
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
  auto others = record_of([&](const GroupId& id) { return !which(id); });
  if (!others) return pass_on(others);
  const Ids alone = beside(*record, *others);
  auto before = kernel_.read(alone);
  if (!before) return pass_on(before);
  auto applied = kernel_.remove(alone);
  if (!applied) return pass_on(applied);
  // What is shared is the others' from now on, but stays ours as well while something is left.
  Ids gone = applied->complete() ? beside(*record, alone) : Ids{};
  std::ranges::move(applied->removed, std::back_inserter(gone));
  auto forgotten = forget(which, gone);
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

Result<void> Installer::execute(const GroupId& group, const EpochId& epoch,
                                const std::vector<xfrm::Stage>& stages) {
  if (stages.empty()) return {};
  if (xfrm::tally(stages).sas_removed > 0) before_sas_go_();
  // From here on nobody knows, unless the kernel says otherwise, that the keys were not used.
  std::set<Outbound> open;
  for (const std::uint32_t spi : xfrm::new_outbound_spis(stages)) {
    if (unused_.erase({epoch, spi}) == 1) open.insert({epoch, spi});
  }
  auto applied = kernel_.execute(stages);
  if (!applied) return pass_on(applied);
  for (const auto& object : applied->added) {
    if (object.kind == xfrm::ObjectKind::kSa) open.erase({epoch, object.spi_or_index});
  }
  unused_.merge(open);
  auto forgotten = forget([&](const GroupId& id) { return id == group; }, applied->removed);
  if (!forgotten) return forgotten;
  if (!applied->complete()) return tl::unexpected(to_error(applied->refusals));
  return {};
}

Result<void> Installer::record(const store::InstalledGroup& row, const Ids& recorded,
                               const Ids& wanted) {
  const Ids fresh = beside(wanted, recorded);
  auto groups = groups_here();
  if (!groups) return pass_on(groups);
  if (fresh.empty() && std::ranges::find(*groups, row) != groups->end()) return {};
  std::vector<store::KernelRecord> records;
  for (const auto& object : fresh) records.push_back(to_record(row.group, place_, object));
  return store_.record_install(row, records);
}

Result<std::vector<xfrm::Stage>> Installer::choose(protocol::InstallGroup& wanted,
                                                   const xfrm::KernelState& standing,
                                                   std::vector<std::uint32_t>& left_out) {
  prefer_standing(wanted, standing);
  while (true) {
    auto stages = xfrm::plan(standing, xfrm::wanted_state(wanted.spec), wanted.spec.earlier);
    auto taken = burn(wanted, stages);
    if (!taken) return pass_on(taken);
    if (taken->empty()) return stages;
    for (const std::uint32_t spi : *taken) {
      if (!use_next(wanted, spi)) left_out.push_back(spi);
    }
  }
}

void Installer::carry_received(protocol::InstallGroup& wanted, const xfrm::KernelState& standing) {
  std::map<xfrm::ObjectId, const xfrm::SaState*> there;
  for (const xfrm::SaState& sa : standing.sas) {
    if (sa.regular) there.emplace(sa.id(), &sa);
  }
  Received before =
      std::exchange(received_[wanted.group], {.epoch_id = wanted.epoch_id, .numbers = {}});
  if (before.epoch_id != wanted.epoch_id) before.numbers.clear();
  auto& numbers = received_[wanted.group].numbers;
  for (xfrm::SenderSa& sa : wanted.spec.senders) {
    if (sa.outbound) continue;
    const xfrm::ObjectId id = id_of(wanted.spec, sa);
    const auto known = before.numbers.find(id);
    if (known != before.numbers.end()) sa.last_received = known->second;
    const auto found = there.find(id);
    if (found != there.end() && found->second->may_have_key(sa.key)) {
      sa.last_received = std::max(sa.last_received, found->second->last_received);
    }
    if (sa.last_received != 0) numbers.emplace(id, sa.last_received);
  }
  if (numbers.empty()) received_.erase(wanted.group);
}

Result<Placement> Installer::place_of(const GroupId& group, const std::string& data_address) {
  auto slot = store_.slot_of(group, xfrm::kMaxGroupSlot);
  if (!slot) return pass_on(slot);
  auto address_slot = store_.slot_of_address(data_address, xfrm::kMaxAddressSlot);
  if (!address_slot) return pass_on(address_slot);
  return Placement{.slot = *slot, .address_slot = *address_slot, .attachment = {}};
}

Result<Installer::Held> Installer::held(const GroupId& group, const Ids& wanted) {
  Held out;
  auto recorded = record_of([&](const GroupId& id) { return id == group; });
  if (!recorded) return pass_on(recorded);
  auto others = record_of([&](const GroupId& id) { return id != group; });
  if (!others) return pass_on(others);
  Ids ours = beside(*recorded, *others);
  std::ranges::copy(beside(wanted, ours), std::back_inserter(ours));
  auto standing = kernel_.read(ours);
  if (!standing) return pass_on(standing);
  out.recorded = *std::move(recorded);
  out.standing = *std::move(standing);
  return out;
}

Result<void> Installer::doubt_hidden_keys(const protocol::InstallGroup& wanted,
                                          xfrm::KernelState& standing) {
  const auto is_hidden = [](const xfrm::SaState& sa) { return sa.regular && sa.key.empty(); };
  if (std::ranges::none_of(standing.sas, is_hidden)) return {};
  auto groups = groups_here();
  if (!groups) return pass_on(groups);
  const auto row = std::ranges::find(*groups, wanted.group, &store::InstalledGroup::group);
  if (row != groups->end() && row->epoch_id == wanted.epoch_id) return {};
  for (xfrm::SaState& sa : standing.sas) sa.regular = sa.regular && !sa.key.empty();
  return {};
}

Result<void> Installer::install(protocol::InstallGroup wanted, xfrm::Tally* done) {
  auto place = place_of(wanted.group, wanted.spec.destination.text());
  if (!place) return pass_on(place);
  const Attached attached = attach(settings_, wanted.spec.group_name, wanted.spec.mode);
  wanted.spec.slot = place->slot;
  wanted.spec.address_slot = place->address_slot;
  wanted.spec.attachment = attached.attachment;
  if (auto sound = xfrm::check(wanted.spec); !sound) return sound;

  auto before = held(wanted.group, xfrm::objects_of(wanted.spec));
  if (!before) return pass_on(before);
  if (auto doubted = doubt_hidden_keys(wanted, before->standing); !doubted) return doubted;
  carry_received(wanted, before->standing);
  if (auto sound = xfrm::check(wanted.spec); !sound) return sound;
  std::vector<std::uint32_t> left_out;
  auto stages = choose(wanted, before->standing, left_out);
  if (!stages) return pass_on(stages);
  if (done != nullptr) *done = xfrm::tally(*stages);
  const Ids objects = xfrm::objects_of(wanted.spec);
  if (auto written = record(to_row(wanted, place_), before->recorded, objects); !written) {
    return written;
  }
  if (auto executed = execute(wanted.group, wanted.epoch_id, *stages); !executed) return executed;
  // SAs that the kernel ended by itself, and what is other groups' of a former address.
  auto forgotten = forget([&](const GroupId& id) { return id == wanted.group; },
                          beside(beside(before->recorded, objects), ids_of(before->standing)));
  if (!forgotten) return forgotten;
  if (left_out.empty()) return attached.found;
  return fail(
      kOutboundBurnt,
      fmt::format("the key of SPI 0x{:08x} may have been used before and is not used again; this "
                  "host cannot send until the group has a new epoch: restart the agent of its "
                  "controller and create the group again",
                  left_out.front()));
}

Result<protocol::Kept> Installer::keep(const GroupId& group, protocol::Keep keep, WallTime now,
                                       xfrm::Tally* done) {
  auto groups = groups_here();
  if (!groups) return pass_on(groups);
  const auto row = std::ranges::find(*groups, group, &store::InstalledGroup::group);
  if (row == groups->end()) {
    return fail(kNotInstalled, "nothing of group " + to_hex(group) + " is recorded here");
  }
  auto place = place_of(group, row->data_address);
  if (!place) return pass_on(place);
  const auto data_address = IpAddress::parse(row->data_address).value_or(IpAddress{});
  auto before = held(group, xfrm::policies_at(data_address, place->slot, place->address_slot));
  if (!before) return pass_on(before);

  const Attached attached = attach(settings_, row->name, mode_of(before->standing));
  place->attachment = attached.attachment;
  const xfrm::KernelState kept = kept_state(*row, *place, before->standing, keep);
  const auto stages = xfrm::plan(before->standing, kept);
  if (!xfrm::new_outbound_spis(stages).empty()) {
    return fail(kOutboundBurnt, "an outbound SA of an adopted group would be put in again");
  }
  if (done != nullptr) *done = xfrm::tally(stages);
  auto written = record(*row, before->recorded, ids_of(kept));
  if (!written) return pass_on(written);
  if (auto executed = execute(group, row->epoch_id, stages); !executed) return pass_on(executed);

  const Inspection found = inspect(*row, before->recorded, kept, now);
  auto forgotten =
      forget([&](const GroupId& id) { return id == group; }, beside(found.ended, ids_of(kept)));
  if (!forgotten) return pass_on(forgotten);
  std::string missing = found.missing;
  if (!attached.found) {
    missing = attached.found.error().text() + (missing.empty() ? "" : "; " + missing);
  }
  return protocol::Kept{found.sending, std::move(missing)};
}

Result<std::vector<Installer::GroupUsage>> Installer::usage() {
  auto groups = groups_here();
  if (!groups) return pass_on(groups);
  auto records = store_.kernel_records();
  if (!records) return pass_on(records);
  std::map<xfrm::ObjectId, const store::InstalledGroup*> owners;
  Ids ids;
  for (const auto& record : *records) {
    const auto row = std::ranges::find(*groups, record.group, &store::InstalledGroup::group);
    const auto object = to_object(record);
    if (fate_of(record, place_) != RecordFate::kHere || row == groups->end() || !object) continue;
    owners.emplace(*object, &*row);
    ids.push_back(*object);
  }
  auto sas = kernel_.usage(ids);
  if (!sas) return pass_on(sas);
  std::vector<GroupUsage> out;
  for (const auto& sa : *sas) {
    const store::InstalledGroup& row = *owners.at(sa.id);
    out.push_back({row.group, row.name, row.tuple, sa});
  }
  std::ranges::sort(out, {},
                    [](const GroupUsage& usage) { return std::tie(usage.name, usage.sa.id); });
  return out;
}

Result<Installer::Standing> Installer::standing() {
  auto record = record_of([](const GroupId&) { return true; });
  if (!record) return pass_on(record);
  auto state = kernel_.read(*record);
  if (!state) return pass_on(state);
  return Standing{state->sas.size(), state->policies.size(), record->size()};
}

}  // namespace gkmpd::daemon
