// `gkmpctl join`: this host asks a controller to be keyed for a group.
#pragma once

#include <memory>
#include <string>

namespace CLI {
class App;
}

namespace gkmpd::ctl {

/// Adds `join` to `app`, as add_order_commands does its own.
void add_join_command(CLI::App& app, int& exit_code,
                      const std::shared_ptr<const std::string>& socket);

}  // namespace gkmpd::ctl
