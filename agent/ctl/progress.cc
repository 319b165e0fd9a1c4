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
  return lines;
}

Verdict verdict_on(const Json& group) {
  if (text_at(group, "state") == kFailedState) return Verdict::kFailed;
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

std::vector<std::string> reasons(const Json& group) {
  std::vector<std::string> out;
  if (text_at(group, "state") == kFailedState)
    out.push_back(with_why("the group failed", group, "why"));
  for (const auto& member : members_of(group)) {
    const std::string state = text_at(member, "state");
    if (state == kKeyed) continue;
    out.push_back(with_why(
        fmt::format("{} is not keyed ({})", escaped(text_at(member, "name")), escaped(state)),
        member, "why"));
  }
  if (!is_true(group, "installed")) {
    out.push_back(
        with_why(whose(group) + "'s kernel does not hold the group", group, "install_error"));
  }
  return out;
}

}  // namespace gkmpd::ctl
