#include "agent/ctl/agent_commands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "agent/ctl/client.h"
#include "agent/ctl/progress.h"
#include "agent/ctl/render.h"
#include "agent/daemon/config.h"
#include "agent/daemon/files.h"
#include "agent/daemon/log.h"
#include "agent/identity/token.h"

namespace gkmpd::ctl {
namespace {

using daemon::Json;

constexpr int kDone = 0;
constexpr int kRefused = 1;
constexpr int kNotReachable = 3;

struct Options {
  std::string socket{daemon::kDefaultSocket};
  bool json = false;
  std::string group;
  std::string token_file;
  std::string members_file;
  std::optional<unsigned> wait_s;
};

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  // Whoever follows through a pipe sees each line when it comes.
  std::fflush(stdout);
}

void print_json(const Json& json) {
  print(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

int fail_with(const Options& options, const Error& error) {
  if (options.json) {
    print_json(Json{{"ok", false}, {"error", error.name()}, {"detail", error.detail}});
  }
  fmt::print(stderr, "gkmpctl: {}\n", daemon::escaped(error.text()));
  return error.kind == kUnreachable ? kNotReachable : kRefused;
}

/// The agent's refusals are printed as they came.
int print_refusal(const Options& options, const Json& reply) {
  if (options.json) print_json(reply);
  const std::string detail = text_at(reply, "detail");
  fmt::print(stderr, "gkmpctl: {}{}{}\n", daemon::escaped(text_at(reply, "error")),
             detail.empty() ? "" : ": ", daemon::escaped(detail));
  return kRefused;
}

bool is_ok(const Json& reply) {
  const auto found = reply.find("ok");
  return found != reply.end() && found->is_boolean() && found->get<bool>();
}

/// Asks one question and prints the value under `key`.
template <typename Render>
int ask_and_print(const Options& options, const daemon::Request& request, const std::string& key,
                  Render render) {
  auto client = Client::connect(options.socket);
  if (!client) return fail_with(options, client.error());
  auto reply = client->ask(request);
  if (!reply) return fail_with(options, reply.error());
  if (!is_ok(*reply)) return print_refusal(options, *reply);
  const Json value = reply->value(key, Json());
  if (options.json) {
    print_json(value);
  } else {
    print(render(value));
  }
  return kDone;
}

int finish_create(const Options& options, const Json& group, bool waited) {
  const bool complete = verdict_on(group) == Verdict::kDone;
  const auto missing = reasons(group);
  if (options.json) {
    print_json(
        Json{{"accepted", true}, {"complete", complete}, {"reasons", missing}, {"group", group}});
  } else if (complete) {
    print(fmt::format("{}: complete\n", daemon::escaped(text_at(group, "name"))));
  } else if (waited) {
    for (const auto& reason : missing) fmt::print(stderr, "gkmpctl: {}\n", reason);
  }
  return waited && !complete ? kRefused : kDone;
}

/// Follows the group until its creation has ended or time is up.
int wait_for(const Options& options, Client& client, Json group) {
  const Deadline deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(*options.wait_s);
  auto sent = client.send(daemon::WatchRequest{text_at(group, "name")});
  if (!sent) return fail_with(options, sent.error());
  while (verdict_on(group) == Verdict::kGoing) {
    auto line = client.read(deadline);
    if (!line) return fail_with(options, line.error());
    if (!*line) break;
    const auto news = (*line)->find("group");
    if (news == (*line)->end()) continue;
    if (!options.json) {
      for (const auto& text : progress_lines(group, *news)) print(text + "\n");
    }
    group = *news;
  }
  return finish_create(options, group, /*waited=*/true);
}

int create(const Options& options) {
  auto token = daemon::read_text_file(options.token_file, identity::kMaxTokenSize);
  if (!token) return fail_with(options, token.error());
  auto members = daemon::read_text_file(options.members_file, daemon::kMaxMemberListSize);
  if (!members) return fail_with(options, members.error());
  auto client = Client::connect(options.socket);
  if (!client) return fail_with(options, client.error());
  auto reply =
      client->ask(daemon::CreateGroupRequest{to_bytes(as_bytes(*token)), *std::move(members)});
  if (!reply) return fail_with(options, reply.error());
  if (!is_ok(*reply)) return print_refusal(options, *reply);
  const Json group = reply->value("group", Json());
  if (!options.json) {
    print(fmt::format("{}: accepted, {} members listed\n", daemon::escaped(text_at(group, "name")),
                      group.value("members", Json::array()).size()));
    for (const auto& line : progress_lines(Json(), group)) print(line + "\n");
  }
  if (!options.wait_s) return finish_create(options, group, /*waited=*/false);
  return wait_for(options, *client, group);
}

/// Until the agent or the operator ends it.
int watch(const Options& options) {
  auto client = Client::connect(options.socket);
  if (!client) return fail_with(options, client.error());
  auto reply = client->ask(daemon::WatchRequest{options.group});
  if (!reply) return fail_with(options, reply.error());
  if (!is_ok(*reply)) return print_refusal(options, *reply);
  std::map<std::string, Json> seen;
  while (true) {
    auto line = client->read(std::nullopt);
    if (!line) return fail_with(options, line.error());
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
      exit_code = fail_with(*options, {kBadReply, error.what()});
    }
  });
}

int list(const Options& options) {
  return ask_and_print(options, daemon::ListGroupsRequest{}, "groups", group_list_text);
}
int show(const Options& options) {
  return ask_and_print(options, daemon::ShowGroupRequest{options.group}, "group", group_text);
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
  create_app->add_option("token", options->token_file, "signed group token")->required();
  create_app->add_option("--members", options->members_file, "member list")->required();
  create_app->add_option("--wait", options->wait_s,
                         "wait so many seconds until all members are keyed");
  run_as(create_app, exit_code, options, create);

  CLI::App* list_app = group->add_subcommand("list", "groups of this host")->fallthrough();
  run_as(list_app, exit_code, options, list);
  CLI::App* show_app = group->add_subcommand("show", "one group and its members")->fallthrough();
  show_app->add_option("name", options->group, "group name")->required();
  run_as(show_app, exit_code, options, show);

  CLI::App* status_app = app.add_subcommand("status", "state of the agent")->fallthrough();
  run_as(status_app, exit_code, options, status);
  CLI::App* watch_app = app.add_subcommand("watch", "follow what happens")->fallthrough();
  watch_app->add_option("name", options->group, "only this group");
  run_as(watch_app, exit_code, options, watch);
}

}  // namespace gkmpd::ctl
