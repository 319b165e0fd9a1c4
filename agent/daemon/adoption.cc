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

/// Only of a policy's identity.
std::string_view policy_name(const xfrm::ObjectId& id) {
  const auto slot = xfrm::slot_of_policy_index(id.spi_or_index);
  const auto is = [&](xfrm::PolicyKind kind) {
    return xfrm::policy_index(slot, kind) == id.spi_or_index;
  };
  if (is(xfrm::PolicyKind::kGuard)) return "the guard policy";
  if (is(xfrm::PolicyKind::kIn)) return "the inbound policy";
  return "the protect policy";
}

bool is_protect(const xfrm::ObjectId& id) {
  const auto slot = xfrm::slot_of_policy_index(id.spi_or_index);
  return xfrm::policy_index(slot, xfrm::PolicyKind::kProtect) == id.spi_or_index;
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
          .remove_on_stop = memo.on_stop == identity::StopPolicy::kRemove};
}

std::optional<protocol::AdoptedGroup> to_adopted(const store::InstalledGroup& row) {
  const auto data = IpAddress::parse(row.data_address);
  const auto control = IpAddress::parse(row.control_address);
  if (!data || !control) return std::nullopt;
  protocol::AdoptedGroup group;
  group.id = row.group;
  group.name = row.name;
  group.data_address = *data;
  group.data_port = row.data_port;
  group.epoch_id = row.epoch_id;
  group.memo = {
      .role = row.role == store::InstalledGroup::Role::kController ? GroupRole::kController
                                                                   : GroupRole::kMember,
      .controller = row.controller,
      .control_multicast = {*control, row.control_port},
      .tuple = row.tuple,
      .not_after = row.not_after,
      .on_stop = row.remove_on_stop ? identity::StopPolicy::kRemove : identity::StopPolicy::kKeep};
  return group;
}

Inspection inspect(const store::InstalledGroup& row, const std::vector<xfrm::ObjectId>& record,
                   const xfrm::KernelState& kernel, WallTime now) {
  std::set<xfrm::ObjectId> standing;
  for (const auto& sa : kernel.sas) standing.insert(sa.id());
  for (const auto& policy : kernel.policies) standing.insert(policy.id());
  const bool over = row.not_after <= now;
  const auto generation = static_cast<xfrm::Generation>(row.tuple.epoch & xfrm::kMaxGeneration);

  Inspection out;
  std::vector<std::string> missing;
  std::size_t sas = 0;
  std::size_t lost = 0;
  for (const auto& id : record) {
    const bool stands = standing.contains(id);
    out.stands |= stands;
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

}  // namespace gkmpd::daemon
