#include "agent/ctl/output.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "agent/ctl/client.h"
#include "agent/ctl/progress.h"
#include "agent/daemon/log.h"

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

void show_accepted(const Json& group) {
  print(fmt::format("{}: accepted, {} members listed\n", daemon::escaped(text_at(group, "name")),
                    group.value("members", Json::array()).size()));
  for (const auto& line : progress_lines(Json(), group)) print(line + "\n");
}

int finish_create(bool json, const Json& group, bool waited) {
  const bool complete = verdict_on(group) == Verdict::kDone;
  const auto missing = reasons(group);
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
