// gkmpd: the agent's program.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <systemd/sd-daemon.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "agent/crypto/random.h"
#include "agent/daemon/agent.h"
#include "agent/daemon/check.h"
#include "agent/daemon/config.h"
#include "agent/daemon/log.h"
#include "agent/daemon/loop.h"
#include "agent/daemon/process.h"
#include "agent/daemon/version.h"
#include "xfrm/offer.h"

namespace gkmpd::daemon {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

using protocol::Report;

int check(const Config& config) {
  auto findings = check_config(config, wall_now());
  crypto::SystemRandom random;
  findings.push_back(kernel_finding(xfrm::find_lacks(random)));
  fmt::print("{}\n{}", findings_text(findings), explain(config));
  return all_good(findings) ? kDone : kFailed;
}

int give_up(const Log& log, std::string_view what, const Error& error) {
  log.write({Report::Level::kError, std::string(what), "", "", error.text()});
  return kFailed;
}

int serve(const Config& config, const Log& log) {
  harden_process(config.core_dumps, [&](const Report& report) { log.write(report); });
  // A peer of the control socket that goes away is an error of the write, not our end.
  ::signal(SIGPIPE, SIG_IGN);
  auto loop = Loop::make();
  if (!loop) return give_up(log, "start-failed", loop.error());
  const auto stop = [&] { loop->stop(kDone); };
  // Before anything is in the kernel: a signal that comes during the start stops us in order.
  auto terminate = loop->signal(SIGTERM, stop);
  auto interrupt = loop->signal(SIGINT, stop);
  if (!terminate) return give_up(log, "start-failed", terminate.error());
  if (!interrupt) return give_up(log, "start-failed", interrupt.error());
  loop->enable_watchdog();

  auto agent = Agent::start(config, log, *loop);
  if (!agent) return give_up(log, "start-failed", agent.error());
  log.write({Report::Level::kInfo, "started", "", "",
             fmt::format("gkmpd {}, host {}, {} on {}", kVersion, (*agent)->host_name(),
                         config.control_text(), config.interface)});
  sd_notify(0, "READY=1");
  auto code = loop->run();
  sd_notify(0, "STOPPING=1");
  const bool cleared = (*agent)->stop();
  if (!code) return give_up(log, "loop-failed", code.error());
  return cleared ? *code : kFailed;
}

/// For a host that shall have nothing of ours any more.
int remove(const Config& config) {
  auto removed = remove_from_kernel(config);
  if (!removed) {
    fmt::print(stderr, "gkmpd: {}\n", removed.error().text());
    return kFailed;
  }
  fmt::print("{} SAs and policies taken out of the kernel{}{}\n", removed->objects,
             removed->groups.empty() ? "" : "; the addresses of these groups are open now: ",
             fmt::join(removed->groups, ", "));
  return kDone;
}

int run(int argc, char** argv) {
  CLI::App app("Agent of the Group Key Management Protocol for IPsec multicast");
  app.set_version_flag("--version", std::string(kVersion));
  std::string file;
  bool check_only = false;
  app.add_option("--config", file, "configuration file (TOML)")->required();
  auto* check_flag =
      app.add_flag("--check", check_only, "look whether everything is in order, explain, and end");
  bool remove_all = false;
  app.add_flag("--remove", remove_all,
               "take all groups that an agent left at work out of the kernel, and end")
      ->excludes(check_flag);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  auto config = load_config(file);
  if (!config) {
    fmt::print(stderr, "gkmpd: {}\n", config.error().text());
    return kFailed;
  }
  if (check_only) return check(*config);
  if (remove_all) return remove(*config);
  return serve(*config, Log(config->log_level, Log::sink_of_process()));
}

}  // namespace
}  // namespace gkmpd::daemon

int main(int argc, char** argv) { return gkmpd::daemon::run(argc, argv); }
