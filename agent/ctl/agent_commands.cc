#include "agent/ctl/agent_commands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "agent/ctl/client.h"
#include "agent/ctl/join_command.h"
#include "agent/ctl/order_commands.h"
#include "agent/ctl/output.h"
#include "agent/ctl/progress.h"
#include "agent/ctl/render.h"
#include "agent/ctl/subcommand.h"
#include "agent/daemon/config.h"
#include "agent/daemon/log.h"

namespace gkmpd::ctl {
namespace {

using daemon::Json;

struct Options {
  std::string socket{daemon::kDefaultSocket};
  bool json = false;
  std::string group;
};

/// Asks one question and prints the value under `key`.
template <typename Render>
int ask_and_print(const Options& options, const daemon::Request& request, const std::string& key,
                  Render render) {
  auto client = Client::connect(options.socket);
  if (!client) return fail_with(options.json, client.error());
  auto reply = client->ask(request);
  if (!reply) return fail_with(options.json, reply.error());
  if (!is_ok(*reply))
    return print_refusal(options.json, text_at(*reply, "error"), text_at(*reply, "detail"));
  const Json value = reply->value(key, Json());
  if (options.json) {
    print_json(value);
  } else {
    print(render(value));
  }
  return kExitDone;
}

/// Until the agent or the operator ends it.
int watch(const Options& options) {
  auto client = Client::connect(options.socket);
  if (!client) return fail_with(options.json, client.error());
  auto reply = client->ask(daemon::WatchRequest{options.group});
  if (!reply) return fail_with(options.json, reply.error());
  if (!is_ok(*reply))
    return print_refusal(options.json, text_at(*reply, "error"), text_at(*reply, "detail"));
  std::map<std::string, Json> seen;
  while (true) {
    auto line = client->read(std::nullopt);
    if (!line) return fail_with(options.json, line.error());
    const Json& news = **line;
    if (options.json) {
      print(news.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    } else if (const auto report = news.find("report"); report != news.end()) {
      print(report_text(*report));
    } else if (const auto group = news.find("group"); group != news.end()) {
      Json& before = seen[text_at(*group, "name")];
      for (const auto& text : progress_lines(before, *group)) print(text + "\n");
      before = *group;
    }
  }
}

/// Runs `command` with `options` at the end of the parse.
void run_as(CLI::App* app, int& exit_code, const std::shared_ptr<Options>& options,
            int (*command)(const Options&)) {
  run_at_end(*app, exit_code, options->json, [options, command] { return command(*options); });
}

int list(const Options& options) {
  return ask_and_print(options, daemon::ListGroupsRequest{}, "groups", group_list_text);
}
int show(const Options& options) {
  return ask_and_print(options, daemon::ShowGroupRequest{options.group}, "group", group_text);
}
int sas(const Options& options) {
  return ask_and_print(options, daemon::ListSasRequest{options.group}, "sas", sas_text);
}
int status(const Options& options) {
  return ask_and_print(options, daemon::StatusRequest{}, "status", status_text);
}

}  // namespace

void add_agent_commands(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  app.add_option("--socket", options->socket, "control socket of the agent")->capture_default_str();

  CLI::App* group = app.add_subcommand("group", "create, rekey and look at groups");
  group->require_subcommand(1)->fallthrough();
  add_order_commands(*group, exit_code, {options, &options->socket});

  CLI::App* list_app = group->add_subcommand("list", "groups of this host")->fallthrough();
  run_as(list_app, exit_code, options, list);
  CLI::App* show_app = group->add_subcommand("show", "one group and its members")->fallthrough();
  show_app->add_option("name", options->group, "group name")->required();
  run_as(show_app, exit_code, options, show);

  add_join_command(app, exit_code, {options, &options->socket});

  CLI::App* status_app = app.add_subcommand("status", "state of the agent")->fallthrough();
  run_as(status_app, exit_code, options, status);
  CLI::App* sa_app =
      app.add_subcommand("sa", "security associations in the kernel, with their counters")
          ->fallthrough();
  sa_app->add_option("name", options->group, "only of this group");
  run_as(sa_app, exit_code, options, sas);
  CLI::App* watch_app = app.add_subcommand("watch", "follow what happens")->fallthrough();
  watch_app->add_option("name", options->group, "only this group");
  run_as(watch_app, exit_code, options, watch);
}

}  // namespace gkmpd::ctl
