#include "agent/daemon/config.h"

#include <fmt/format.h>
#include <net/if.h>
#include <sys/un.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "agent/daemon/errors.h"
#include "agent/daemon/files.h"
#include "agent/daemon/toml_section.h"

namespace gkmpd::daemon {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMaxIfId = 0xffffffff;
constexpr std::int64_t kMaxMark = 0xffffffff;

class Reader {
 public:
  explicit Reader(const fs::path& file) : problems_(file.string()) { config_.file = file; }

  Result<Config> read(const toml::table& top) {
    TomlSection root("", &top, problems_);
    identity(root.section("identity"));
    control(root.section("control"));
    store(root.section("store"));
    log(root.section("log"));
    process(root.section("process"));
    limits(root.section("limits"));
    hosts(root.section("hosts"));
    groups(root.section("groups"));
    root.finish();
    if (problems_.any()) return tl::unexpected(*problems_.first());
    return std::move(config_);
  }

 private:
  fs::path path(const std::string& text) const {
    if (text.empty()) return {};
    return (config_.file.parent_path() / text).lexically_normal();
  }

  void identity(TomlSection section) {
    config_.certificate =
        path(section.required_text("certificate", "the host's certificate file (PEM, leaf first)"));
    config_.key = path(section.required_text("key", "the host's private key file (PEM)"));
    config_.anchor = path(section.required_text("anchor", "the security manager's certificate"));
    config_.crl = path(section.required_text("crl", "the security manager's revocation list"));
    section.finish();
  }

  void control(TomlSection section) {
    config_.addresses = addresses(section, "address");
    if (config_.addresses.empty()) {
      section.missing("address", "this host's IPv4 or IPv6 address, or a list of one of each");
    }
    config_.port =
        static_cast<std::uint16_t>(section.number("port", 1, 65535).value_or(kDefaultPort));

    config_.interface = section.required_text("interface", "the interface of control and data");
    if (config_.interface.size() >= IF_NAMESIZE) {
      section.refuse("interface", fmt::format("is longer than {} letters", IF_NAMESIZE - 1));
    }
    config_.socket = path(section.text("socket").value_or(std::string(kDefaultSocket)));
    if (config_.socket.empty() || config_.socket.string().size() >= sizeof(sockaddr_un::sun_path)) {
      section.refuse("socket", fmt::format("must be a path of 1 to {} octets",
                                           sizeof(sockaddr_un::sun_path) - 1));
    }
    section.finish();
  }

  /// One address of a family at most, IPv4 first; empty if there is none, or it is refused.
  static std::vector<IpAddress> addresses(TomlSection& section, std::string_view key) {
    std::vector<IpAddress> out;
    for (const auto& text : section.text_or_texts(key)) {
      const auto ip = IpAddress::parse(text);
      if (!ip || ip->is_multicast() || ip->is_unspecified()) {
        section.refuse(key, fmt::format("is not a unicast IP address: {}", text));
      } else if (ip->is_v6_link_local()) {
        section.refuse(key,
                       fmt::format("is a link-local address, which says nothing without a zone: "
                                   "{}",
                                   text));
      } else if (std::ranges::count(out, ip->family, &IpAddress::family) != 0) {
        section.refuse(key, "may hold one IPv4 and one IPv6 address");
      } else {
        out.push_back(*ip);
      }
    }
    std::ranges::sort(out, {}, &IpAddress::family);
    return out;
  }

  void store(TomlSection section) {
    config_.store = path(section.text("path").value_or(std::string(kDefaultStore)));
    if (config_.store.empty()) section.refuse("path", "is empty; it holds a file name");
    section.finish();
  }

  void log(TomlSection section) {
    if (auto text = section.text("level")) {
      auto level = log_level_from_text(*text);
      if (level) {
        config_.log_level = *level;
      } else {
        section.refuse("level", level.error().detail);
      }
    }
    section.finish();
  }

  void process(TomlSection section) {
    config_.core_dumps = section.flag("core_dumps").value_or(false);
    section.finish();
  }

  std::vector<std::string> names(TomlSection& section, std::string_view key) {
    auto list = section.texts(key);
    for (const auto& name : list) {
      if (!identity::is_valid_name(name)) {
        section.refuse(key, fmt::format("holds \"{}\": a name is 1 to {} octets of a-z 0-9 . - _",
                                        name, identity::kMaxNameSize));
      }
    }
    return list;
  }

  std::vector<identity::LocalLimits::Prefix> prefixes(TomlSection& section, std::string_view key) {
    std::vector<identity::LocalLimits::Prefix> out;
    for (const auto& text : section.texts(key)) {
      auto prefix = identity::parse_prefix(text);
      if (!prefix) {
        section.refuse(key, fmt::format("holds \"{}\": {}", text, prefix.error().detail));
        return {};
      }
      out.push_back(*prefix);
    }
    return out;
  }

