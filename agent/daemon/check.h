// `gkmpd --check`: is everything there, and what would the agent do?
#pragma once

#include <string>
#include <vector>

#include "agent/daemon/config.h"

namespace gkmpd::daemon {

/// One thing looked at.
struct Finding {
  bool good = true;
  std::string subject;  // "certificate", "interface", ...
  std::string text;     // what was found, or what is wrong and what to do
};

/// Looks at files, chain, revocation list, interface, address, store and socket without changing
/// any of them; everything is looked at even if something is wrong.
[[nodiscard]] std::vector<Finding> check_config(const Config& config, WallTime now);

/// What came of asking the kernel (`xfrm::find_lacks`): wrong if it could not be asked, or offers
/// nothing at all; what it lacks else is for those to know who write tokens.
[[nodiscard]] Finding kernel_finding(const Result<std::vector<xfrm::KernelLack>>& lacks);

/// What the agent would do with this configuration, in sentences, one a line.
[[nodiscard]] std::string explain(const Config& config);

/// A line for each finding: "ok  subject: text" or "BAD subject: text".
[[nodiscard]] std::string findings_text(const std::vector<Finding>& findings);
[[nodiscard]] bool all_good(const std::vector<Finding>& findings);

}  // namespace gkmpd::daemon
