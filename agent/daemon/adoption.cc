#include "agent/daemon/adoption.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace gkmpd::daemon {
namespace {

using protocol::GroupRole;

store::InstalledGroup::Role to_store(GroupRole role) {
  switch (role) {
    case GroupRole::kController:
      return store::InstalledGroup::Role::kController;
    case GroupRole::kMember:
      return store::InstalledGroup::Role::kMember;
  }
  return store::InstalledGroup::Role::kMember;
}

std::string_view policy_name(const xfrm::ObjectId& id) {
  const auto kind = xfrm::kind_of_policy_index(id.spi_or_index);
  if (!kind) return "a policy";
  switch (*kind) {
    case xfrm::PolicyKind::kGuard:
      return "the guard policy";
    case xfrm::PolicyKind::kInGuard:
      return "the inbound guard policy";
    case xfrm::PolicyKind::kMembershipOut:
    case xfrm::PolicyKind::kMembershipIn:
      return "a membership policy";
    case xfrm::PolicyKind::kIn:
      return "the inbound policy";
    case xfrm::PolicyKind::kPassage:
      return "the passage policy";
    case xfrm::PolicyKind::kProtect:
      break;
  }
  return "the protect policy";
}

bool is_protect(const xfrm::ObjectId& id) {
  return xfrm::kind_of_policy_index(id.spi_or_index) == xfrm::PolicyKind::kProtect;
}

xfrm::Generation generation_of(const store::InstalledGroup& row) {
  return static_cast<xfrm::Generation>(row.tuple.epoch & xfrm::kMaxGeneration);
}

/// The standing SA that the protect policy should name. Until the activation delay of the newest
/// epoch is over the one that it names, or that of the epoch before, which everybody hears; from
/// then on the newest, or while that is missing what it names.
const xfrm::SaState* sent_under(const std::vector<xfrm::SaState>& kept, xfrm::Generation newest,
                                const xfrm::PolicyState* protect, protocol::Keep keep) {
  const xfrm::SaState* named = nullptr;
  const xfrm::SaState* latest = nullptr;
  const xfrm::SaState* before = nullptr;
  for (const xfrm::SaState& sa : kept) {
    if (!sa.outbound()) continue;
    if (protect != nullptr && protect->reqid == sa.reqid) named = &sa;
    (xfrm::generation_of_reqid(sa.reqid) == newest ? latest : before) = &sa;
  }
  if (keep != protocol::Keep::kBoth && latest != nullptr) return latest;
  return named != nullptr ? named : before;
}

/// SAs stay as they are, whatever the configuration says now, and the policies follow them. Of the
/// interface it has the word, unless it speaks of one of another id: into an XFRM interface the
/// group's packets go in clear.
xfrm::Attachment attachment_beside(const xfrm::SaState& sa, const Placement& place,
                                   const xfrm::KernelState& standing) {
  xfrm::Attachment attachment = sa.attachment;
  if (sa.attachment.if_id == place.attachment.if_id) {
    attachment.interface = place.attachment.interface;
  } else if (sa.attachment.if_id != 0) {
    const auto passage =
        std::ranges::find(standing.policies, xfrm::PolicyKind::kPassage, &xfrm::PolicyState::kind);
    if (passage != standing.policies.end() && passage->regular) {
      attachment.interface = passage->attachment.interface;
    }
  }
  return attachment;
}

/// The group as a spec: with `sent`, if that is not shared, for the sake of the protect policy.
xfrm::GroupSpec spec_of(const store::InstalledGroup& row, const Placement& place,
                        const xfrm::KernelState& standing, const xfrm::SaState* sent) {
  xfrm::GroupSpec spec;
  spec.group_name = row.name;
  spec.slot = place.slot;
  spec.address_slot = place.address_slot;
  spec.attachment = place.attachment;
  spec.destination = IpAddress::parse(row.data_address).value_or(IpAddress{});
  spec.ip_protocol = row.data_protocol;
  spec.port = row.data_port;
  for (const xfrm::SaState& sa : standing.sas) {
    if (!sa.regular) continue;
    spec.mode = sa.mode;
    spec.attachment = attachment_beside(sa, place, standing);
  }
  if (sent != nullptr) spec.attachment = attachment_beside(*sent, place, standing);
  // An SA may be somebody else's in our place; and when none is left the inbound policy still
  // knows.
  for (const xfrm::PolicyState& policy : standing.policies) {
    if (policy.kind == xfrm::PolicyKind::kIn && policy.regular) spec.mode = policy.mode;
  }
  if (sent == nullptr || sent->shared()) return spec;
  spec.own_source = sent->source;
  spec.active_generation = xfrm::generation_of_reqid(sent->reqid);
  return spec;
}

bool is_sending(const std::vector<xfrm::ObjectId>& record, const xfrm::KernelState& kernel) {
  return std::ranges::any_of(kernel.policies, [&](const xfrm::PolicyState& policy) {
    return policy.kind == xfrm::PolicyKind::kProtect &&
           std::ranges::find(record, policy.id()) != record.end() &&
           std::ranges::any_of(kernel.sas, [&](const xfrm::SaState& sa) {
             return sa.reqid == policy.reqid && sa.destination == policy.destination;
           });
  });
}

}  // namespace

