// What every subcommand of gkmpctl that takes --json has in common.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace gkmpd::ctl {

/// Adds --json, which sets `json`, and runs `command` at the end of the parse for its exit code.
/// What JSON of an unexpected shape throws ends here. `json`, which `command` keeps alive, and
/// `exit_code` outlive `app`.
void run_at_end(CLI::App& app, int& exit_code, bool& json, std::function<int()> command);

}  // namespace gkmpd::ctl
