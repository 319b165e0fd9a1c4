// What has happened to a group between two looks at it, and whether its creation has ended.
#pragma once

#include <string>
#include <vector>

#include "agent/daemon/views.h"

namespace gkmpd::ctl {

/// The text under `key`, or "" if there is none.
[[nodiscard]] std::string text_at(const daemon::Json& object, const std::string& key);

/// One line for each member whose state differs ("demo: b keyed (2 of 3)"), for the group's own
/// state, and for its installation. `before` may be null: then everything is new.
[[nodiscard]] std::vector<std::string> progress_lines(const daemon::Json& before,
                                                      const daemon::Json& now);

enum class Verdict {
  kGoing,
  kDone,    // every listed member is keyed and this host's kernel has the group
  kFailed,  // and nothing will change that by itself
};

/// A member that did not answer is asked again by the agent, so silence alone is not the end; a
/// refusal is, once nobody is on the way any more.
[[nodiscard]] Verdict verdict_on(const daemon::Json& group);

/// What is missing: members that are not keyed with their cause, the group's own failure, the
/// kernel's. Empty if nothing is.
[[nodiscard]] std::vector<std::string> reasons(const daemon::Json& group);

}  // namespace gkmpd::ctl
