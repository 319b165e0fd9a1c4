// The subcommands of `gkmpctl group` that order something: create, rekey.
#pragma once

#include <memory>
#include <string>

namespace CLI {
class App;
}

namespace gkmpd::ctl {

/// Adds `create` and `rekey` to `group`. They run as callbacks of the parse and leave in
/// `exit_code` what add_agent_commands says. `socket` is that of the agent of this host, once the
/// parse has come to its end.
void add_order_commands(CLI::App& group, int& exit_code,
                        const std::shared_ptr<const std::string>& socket);

}  // namespace gkmpd::ctl
