// The subcommands of gkmpctl that talk to a running agent: group, status, watch.
#pragma once

namespace CLI {
class App;
}

namespace gkmpd::ctl {

/// Adds `group create | rekey | list | show`, `join`, `sa`, `status` and `watch`, and the option
/// `--socket` that they share. They run as callbacks of the parse and leave in `exit_code`: 0 done,
/// 1 refused or failed, 3 agent not reachable. `exit_code` outlives `app`.
void add_agent_commands(CLI::App& app, int& exit_code);

}  // namespace gkmpd::ctl
