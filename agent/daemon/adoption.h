// Groups that outlive the agent: how they are recorded, and what of them still stands.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "agent/daemon/kernel_place.h"
#include "agent/protocol/endpoint.h"
#include "agent/store/store.h"
#include "xfrm/state.h"

namespace gkmpd::daemon {

[[nodiscard]] store::InstalledGroup to_row(const protocol::InstallGroup& install,
                                           const KernelPlace& place);
/// Nothing if the row does not hold addresses.
[[nodiscard]] std::optional<protocol::AdoptedGroup> to_adopted(const store::InstalledGroup& row);

/// What came of comparing a group's record with the kernel.
struct Inspection {
  bool sending = false;  // a protect policy and the SA that it names do
  /// What is not there and should be, for people; empty if nothing. SAs end by themselves with the
  /// epoch: after that all policies but the protect policy count.
  std::string missing;
  /// Records of SAs that have ended for good: of the epoch, if it is over, and of those before it.
  std::vector<xfrm::ObjectId> ended;
};
[[nodiscard]] Inspection inspect(const store::InstalledGroup& row,
                                 const std::vector<xfrm::ObjectId>& record,
                                 const xfrm::KernelState& kernel, WallTime now);

/// What a group has on this host beside what token and epoch say.
struct Placement {
  xfrm::GroupSlot slot = 0;
  xfrm::AddressSlot address_slot = 0;
  xfrm::Attachment attachment;
};

/// What should stand of a group of which there are no keys here, made of its row, its placement and
/// what `standing` holds of it: guards and inbound policy always; those SAs that `keep` says; and
/// the protect policy, if it stands or may follow from an SA of this host that stays. Of the
/// protect policy of a shared SA the source is known only while it stands.
[[nodiscard]] xfrm::KernelState kept_state(const store::InstalledGroup& row, const Placement& place,
                                           const xfrm::KernelState& standing, protocol::Keep keep);

}  // namespace gkmpd::daemon
