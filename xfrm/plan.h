// From what is to what should be: a pure diff in an order that is safe at every step.
#pragma once

#include <variant>
#include <vector>

#include "xfrm/state.h"

namespace gkmpd::xfrm {

struct AddSa {
  SaState sa;
};

struct DeleteSa {
  ObjectId id;
  IpAddress source;
  Attachment attachment{};
};

/// With `replace` the policy stands already and is changed at once (UPDPOLICY); without, its
/// selector must be free (NEWPOLICY).
struct PutPolicy {
  PolicyState policy;
  bool replace = false;
};

struct DeletePolicy {
  PolicyState policy;
};

using Operation = std::variant<AddSa, DeleteSa, PutPolicy, DeletePolicy>;

/// Operations of one stage do not depend on each other and may share a batch; none starts before
/// the stages above it have succeeded.
struct Stage {
  std::vector<Operation> operations;
};

/// What turns `installed` into `wanted`, in an order such that
///  - the guards and all that admits in clear or through ESP stand before the first SA and go after
///    the last;
///  - a protect policy names a reqid only while its outbound SA stands;
///  - inbound SAs come before outbound ones, both before the switch of the protect policy, and what
///    is not wanted any more goes after it;
///  - an inbound SA that replaces another of its key starts from the sequence number that the other
///    had received.
/// Both are of one group and its address. With an empty `wanted` all of `installed` goes, which may
/// then be of several groups on one address.
/// Equal states give no operation. No stage is empty. With `Earlier::kKeep` what `wanted` lacks is
/// left standing if it is an SA of a generation that `wanted` has no SA of, or the protect policy
/// under such an SA.
[[nodiscard]] std::vector<Stage> plan(const KernelState& installed, const KernelState& wanted,
                                      Earlier earlier = Earlier::kRemove);

/// SPIs of the outbound SAs that the plan installs: each must have been burnt in the store before
/// (profile P26), and is not to be installed if that was refused. A counter mode would repeat IVs,
/// and receivers would take repeated sequence numbers for replays. Neither holds of a shared SA,
/// which is left out: `check` admits CBC only, whose IVs are unpredictable, and without a window no
/// receiver looks at sequence numbers. An SA of one sender is named whatever its suite.
[[nodiscard]] std::vector<std::uint32_t> new_outbound_spis(const std::vector<Stage>& stages);

}  // namespace gkmpd::xfrm
