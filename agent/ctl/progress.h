// What has happened to a group between two looks at it, and whether what was ordered has ended.
#pragma once

#include <string>
#include <vector>

#include "agent/daemon/views.h"
#include "agent/identity/command.h"

namespace gkmpd::ctl {

/// The text under `key`, or "" if there is none.
[[nodiscard]] std::string text_at(const daemon::Json& object, const std::string& key);

/// One line for each member whose state differs ("demo: b keyed (2 of 3)"), for the group's own
/// state, for its installation, and for a rekey. `before` may be null: then everything is new.
[[nodiscard]] std::vector<std::string> progress_lines(const daemon::Json& before,
                                                      const daemon::Json& now);

enum class Verdict {
  kGoing,
  kDone,    // what was ordered stands, and the controller's kernel has it
  kFailed,  // and nothing will change that by itself
};

/// Of a creation every listed member is to be keyed; of a rekey a new epoch is to be there. A
/// member that did not answer is asked again by the agent, and a rekey that failed is made again,
/// so those alone are not the end; a refusal is, once nobody is on the way any more.
[[nodiscard]] Verdict verdict_on(identity::CommandAction action, const daemon::Json& group);

/// Of a join: kDone once this host is keyed and its kernel has the group, kFailed once it is
/// refused.
[[nodiscard]] Verdict verdict_on_join(const daemon::Json& group);

/// What is missing of what was ordered: members that are not keyed, or the new epoch, with their
/// cause; the group's own failure; the kernel's. Empty if nothing is.
[[nodiscard]] std::vector<std::string> reasons(identity::CommandAction action,
                                               const daemon::Json& group);

}  // namespace gkmpd::ctl
