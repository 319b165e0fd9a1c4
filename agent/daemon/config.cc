#include "agent/daemon/config.h"

#include <fmt/format.h>
#include <net/if.h>
#include <sys/un.h>

#include <fstream>
#include <sstream>

#include "agent/daemon/errors.h"
#include "agent/daemon/files.h"
#include "agent/daemon/toml_section.h"

namespace gkmpd::daemon {
namespace {

namespace fs = std::filesystem;

class Reader {
 public:
  explicit Reader(const fs::path& file) : problems_(file.string()) { config_.file = file; }

  Result<Config> read(const toml::table& top) {
    TomlSection root("", &top, problems_);
    identity(root.section("identity"));
    control(root.section("control"));
    store(root.section("store"));
    log(root.section("log"));
    limits(root.section("limits"));
    hosts(root.section("hosts"));
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
    const auto address = section.required_text("address", "this host's IPv4 address");
    if (auto ip = IpAddress::parse(address)) {
      config_.control.ip = *ip;
      if (ip->family != IpFamily::kV4) {
        section.refuse("address", "is an IPv6 address; this version speaks IPv4 only");
      } else if (ip->is_multicast() || ip->is_unspecified()) {
        section.refuse("address", "must be a unicast address of this host");
      }
    } else {
      section.refuse("address", fmt::format("is not an IP address: {}", address));
    }
    config_.control.port =
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
      const auto text = section.text(key.str());
      if (!text) return;
      const auto ip = IpAddress::parse(*text);
      if (!identity::is_valid_name(key.str())) {
        section.refuse(key.str(), fmt::format("is no host name: 1 to {} octets of a-z 0-9 . - _",
                                              identity::kMaxNameSize));
      } else if (!ip || ip->family != IpFamily::kV4 || ip->is_multicast() || ip->is_unspecified()) {
        section.refuse(key.str(), fmt::format("is not a unicast IPv4 address: {}", *text));
      } else {
        config_.hosts.emplace(key.str(), *ip);
      }
    }
  }

  TomlProblems problems_;
  Config config_;
};

}  // namespace

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