  void limits(TomlSection section) {
    config_.limits.groups = names(section, "groups");
    config_.limits.controllers = names(section, "controllers");
    config_.limits.data_addresses = prefixes(section, "data_addresses");
    config_.limits.control_addresses = prefixes(section, "control_addresses");
    for (const auto port : section.numbers("data_ports", 0, 65535)) {
      config_.limits.data_ports.push_back(static_cast<std::uint16_t>(port));
    }
    for (const auto protocol : section.numbers("data_protocols", 1, 255)) {
      config_.limits.data_protocols.push_back(static_cast<std::uint8_t>(protocol));
    }
    for (const auto& text : section.texts("suites")) {
      if (const auto suite = identity::esp_suite_from_text(text)) {
        config_.limits.suites.push_back(*suite);
      } else {
        section.refuse("suites",
                       fmt::format("holds \"{}\", which is no suite of this version", text));
      }
    }
    config_.limits.max_rekey_interval_s = static_cast<std::uint32_t>(
        section.number("max_rekey_interval_s", kMinRekeyInterval_s, kMaxRekeyInterval_s)
            .value_or(kMaxRekeyInterval_s));
    section.finish();
  }

  void hosts(TomlSection section) {
    if (section.table() == nullptr) return;
    if (section.table()->size() > kMaxHosts) {
      problems_.add(kConfigBadValue, section.table()->source().begin.line,
                    fmt::format("[hosts] holds more than {} names", kMaxHosts));
      return;
    }
    for (const auto& [key, node] : *section.table()) {
      if (!identity::is_valid_name(key.str())) {
        section.refuse(key.str(), fmt::format("is no host name: 1 to {} octets of a-z 0-9 . - _",
                                              identity::kMaxNameSize));
        continue;
      }
      auto known = addresses(section, key.str());
      if (known.empty()) section.missing(key.str(), "the host's IPv4 or IPv6 address, or both");
      config_.hosts.emplace(key.str(), std::move(known));
    }
  }

  void groups(TomlSection section) {
    if (section.table() == nullptr) return;
    for (const auto& [key, node] : *section.table()) {
      const std::string name(key.str());
      if (!identity::is_valid_name(name)) {
        section.refuse(name, fmt::format("is no group name: 1 to {} octets of a-z 0-9 . - _",
                                         identity::kMaxNameSize));
        continue;
      }
      config_.groups.emplace(name, group(section.section(name)));
    }
  }

  static GroupSettings group(TomlSection section) {
    GroupSettings out;
    out.interface = section.text("interface").value_or("");
    if (out.interface.size() >= IF_NAMESIZE) {
      section.refuse("interface", fmt::format("is longer than {} letters", IF_NAMESIZE - 1));
    }
    out.if_id = static_cast<std::uint32_t>(section.number("if_id", 1, kMaxIfId).value_or(0));
    if (out.if_id != 0 && out.interface.empty()) {
      section.missing("interface", "the XFRM interface of that if_id");
    }
    const auto mark = section.number("mark", 0, kMaxMark);
    const auto mask = section.number("mark_mask", 1, kMaxMark);
    if (mask && !mark) section.missing("mark", "the mark of the group's packets");
    out.mark = static_cast<std::uint32_t>(mark.value_or(0));
    out.mark_mask = static_cast<std::uint32_t>(mask.value_or(mark ? kMaxMark : 0));
    if ((out.mark & ~out.mark_mask) != 0) {
      section.refuse("mark",
                     fmt::format("has bits that mark_mask, 0x{:x}, has not", out.mark_mask));
    }
    section.finish();
    return out;
  }

  TomlProblems problems_;
  Config config_;
};

}  // namespace

std::string Config::control_text() const {
  std::string out;
  for (const IpAddress& ip : addresses) {
    out += (out.empty() ? "" : ", ") + SocketAddress{ip, port}.text();
  }
  return out;
}

Result<Config> parse_config(std::string_view text, const fs::path& file) {
  if (text.size() > kMaxConfigSize) {
    return fail(kConfigSyntax,
                fmt::format("{}: more than {} octets", file.string(), kMaxConfigSize));
  }
  try {
    const toml::table top = toml::parse(text, std::string_view(file.native()));
    return Reader(file).read(top);
  } catch (const toml::parse_error& error) {
    return fail(kConfigSyntax, fmt::format("{}:{}: {}", file.string(), error.source().begin.line,
                                           error.description()));
  }
}

Result<Config> load_config(const fs::path& file) {
  auto text = read_text_file(file, kMaxConfigSize);
  if (!text) return fail(kConfigUnreadable, text.error().detail);
  return parse_config(*text, file);
}

Result<LogLevel> log_level_from_text(std::string_view text) {
  for (auto level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    if (text == to_text(level)) return level;
  }
  return fail(kConfigBadValue, "is one of debug, info, warning, error");
}

std::string_view to_text(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "";
}

}  // namespace gkmpd::daemon
