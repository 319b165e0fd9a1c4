#include "agent/ctl/join_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "agent/ctl/client.h"
#include "agent/ctl/output.h"
#include "agent/ctl/progress.h"
#include "agent/ctl/subcommand.h"
#include "agent/ctl/udp_link.h"
#include "agent/daemon/log.h"

namespace gkmpd::ctl {
namespace {

using daemon::Json;

constexpr ErrorKind kBadController{"ctl.bad-address"};
constexpr ErrorKind kNotJoined{"ctl.not-joined"};

struct Wish {
  std::string group;
  std::string controller;
  std::optional<unsigned> wait_s;
  bool json = false;
};

int finish(const Wish& wish, const Json& group, bool waited) {
  if (!waited || verdict_on_join(group) == Verdict::kDone) {
    if (wish.json) print_json(group);
    return kExitDone;
  }
  const std::string why = text_at(group, "why");
  const std::string state = text_at(group, "state");
  return fail_with(wish.json,
                   {kNotJoined, fmt::format("{} is {}{}{}", wish.group, state,
                                            why.empty() ? "" : ": ", daemon::escaped(why))});
}

/// Follows the group until the host is keyed or refused, or time is up.
int wait_for(const Wish& wish, Client& client, Json group) {
  const Deadline deadline = std::chrono::steady_clock::now() + std::chrono::seconds(*wish.wait_s);
  if (auto sent = client.send(daemon::WatchRequest{wish.group}); !sent) {
    return fail_with(wish.json, sent.error());
  }
  while (verdict_on_join(group) == Verdict::kGoing) {
    auto line = client.read(deadline);
    if (!line) return fail_with(wish.json, line.error());
    if (!*line) break;
    const auto news = (*line)->find("group");
    if (news == (*line)->end()) continue;
    if (!wish.json) {
      for (const auto& text : progress_lines(group, *news)) print(text + "\n");
    }
    group = *news;
  }
  return finish(wish, group, /*waited=*/true);
}

int join(const Wish& wish, const std::string& socket) {
  const auto controller = parse_endpoint(wish.controller);
  if (!controller) {
    return fail_with(
        wish.json, {kBadController, wish.controller + " is no address: give one such as 10.9.0.1, "
                                                      "10.9.0.1:8480 or [fd09::1]:8480"});
  }
  auto client = Client::connect(socket);
  if (!client) return fail_with(wish.json, client.error());
  auto reply = client->ask(daemon::JoinGroupRequest{wish.group, *controller});
  if (!reply) return fail_with(wish.json, reply.error());
  if (!is_ok(*reply)) {
    return print_refusal(wish.json, text_at(*reply, "error"), text_at(*reply, "detail"));
  }
  const Json group = reply->value("group", Json());
  if (!wish.json) {
    print(fmt::format("{}: asking {} to be keyed\n", wish.group,
                      daemon::escaped(text_at(group, "controller_address"))));
  }
  if (wish.wait_s) return wait_for(wish, *client, group);
  return finish(wish, group, /*waited=*/false);
}

}  // namespace

void add_join_command(CLI::App& app, int& exit_code,
                      const std::shared_ptr<const std::string>& socket) {
  const auto wish = std::make_shared<Wish>();
  CLI::App* command =
      app.add_subcommand("join", "ask a controller to key this host for a group")->fallthrough();
  command->add_option("name", wish->group, "group name")->required();
  command
      ->add_option("--controller", wish->controller,
                   "the controller's address, with or without :PORT")
      ->required();
  command->add_option("--wait", wish->wait_s, "wait so many seconds until this host is keyed");
  run_at_end(*command, exit_code, wish->json, [wish, socket] { return join(*wish, *socket); });
}

}  // namespace gkmpd::ctl
