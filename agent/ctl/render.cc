#include "agent/ctl/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/ctl/progress.h"
#include "agent/daemon/config.h"
#include "agent/daemon/log.h"

namespace gkmpd::ctl {
namespace {

using daemon::escaped;
using daemon::Json;
using Row = std::vector<std::string>;

/// Any value as one escaped word or text; "-" for what is not there.
std::string cell(const Json& object, const std::string& key) {
  if (!object.is_object()) return "-";
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return "-";
  if (found->is_boolean()) return found->get<bool>() ? "yes" : "no";
  if (found->is_string()) {
    const std::string text = escaped(found->get<std::string>());
    return text.empty() ? "-" : text;
  }
  return escaped(found->dump());
}

const Json& part(const Json& object, const std::string& key) {
  static const Json none = Json::object();
  if (!object.is_object()) return none;
  const auto found = object.find(key);
  return found == object.end() ? none : *found;
}

}  // namespace

std::string table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string group_list_text(const Json& groups) {
  if (groups.empty()) return "no groups\n";
  std::vector<Row> rows{{"NAME", "ROLE", "STATE", "KEYED", "DATA", "INSTALLED", "SENDING"}};
  for (const auto& group : groups) {
    const bool has_members = cell(group, "members") != "0";
    rows.push_back({cell(group, "name"), cell(group, "role"), cell(group, "state"),
                    has_members ? cell(group, "keyed") + "/" + cell(group, "members") : "-",
                    cell(group, "data_address") + ":" + cell(group, "data_port"),
                    cell(group, "installed"), cell(group, "sending")});
  }
  return table(rows);
}

namespace {

std::string senders_text(const Json& senders) {
  std::vector<Row> rows{{"SENDER", "ADDRESS", "PACKETS", "OCTETS", "REPLAYED", "BEHIND", "FORGED"}};
  for (const auto& sender : senders) {
    rows.push_back({cell(sender, "name"), cell(sender, "address"), cell(sender, "packets"),
                    cell(sender, "octets"), cell(sender, "replayed"), cell(sender, "behind_window"),
                    cell(sender, "forged")});
  }
  return table(rows);
}

}  // namespace

std::string group_text(const Json& group) {
  std::vector<Row> rows;
  const auto line = [&](const std::string& label, const std::string& key) {
    if (cell(group, key) != "-") rows.push_back({label, cell(group, key)});
  };
  line("group", "name");
  line("id", "id");
  line("role", "role");
  line("state", "state");
  line("why", "why");
  line("controller", "controller");
  line("controller at", "controller_address");
  line("epoch", "tuple");
  line("epoch id", "epoch_id");
  line("data address", "data_address");
  line("data port", "data_port");
  line("control", "control_multicast");
  line("rekey at", "rekey_at");
  line("not after", "not_after");
  line("rekey at", "rekey_at");
  if (cell(group, "rekey_ordered") == "yes") line("rekey ordered", "rekey_ordered");
  line("rekey error", "rekey_error");
  line("installed", "installed");
  line("install error", "install_error");
  line("sending", "sending");
  std::string out = table(rows);
  const Json& senders = part(group, "senders");
  if (!senders.empty()) out += "\n" + senders_text(senders);
  const Json& members = part(group, "members");
  if (members.empty()) return out;
  std::vector<Row> listed{{"MEMBER", "ADDRESS", "STATE", "WHY"}};
  for (const auto& member : members) {
    listed.push_back({cell(member, "name"), cell(member, "address"), cell(member, "state"),
                      cell(member, "why")});
  }
  return out + "\n" + table(listed);
}

std::string sas_text(const Json& sas) {
  if (sas.empty()) return "no SAs\n";
  std::vector<Row> rows{{"GROUP", "DIR", "SPI", "SENDER", "SOURCE", "EPOCH", "AGE", "PACKETS",
                         "OCTETS", "REPLAYED", "BEHIND", "FORGED"}};
  for (const auto& sa : sas) {
    rows.push_back({cell(sa, "group"), cell(sa, "direction"), cell(sa, "spi"), cell(sa, "sender"),
                    cell(sa, "source"),
                    cell(sa, "epoch") + (cell(sa, "current") == "no" ? " (old)" : ""),
                    cell(sa, "age_s") + " s", cell(sa, "packets"), cell(sa, "octets"),
                    cell(sa, "replayed"), cell(sa, "behind_window"), cell(sa, "forged")});
  }
  return table(rows);
}

std::string status_text(const Json& status) {
  const Json& crl = part(status, "crl");
  const Json& kernel = part(status, "kernel");
  std::vector<Row> rows{
      {"gkmpd", cell(status, "version")},
      {"host", cell(status, "host")},
      {"control", cell(status, "control") + " on " + cell(status, "interface")},
      {"certificate", cell(part(status, "certificate"), "serial") + " until " +
                          cell(part(status, "certificate"), "not_after")},
      {"revocation list",
       fmt::format("number {}, {} s old, {} entries, next {}", cell(crl, "number"),
                   cell(crl, "age_s"), cell(crl, "entries"), cell(crl, "next_update"))},
      {"time",
       cell(status, "time") +
           (cell(status, "clock_trusted") == "no" ? " (the system's clock is behind)" : "")},
      {"up", cell(status, "uptime_s") + " s"},
      {"kernel", fmt::format("{} SAs, {} policies of {} recorded", cell(kernel, "sas"),
                             cell(kernel, "policies"), cell(kernel, "recorded"))},
  };
  if (cell(kernel, "error") != "-") rows.push_back({"kernel error", cell(kernel, "error")});
  if (cell(kernel, "hides_keys") == "yes") {
    rows.push_back({"kernel hides keys", "those of SAs that stand are not compared"});
  }
  for (const auto& lack : part(kernel, "lacks")) {
    rows.push_back({"kernel lacks",
                    cell(lack, "suite") + (cell(lack, "only_esn") == "yes" ? " with esn" : "") +
                        " over " + cell(lack, "family") + ": " + cell(lack, "remedy")});
  }
  std::string out = table(rows) + "\n" + group_list_text(part(status, "groups"));
  const Json& counters = part(status, "counters");
  if (counters.empty()) return out;
  std::vector<Row> counts{{"COUNTER", "TIMES"}};
  for (const auto& [name, count] : counters.items()) {
    counts.push_back({escaped(name), cell(counters, name)});
  }
  return out + "\n" + table(counts);
}

std::string report_text(const Json& report) {
  const auto level = daemon::log_level_from_text(text_at(report, "level"));
  return daemon::log_line({level ? *level : daemon::LogLevel::kInfo, text_at(report, "what"),
                           text_at(report, "group"), text_at(report, "peer"),
                           text_at(report, "detail")}) +
         "\n";
}

}  // namespace gkmpd::ctl
