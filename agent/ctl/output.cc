#include "agent/ctl/output.h"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/ctl/client.h"
#include "agent/ctl/progress.h"
#include "agent/daemon/log.h"
#include "agent/protocol/errors.h"

namespace gkmpd::ctl {

using daemon::Json;

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

void print_json(const Json& json) {
  print(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

int fail_with(bool json, const Error& error) {
  const int code = print_refusal(json, std::string(error.name()), error.detail);
  return error.kind == kUnreachable ? kExitNotReachable : code;
}

int print_refusal(bool json, const std::string& name, const std::string& detail) {
  if (json) print_json(Json{{"ok", false}, {"error", name}, {"detail", detail}});
  fmt::print(stderr, "gkmpctl: {}{}{}\n", daemon::escaped(name), detail.empty() ? "" : ": ",
             daemon::escaped(detail));
  return kExitRefused;
}

std::string with_remedy(std::string_view name, std::string detail) {
  constexpr std::array<std::pair<ErrorKind, std::string_view>, 6> kRemedies{{
      {protocol::kGroupExists, "to make it anew, restart the controller's agent first"},
      {protocol::kGroupNotLive,
       "give the order to the controller that has the group's keys, or create the group"},
      {protocol::kTokenNotInForce, "give the order with the token that the group was created from"},
      {protocol::kActionMissing,
       "sign a token of a higher version that allows it, and create the group again with that"},
      {protocol::kCommandExpired, "compare the clocks of both hosts"},
      {protocol::kCommandStale,
       "give the order again; compare the clocks of the commander's hosts"},
  }};
  for (const auto& [kind, remedy] : kRemedies) {
    if (kind.name() == name) detail += fmt::format("; {}", remedy);
  }
  return detail;
}

void show_accepted(identity::CommandAction action, const Json& group) {
  const std::string name = daemon::escaped(text_at(group, "name"));
  if (action != identity::CommandAction::kCreate) {
    return print(
        fmt::format("{}: accepted at epoch {}\n", name, daemon::escaped(text_at(group, "tuple"))));
  }
  print(fmt::format("{}: accepted, {} members listed\n", name,
                    group.value("members", Json::array()).size()));
  for (const auto& line : progress_lines(Json(), group)) print(line + "\n");
}

int finish_order(bool json, identity::CommandAction action, const Json& group, bool waited) {
  const bool complete = verdict_on(action, group) == Verdict::kDone;
  const auto missing = reasons(action, group);
  if (json) {
    print_json(
        Json{{"accepted", true}, {"complete", complete}, {"reasons", missing}, {"group", group}});
  } else if (complete) {
    print(fmt::format("{}: complete\n", daemon::escaped(text_at(group, "name"))));
  } else if (waited) {
    for (const auto& reason : missing) fmt::print(stderr, "gkmpctl: {}\n", reason);
  }
  return waited && !complete ? kExitRefused : kExitDone;
}

}  // namespace gkmpd::ctl
