#include "agent/ctl/subcommand.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "agent/ctl/client.h"
#include "agent/ctl/output.h"

namespace gkmpd::ctl {

void run_at_end(CLI::App& app, int& exit_code, bool& json, std::function<int()> command) {
  app.add_flag("--json", json, "machine-readable output (docs/OPERATING.md)");
  app.callback([&exit_code, &json, command = std::move(command)] {
    try {
      exit_code = command();
    } catch (const daemon::Json::exception& error) {
      exit_code = fail_with(json, {kBadReply, error.what()});
    }
  });
}

}  // namespace gkmpd::ctl
