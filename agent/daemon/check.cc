#include "agent/daemon/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent/daemon/credentials.h"
#include "agent/daemon/startup.h"
#include "agent/daemon/views.h"
#include "netlink/links.h"

namespace gkmpd::daemon {
namespace {

std::string permissions_text(const identity::Permissions& permissions) {
  std::vector<std::string_view> roles;
  for (const auto role : permissions.roles) roles.push_back(identity::to_text(role));
  return fmt::format("level {}, categories [{}], roles [{}], controls [{}]", permissions.level,
                     fmt::join(permissions.categories, ", "), fmt::join(roles, ", "),
                     fmt::join(permissions.groups, ", "));
}

void check_identity(const Config& config, WallTime now, std::vector<Finding>& out) {
  auto credentials = load_credentials(config);
  if (!credentials) {
    return out.push_back({false, "credentials", credentials.error().text()});
  }
  out.push_back({true, "credentials",
                 "certificate, key, anchor and revocation list are readable, "
                 "and the key is the certificate's"});
  const crypto::Crl& crl = credentials->crl;
  auto taken = take_crls(credentials->trust, std::nullopt, crl, now);
  if (!taken) return out.push_back({false, "revocation list", taken.error().text()});
  const bool expired = crl.next_update() && *crl.next_update() < now;
  out.push_back({true, "revocation list",
                 fmt::format("number {}, of {}, {} entries{}", crl.number(),
                             time_text(crl.this_update()), crl.entry_count(),
                             expired ? "; its next update is overdue, it still serves" : "")});
  auto host =
      credentials->trust.check_host(credentials->certificate, credentials->intermediates, now);
  if (!host) return out.push_back({false, "certificate", host.error().text()});
  out.push_back(
      {true, "certificate",
       fmt::format("host {}, {}, until {}", host->name, permissions_text(host->permissions),
                   time_text(host->certificate.not_after()))});
}

std::string addresses_text(const Config& config) {
  std::vector<std::string> texts;
  for (const IpAddress& ip : config.addresses) texts.push_back(ip.text());
  return fmt::format("{}", fmt::join(texts, " and "));
}

void check_network(const Config& config, std::vector<Finding>& out) {
  auto interface = check_interface(config);
  if (!interface) return out.push_back({false, "interface", interface.error().text()});
  out.push_back({true, "interface",
                 fmt::format("{} is up and has {}", config.interface, addresses_text(config))});
}

std::string settings_text(const GroupSettings& settings) {
  std::vector<std::string> words;
  if (!settings.interface.empty()) words.push_back("interface " + settings.interface);
  if (settings.if_id != 0) words.push_back(fmt::format("if_id {}", settings.if_id));
  if (settings.mark_mask != 0) {
    words.push_back(fmt::format("mark 0x{:x}/0x{:x}", settings.mark, settings.mark_mask));
  }
  return words.empty() ? "nothing" : fmt::format("{}", fmt::join(words, ", "));
}

/// An interface may come later: the agent waits for it.
void check_groups(const Config& config, std::vector<Finding>& out) {
  for (const auto& [name, settings] : config.groups) {
    const Attached attached = attach(config.groups, name, xfrm::IpsecMode::kTunnel);
    // One that is missing may come; one that is of another kind is a mistake.
    const bool good = attached.found || !netlink::find_link(settings.interface);
    out.push_back({good, "group " + name,
                   attached.found ? "is bound to " + settings_text(settings)
                                  : attached.found.error().text()});
  }
}

/// The agent makes files there, but not directories: a directory that is missing may be a disk that
/// is not mounted.
void check_directory(std::string_view subject, const std::filesystem::path& file,
                     std::vector<Finding>& out) {
  const auto parent = file.parent_path().empty() ? std::filesystem::path(".") : file.parent_path();
  if (::access(parent.c_str(), W_OK | X_OK) == 0) {
    return out.push_back({true, std::string(subject), file.string()});
  }
  out.push_back({false, std::string(subject),
                 fmt::format("{}: the directory cannot be written to: {}", file.string(),
                             std::strerror(errno))});
}

std::string prefixes_text(const std::vector<identity::LocalLimits::Prefix>& prefixes) {
  if (prefixes.empty()) return "any address";
  std::vector<std::string> texts;
  for (const auto& prefix : prefixes) {
    texts.push_back(fmt::format("{}/{}", prefix.address.text(), prefix.length));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string names_text(const std::vector<std::string>& names) {
  return names.empty() ? "any" : fmt::format("{}", fmt::join(names, ", "));
}

template <typename Number>
std::string numbers_text(const std::vector<Number>& numbers) {
  return numbers.empty() ? "any" : fmt::format("{}", fmt::join(numbers, ", "));
}

std::string suites_text(const std::vector<xfrm::EspSuite>& suites) {
  std::vector<std::string> names;
  for (const auto suite : suites) names.emplace_back(identity::to_text(suite));
  return names_text(names);
}

}  // namespace

std::vector<Finding> check_config(const Config& config, WallTime now) {
  std::vector<Finding> out;
  check_identity(config, now, out);
  check_network(config, out);
  check_groups(config, out);
  check_directory("store", config.store, out);
  check_directory("control socket", config.socket, out);
  return out;
}

Finding kernel_finding(const Result<std::vector<xfrm::KernelLack>>& lacks) {
  if (!lacks) return {false, "kernel", lacks.error().text()};
  if (lacks->empty()) return {true, "kernel", "offers every suite over IPv4 and IPv6"};
  const auto entirely = std::ranges::count(*lacks, false, &xfrm::KernelLack::only_esn);
  const bool offers_any = static_cast<std::size_t>(entirely) < 2 * xfrm::kEspSuites.size();
  return {offers_any, "kernel", "lacks " + lacks_text(*lacks)};
}

std::string explain(const Config& config) {
  return fmt::format(
      "The agent would speak GKMP at {} (UDP) on {}, for unicast and for the control addresses of\n"
      "its groups, and send groups' data from {}.\n"
      "It would accept tokens for groups: {}; of controllers: {}; with data addresses in: {};\n"
      "control addresses in: {}; data protocols: {}; ports: {}; suites: {}; rekey intervals up to "
      "{} s.\n"
      "It would keep its state in {} and take commands at {}.\n"
      "It knows the addresses of {} hosts by name.\n",
      config.control_text(), config.interface, addresses_text(config),
      names_text(config.limits.groups), names_text(config.limits.controllers),
      prefixes_text(config.limits.data_addresses), prefixes_text(config.limits.control_addresses),
      numbers_text(config.limits.data_protocols), numbers_text(config.limits.data_ports),
      suites_text(config.limits.suites), config.limits.max_rekey_interval_s, config.store.string(),
      config.socket.string(), config.hosts.size());
}

std::string findings_text(const std::vector<Finding>& findings) {
  std::string out;
  for (const auto& finding : findings) {
    out += fmt::format("{} {}: {}\n", finding.good ? "ok " : "BAD", finding.subject, finding.text);
  }
  return out;
}

bool all_good(const std::vector<Finding>& findings) {
  return std::ranges::all_of(findings, [](const Finding& finding) { return finding.good; });
}

}  // namespace gkmpd::daemon