store::InstalledGroup to_row(const protocol::InstallGroup& install, const KernelPlace& place) {
  const protocol::GroupMemo& memo = install.memo;
  return {.network_namespace = place.text(),
          .group = install.group,
          .name = install.spec.group_name,
          .role = to_store(memo.role),
          .controller = memo.controller,
          .data_address = install.spec.destination.text(),
          .data_port = install.spec.port,
          .control_address = memo.control_multicast.ip.text(),
          .control_port = memo.control_multicast.port,
          .epoch_id = install.epoch_id,
          .tuple = memo.tuple,
          .not_after = memo.not_after,
          .remove_on_stop = memo.on_stop == identity::StopPolicy::kRemove,
          .release_at = memo.release_at,
          .data_protocol = install.spec.ip_protocol,
          .spi_prefix = memo.spi_prefix,
          .activate_at = memo.activate_at,
          .controller_address = memo.controller_address.ip.text(),
          .controller_port = memo.controller_address.port};
}

std::optional<protocol::AdoptedGroup> to_adopted(const store::InstalledGroup& row) {
  const auto data = IpAddress::parse(row.data_address);
  const auto control = IpAddress::parse(row.control_address);
  if (!data || !control) return std::nullopt;
  protocol::AdoptedGroup group;
  group.id = row.group;
  group.name = row.name;
  group.data_address = *data;
  group.data_protocol = row.data_protocol;
  group.data_port = row.data_port;
  group.epoch_id = row.epoch_id;
  group.memo = {
      .role = row.role == store::InstalledGroup::Role::kController ? GroupRole::kController
                                                                   : GroupRole::kMember,
      .controller = row.controller,
      .control_multicast = {*control, row.control_port},
      .tuple = row.tuple,
      .not_after = row.not_after,
      .on_stop = row.remove_on_stop ? identity::StopPolicy::kRemove : identity::StopPolicy::kKeep,
      .release_at = row.release_at,
      .spi_prefix = row.spi_prefix,
      .activate_at = row.activate_at};
  if (const auto controller = IpAddress::parse(row.controller_address)) {
    group.memo.controller_address = {*controller, row.controller_port};
  }
  return group;
}

Inspection inspect(const store::InstalledGroup& row, const std::vector<xfrm::ObjectId>& record,
                   const xfrm::KernelState& kernel, WallTime now) {
  std::set<xfrm::ObjectId> standing;
  for (const auto& sa : kernel.sas) standing.insert(sa.id());
  for (const auto& policy : kernel.policies) standing.insert(policy.id());
  const bool over = row.not_after <= now;
  const xfrm::Generation generation = generation_of(row);

  Inspection out;
  std::vector<std::string> missing;
  std::size_t sas = 0;
  std::size_t lost = 0;
  for (const auto& id : record) {
    const bool stands = standing.contains(id);
    if (id.kind == xfrm::ObjectKind::kPolicy) {
      if (!stands && !(over && is_protect(id))) missing.emplace_back(policy_name(id));
    } else if (!over && xfrm::generation_of_reqid(id.reqid) == generation) {
      ++sas;
      lost += stands ? 0 : 1;
    } else if (!stands) {
      out.ended.push_back(id);
    }
  }
  if (lost > 0) missing.push_back(fmt::format("{} of {} SAs", lost, sas));
  if (!missing.empty()) {
    out.missing = fmt::format("not in the kernel: {}", fmt::join(missing, ", "));
  }
  out.sending = is_sending(record, kernel);
  return out;
}

xfrm::KernelState kept_state(const store::InstalledGroup& row, const Placement& place,
                             const xfrm::KernelState& standing, protocol::Keep keep) {
  const xfrm::Generation newest = generation_of(row);
  xfrm::KernelState kept;
  for (const xfrm::SaState& sa : standing.sas) {
    const bool stays =
        keep != protocol::Keep::kClosed &&
        (keep != protocol::Keep::kNewest || xfrm::generation_of_reqid(sa.reqid) == newest);
    // One that is not as we made it is not bound to its sender.
    if (stays && sa.regular) kept.sas.push_back(sa.clone());
  }
  const xfrm::PolicyState* protect = nullptr;
  for (const xfrm::PolicyState& policy : standing.policies) {
    if (policy.kind == xfrm::PolicyKind::kProtect && policy.regular) protect = &policy;
  }
  const xfrm::SaState* sent = sent_under(kept.sas, newest, protect, keep);
  const xfrm::GroupSpec spec = spec_of(row, place, standing, sent);
  kept.policies = xfrm::wanted_state(spec).policies;
  if (sent != nullptr && sent->shared() && protect != nullptr) {
    kept.policies.push_back(*protect);
    kept.policies.back().reqid = sent->reqid;
    kept.policies.back().attachment = xfrm::protected_under(spec.attachment);
  }
  return kept;
}

}  // namespace gkmpd::daemon
