#include "agent/ctl/agent_commands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "agent/ctl/client.h"
#include "agent/ctl/network_create.h"
#include "agent/ctl/output.h"
#include "agent/ctl/progress.h"
#include "agent/ctl/render.h"
#include "agent/daemon/config.h"
#include "agent/daemon/files.h"
#include "agent/daemon/log.h"
#include "agent/identity/token.h"

namespace gkmpd::ctl {
namespace {

using daemon::Json;

struct Options {
  std::string socket{daemon::kDefaultSocket};
  bool json = false;
  std::string group;
  NetworkOrder order;
};

bool is_ok(const Json& reply) {
  const auto found = reply.find("ok");
  return found != reply.end() && found->is_boolean() && found->get<bool>();
}

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

/// Follows the group until its creation has ended or time is up.
int wait_for(const Options& options, Client& client, Json group) {
  const Deadline deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(*options.order.wait_s);
  auto sent = client.send(daemon::WatchRequest{text_at(group, "name")});
  if (!sent) return fail_with(options.json, sent.error());
  while (verdict_on(group) == Verdict::kGoing) {
    auto line = client.read(deadline);
    if (!line) return fail_with(options.json, line.error());
    if (!*line) break;
    const auto news = (*line)->find("group");
    if (news == (*line)->end()) continue;
    if (!options.json) {
      for (const auto& text : progress_lines(group, *news)) print(text + "\n");
    }
    group = *news;
  }
  return finish_create(options.json, group, /*waited=*/true);
}

int create(const Options& options) {
  if (!options.order.controller.empty()) {
    NetworkOrder order = options.order;
    order.json = options.json;
    return create_over_network(order);
  }
  auto token = daemon::read_text_file(options.order.token_file, identity::kMaxTokenSize);
  if (!token) return fail_with(options.json, token.error());
  auto members = daemon::read_text_file(options.order.members_file, daemon::kMaxMemberListSize);
  if (!members) return fail_with(options.json, members.error());
  auto client = Client::connect(options.socket);
  if (!client) return fail_with(options.json, client.error());
  auto reply =
      client->ask(daemon::CreateGroupRequest{to_bytes(as_bytes(*token)), *std::move(members)});
  if (!reply) return fail_with(options.json, reply.error());
  if (!is_ok(*reply))
    return print_refusal(options.json, text_at(*reply, "error"), text_at(*reply, "detail"));
  const Json group = reply->value("group", Json());
  if (!options.json) {
    show_accepted(group);
  }
  if (!options.order.wait_s) return finish_create(options.json, group, /*waited=*/false);
  return wait_for(options, *client, group);
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

/// Runs `command` at the end of the parse. What JSON of an unexpected shape throws ends here.
void run_as(CLI::App* app, int& exit_code, const std::shared_ptr<Options>& options,
            int (*command)(const Options&)) {
  app->add_flag("--json", options->json, "machine-readable output (docs/OPERATING.md)");
  app->callback([&exit_code, options, command] {
    try {
      exit_code = command(*options);
    } catch (const Json::exception& error) {
      exit_code = fail_with(options->json, {kBadReply, error.what()});
    }
  });
}

void add_create_options(CLI::App& create, NetworkOrder& order) {
  create.add_option("token", order.token_file, "signed group token")->required();
  create.add_option("--members", order.members_file, "member list")->required();
  create.add_option("--wait", order.wait_s, "wait so many seconds until all members are keyed");
  CLI::Option* controller =
      create.add_option("--controller", order.controller,
                        "order over the network: the controller's address, with or without :PORT");
  // All or none: an order over the network is signed, and its receiver checked.
  for (CLI::Option* option :
       {create.add_option("--cert", order.certificate, "the commander's certificate"),
        create.add_option("--key", order.key, "the commander's private key"),
        create.add_option("--anchor", order.anchor, "certificate of the security manager"),
        create.add_option("--crl", order.crl, "its revocation list")}) {
    controller->needs(option);
    option->needs(controller);
  }
  create.add_option("--address", order.own_address, "send from this address of this host")
      ->needs(controller);
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

  CLI::App* group = app.add_subcommand("group", "create and look at groups");
  group->require_subcommand(1)->fallthrough();
  CLI::App* create_app = group->add_subcommand("create", "create a group from a signed token");
  create_app->fallthrough();
  add_create_options(*create_app, options->order);
  run_as(create_app, exit_code, options, create);

  CLI::App* list_app = group->add_subcommand("list", "groups of this host")->fallthrough();
  run_as(list_app, exit_code, options, list);
  CLI::App* show_app = group->add_subcommand("show", "one group and its members")->fallthrough();
  show_app->add_option("name", options->group, "group name")->required();
  run_as(show_app, exit_code, options, show);

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
