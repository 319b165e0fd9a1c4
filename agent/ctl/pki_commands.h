// gkmpctl pki and gkmpctl token: what needs no running agent.
#pragma once

#include <chrono>

#include "agent/base/error.h"
#include "agent/base/time.h"

namespace CLI {
class App;
}

namespace gkmpd::ctl {

/// Adds `pki init | csr | issue | revoke | crl | show`. They run as callbacks of the parse and
/// leave in `exit_code`: 0 done, 1 refused or failed. `exit_code` outlives `app`.
void add_pki_commands(CLI::App& app, int& exit_code);
/// Adds `token sign | show`, in the same way.
void add_token_commands(CLI::App& app, int& exit_code);

/// Prints "gkmpctl: error" to stderr if `result` failed. The exit code.
[[nodiscard]] int finish(const Result<void>& result);

[[nodiscard]] inline WallTime wall_clock() {
  return std::chrono::floor<seconds>(std::chrono::system_clock::now());
}

}  // namespace gkmpd::ctl
