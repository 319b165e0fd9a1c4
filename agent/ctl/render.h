// The agent's JSON as aligned text for people. Everything printed is escaped: it cannot steer a
// terminal.
#pragma once

#include <string>
#include <vector>

#include "agent/daemon/views.h"

namespace gkmpd::ctl {

/// Columns as wide as their widest cell, two spaces between them, no spaces at line ends.
[[nodiscard]] std::string table(const std::vector<std::vector<std::string>>& rows);

[[nodiscard]] std::string group_list_text(const daemon::Json& groups);
[[nodiscard]] std::string group_text(const daemon::Json& group);
[[nodiscard]] std::string sas_text(const daemon::Json& sas);
[[nodiscard]] std::string status_text(const daemon::Json& status);
/// A line of the log, as the agent writes it.
[[nodiscard]] std::string report_text(const daemon::Json& report);

}  // namespace gkmpd::ctl
