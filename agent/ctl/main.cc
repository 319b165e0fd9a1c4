// gkmpctl: the operator's tool.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "agent/crypto/memory.h"
#include "agent/ctl/agent_commands.h"
#include "agent/ctl/pki_commands.h"

namespace {

constexpr int kUsage = 2;

}  // namespace

int main(int argc, char** argv) {
  // `pki` and `token` use private keys.
  if (const auto apart = gkmpd::crypto::keep_openssl_apart(); !apart) {
    std::fprintf(stderr, "gkmpctl: %s\n", apart.error().text().c_str());
  }
  int exit_code = 0;
  CLI::App app{"Group keys for IPsec multicast: operator's tool", "gkmpctl"};
  app.require_subcommand(1);
  gkmpd::ctl::add_pki_commands(app, exit_code);
  gkmpd::ctl::add_token_commands(app, exit_code);
  gkmpd::ctl::add_agent_commands(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Asking for help comes this way too, as success.
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  return exit_code;
}
