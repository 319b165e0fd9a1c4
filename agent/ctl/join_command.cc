#include "agent/ctl/join_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "agent/ctl/follow.h"
#include "agent/ctl/output.h"
#include "agent/ctl/subcommand.h"
#include "agent/ctl/udp_link.h"
#include "agent/daemon/log.h"

namespace gkmpd::ctl {
namespace {

using daemon::Json;

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

int join(const Wish& wish, const std::string& socket) {
  auto controller = read_endpoint(wish.controller);
  if (!controller) return fail_with(wish.json, controller.error());
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
  if (!wish.wait_s) return finish(wish, group, /*waited=*/false);
  auto last = follow_group(*client, group, *wish.wait_s, wish.json, verdict_on_join);
  if (!last) return fail_with(wish.json, last.error());
  return finish(wish, *last, /*waited=*/true);
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
