#include "agent/daemon/views.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/daemon/config.h"
#include "agent/identity/token.h"

namespace gkmpd::daemon {
namespace {

Json member_json(const protocol::MemberView& member) {
  return Json{{"name", member.name},
              {"address", member.address ? Json(member.address->text()) : Json(nullptr)},
              {"state", protocol::to_text(member.state)},
              {"why", member.why}};
}

std::string_view family_text(IpFamily family) { return family == IpFamily::kV4 ? "IPv4" : "IPv6"; }

Json lacks_json(const std::vector<xfrm::KernelLack>& lacks) {
  Json out = Json::array();
  for (const auto& lack : lacks) {
    out.push_back({{"suite", identity::to_text(lack.suite)},
                   {"family", family_text(lack.family)},
                   {"only_esn", lack.only_esn},
                   {"remedy", lack.remedy}});
  }
  return out;
}

Json time_or_null(const std::optional<WallTime>& time) {
  return time ? Json(time_text(*time)) : Json(nullptr);
}

}  // namespace

std::string time_text(WallTime time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(static_cast<std::time_t>(time.time_since_epoch().count())));
}

Json to_json(const SaView& sa) {
  const xfrm::SaUsage& usage = sa.usage;
  return Json{{"group", sa.group},
              {"direction", usage.outbound() ? "out" : "in"},
              {"spi", fmt::format("0x{:08x}", usage.id.spi_or_index)},
              {"source", usage.source.text()},
              {"destination", usage.id.destination.text()},
              {"sender", sa.sender},
              {"epoch", sa.epoch},
              {"current", sa.current},
              {"suite", identity::to_text(usage.suite)},
              {"age_s", sa.age_s},
              {"used", usage.used_at_s != 0},
              {"packets", usage.packets},
              {"octets", usage.octets},
              {"replayed", usage.replayed},
              {"behind_window", usage.behind_window},
              {"forged", usage.forged}};
}

Json to_json(const SenderView& sender) {
  return Json{{"name", sender.name},         {"address", sender.address.text()},
              {"packets", sender.packets},   {"octets", sender.octets},
              {"replayed", sender.replayed}, {"behind_window", sender.behind_window},
              {"forged", sender.forged}};
}

std::string lacks_text(const std::vector<xfrm::KernelLack>& lacks) {
  // What lacks for one reason stands together, in the order of first appearance; first the families
  // of a suite, then the suites.
  using Named = std::pair<std::string, std::string>;
  const auto gather = [](const std::vector<std::pair<Named, std::string>>& items) {
    std::vector<std::pair<Named, std::vector<std::string>>> out;
    for (const auto& [key, item] : items) {
      auto found = std::ranges::find(out, key, [](const auto& entry) { return entry.first; });
      if (found == out.end()) found = out.insert(found, {key, {}});
      found->second.push_back(item);
    }
    return out;
  };
  std::vector<std::pair<Named, std::string>> families;
  for (const auto& lack : lacks) {
    families.push_back({{lack.remedy, fmt::format("{}{}", identity::to_text(lack.suite),
                                                  lack.only_esn ? " with esn" : "")},
                        std::string(family_text(lack.family))});
  }
  std::vector<std::pair<Named, std::string>> suites;
  for (const auto& [key, over] : gather(families)) {
    suites.push_back({{key.first, fmt::format("{}", fmt::join(over, " and "))}, key.second});
  }
  std::vector<std::string> causes;
  for (const auto& [key, names] : gather(suites)) {
    causes.push_back(fmt::format("{} over {}: {}", fmt::join(names, ", "), key.second, key.first));
  }
  return fmt::format("{}", fmt::join(causes, "; "));
}

Json to_json(const protocol::GroupView& group) {
  Json members = Json::array();
  for (const auto& member : group.members) members.push_back(member_json(member));
  return Json{{"name", group.name},
              {"id", to_hex(group.id)},
              {"role", protocol::to_text(group.role)},
              {"state", protocol::to_text(group.state)},
              {"why", group.why},
              {"controller", group.controller},
              {"controller_address",
               group.controller_address ? Json(group.controller_address->text()) : Json(nullptr)},
              {"tuple", group.tuple ? Json(group.tuple->text()) : Json(nullptr)},
              {"epoch_id", group.epoch_id ? Json(to_hex(*group.epoch_id)) : Json(nullptr)},
              {"data_address", group.data_address.text()},
              {"data_port", group.data_port},
              {"control_multicast", group.control_multicast.text()},
              {"not_after", group.tuple ? Json(time_text(group.not_after)) : Json(nullptr)},
              {"rekey_at", time_or_null(group.rekey_at)},
              {"sending", group.sending},
              {"installed", group.installed},
              {"install_error", group.install_error},
              {"outbound_burnt", group.outbound_burnt},
              {"rekey_ordered", group.rekey_ordered},
              {"rekey_error", group.rekey_error},
              {"members", std::move(members)}};
}

Json summary_json(const protocol::GroupView& group) {
  std::size_t keyed = 0;
  std::size_t failed = 0;
  for (const auto& member : group.members) {
    keyed += member.state == protocol::MemberState::kKeyed ? 1 : 0;
    failed += member.state == protocol::MemberState::kFailed ? 1 : 0;
  }
  return Json{{"name", group.name},
              {"id", to_hex(group.id)},
              {"role", protocol::to_text(group.role)},
              {"state", protocol::to_text(group.state)},
              {"controller", group.controller},
              {"data_address", group.data_address.text()},
              {"data_port", group.data_port},
              {"installed", group.installed},
              {"sending", group.sending},
              {"members", group.members.size()},
              {"keyed", keyed},
              {"failed", failed}};
}

Json to_json(const protocol::Report& report) {
  return Json{{"level", to_text(report.level)},
              {"what", report.what},
              {"group", report.group},
              {"peer", report.peer},
              {"detail", report.detail}};
}

Json to_json(const Status& status) {
  Json groups = Json::array();
  for (const auto& group : status.groups) groups.push_back(summary_json(group));
  Json counters = Json::object();
  for (const auto& [name, count] : status.counters) counters[name] = count;
  const auto age = status.crl_this_update && *status.crl_this_update < status.now
                       ? (status.now - *status.crl_this_update).count()
                       : 0;
  return Json{{"version", status.version},
              {"host", status.host},
              {"control", status.control},
              {"interface", status.interface},
              {"certificate",
               {{"serial", status.certificate_serial},
                {"not_after", time_text(status.certificate_not_after)}}},
              {"crl",
               {{"number", status.crl_number ? Json(*status.crl_number) : Json(nullptr)},
                {"this_update", time_or_null(status.crl_this_update)},
                {"next_update", time_or_null(status.crl_next_update)},
                {"age_s", age},
                {"entries", status.crl_entries}}},
              {"time", time_text(status.now)},
              {"clock_trusted", status.clock_trusted},
              {"uptime_s", status.uptime_s},
              {"kernel",
               {{"sas", status.kernel_sas},
                {"policies", status.kernel_policies},
                {"recorded", status.kernel_recorded},
                {"error", status.kernel_error},
                {"lacks", lacks_json(status.kernel_lacks)},
                {"hides_keys", status.kernel_hides_keys}}},
              {"groups", std::move(groups)},
              {"counters", std::move(counters)}};
}

}  // namespace gkmpd::daemon
