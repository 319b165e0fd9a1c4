#include "agent/daemon/views.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

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
              {"sending", group.sending},
              {"installed", group.installed},
              {"install_error", group.install_error},
              {"outbound_burnt", group.outbound_burnt},
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
                {"error", status.kernel_error}}},
              {"groups", std::move(groups)},
              {"counters", std::move(counters)}};
}

}  // namespace gkmpd::daemon
