// Waiting for what becomes of a group at the agent of this host.
#pragma once

#include <functional>

#include "agent/ctl/client.h"
#include "agent/ctl/progress.h"

namespace gkmpd::ctl {

/// Watches the group of the view `group` until `verdict` has ended or `wait_s` seconds have passed,
/// and tells what is new, unless as `json`. The last view; or what Client fails with.
[[nodiscard]] Result<daemon::Json> follow_group(
    Client& client, daemon::Json group, unsigned wait_s, bool json,
    const std::function<Verdict(const daemon::Json&)>& verdict);

}  // namespace gkmpd::ctl
