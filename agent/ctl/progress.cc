#include "agent/ctl/progress.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "agent/daemon/log.h"

namespace gkmpd::ctl {
namespace {

using daemon::escaped;
using daemon::Json;

// States as the agent writes them.
constexpr std::string_view kKeyed = "keyed";
constexpr std::string_view kFailedState = "failed";
constexpr std::string_view kExpiredState = "expired";
constexpr std::string_view kActiveState = "active";
constexpr std::string_view kPendingState = "pending";
constexpr std::string_view kSilence = "protocol.timeout";

bool is_true(const Json& object, const std::string& key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

const Json& members_of(const Json& group) {
  static const Json none = Json::array();
  if (!group.is_object()) return none;
  const auto found = group.find("members");
  return found != group.end() && found->is_array() ? *found : none;
}

std::string state_of(const Json& group, const std::string& member) {
  for (const auto& each : members_of(group)) {
    if (text_at(each, "name") == member) return text_at(each, "state");
  }
  return {};
}

/// Whose kernel and sending a view tells of. A commander's view of a controller elsewhere has its
/// address; a host's view of itself has none (docs/OPERATING.md, "JSON").
std::string whose(const Json& group) {
  const bool elsewhere =
      text_at(group, "role") == "controller" && !text_at(group, "controller_address").empty();
  return elsewhere ? "the controller" : "this host";
}

std::string with_why(std::string text, const Json& object, const std::string& key) {
  const std::string why = text_at(object, key);
  if (!why.empty()) text += ": " + escaped(why);
  return text;
}

void add_rekey_lines(const Json& before, const Json& now, std::vector<std::string>& lines) {
  const std::string group = escaped(text_at(now, "name"));
  if (is_true(now, "rekey_ordered") && !is_true(before, "rekey_ordered")) {
    lines.push_back(fmt::format("{}: to be rekeyed", group));
  }
  const std::string tuple = text_at(now, "tuple");
  const std::string tuple_before = text_at(before, "tuple");
  if (!tuple.empty() && !tuple_before.empty() && tuple != tuple_before) {
    lines.push_back(fmt::format("{}: epoch {}", group, escaped(tuple)));
  }
  const std::string error = text_at(now, "rekey_error");
  if (!error.empty() && error != text_at(before, "rekey_error")) {
    lines.push_back(fmt::format("{}: not rekeyed: {}", group, escaped(error)));
  }
}

Verdict verdict_on_creation(const Json& group) {
  bool on_the_way = false;
  bool refused = false;
  bool all_keyed = true;
  for (const auto& member : members_of(group)) {
    const std::string state = text_at(member, "state");
    if (state == kKeyed) continue;
    all_keyed = false;
    if (state == kFailedState) {
      refused |= !text_at(member, "why").starts_with(kSilence);
    } else {
      on_the_way = true;
    }
  }
  if (all_keyed && is_true(group, "installed")) return Verdict::kDone;
  if (all_keyed && !text_at(group, "install_error").empty()) return Verdict::kFailed;
  return refused && !on_the_way ? Verdict::kFailed : Verdict::kGoing;
}

Verdict verdict_on_rekey(const Json& group) {
  if (text_at(group, "state") == kExpiredState) return Verdict::kFailed;
  if (is_true(group, "rekey_ordered")) return Verdict::kGoing;
  if (is_true(group, "installed")) return Verdict::kDone;
  return text_at(group, "install_error").empty() ? Verdict::kGoing : Verdict::kFailed;
}

void add_members_missing(const Json& group, std::vector<std::string>& out) {
  for (const auto& member : members_of(group)) {
    const std::string state = text_at(member, "state");
    if (state == kKeyed) continue;
    out.push_back(with_why(
        fmt::format("{} is not keyed ({})", escaped(text_at(member, "name")), escaped(state)),
        member, "why"));
  }
}

}  // namespace

std::string text_at(const Json& object, const std::string& key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::vector<std::string> progress_lines(const Json& before, const Json& now) {
  std::vector<std::string> lines;
  const std::string group = escaped(text_at(now, "name"));
  const auto& members = members_of(now);
  std::size_t keyed = 0;
  for (const auto& member : members) keyed += text_at(member, "state") == kKeyed ? 1 : 0;
  for (const auto& member : members) {
    const std::string name = text_at(member, "name");
    const std::string state = text_at(member, "state");
    if (state == state_of(before, name)) continue;
    std::string line = fmt::format("{}: {} {}", group, escaped(name), escaped(state));
    if (state == kKeyed) line += fmt::format(" ({} of {})", keyed, members.size());
    lines.push_back(with_why(std::move(line), member, "why"));
  }
  if (text_at(now, "state") != text_at(before, "state")) {
    lines.push_back(
        with_why(fmt::format("{}: {}", group, escaped(text_at(now, "state"))), now, "why"));
  }
  const bool installed = is_true(now, "installed");
  if (installed && !is_true(before, "installed")) {
    lines.push_back(fmt::format("{}: installed in {}'s kernel", group, whose(now)));
  }
  const std::string error = text_at(now, "install_error");
  if (!error.empty() && error != text_at(before, "install_error")) {
    lines.push_back(fmt::format("{}: not installed: {}", group, escaped(error)));
  }
  if (is_true(now, "sending") && !is_true(before, "sending")) {
    lines.push_back(fmt::format("{}: {} sends under the group's key", group, whose(now)));
  }
  add_rekey_lines(before, now, lines);
  return lines;
}

Verdict verdict_on(identity::CommandAction action, const Json& group) {
  if (text_at(group, "state") == kFailedState) return Verdict::kFailed;
  switch (action) {
    case identity::CommandAction::kCreate:
      return verdict_on_creation(group);
    case identity::CommandAction::kRekey:
      return verdict_on_rekey(group);
  }
  return Verdict::kFailed;
}

Verdict verdict_on_join(const Json& group) {
  const std::string state = text_at(group, "state");
  if (state == kFailedState) return Verdict::kFailed;
  if (state != kActiveState && state != kPendingState) return Verdict::kGoing;
  if (is_true(group, "installed")) return Verdict::kDone;
  return text_at(group, "install_error").empty() ? Verdict::kGoing : Verdict::kFailed;
}

std::vector<std::string> reasons(identity::CommandAction action, const Json& group) {
  std::vector<std::string> out;
  const std::string state = text_at(group, "state");
  if (state == kFailedState) out.push_back(with_why("the group failed", group, "why"));
  switch (action) {
    case identity::CommandAction::kCreate:
      add_members_missing(group, out);
      break;
    case identity::CommandAction::kRekey:
      if (state == kExpiredState) out.push_back("the time of the group's keys is over");
      if (is_true(group, "rekey_ordered")) {
        out.push_back(with_why("the new epoch is not there yet", group, "rekey_error"));
      }
      break;
  }
  if (!is_true(group, "installed")) {
    out.push_back(
        with_why(whose(group) + "'s kernel does not hold the group", group, "install_error"));
  }
  return out;
}

}  // namespace gkmpd::ctl
