// The agent's configuration file (docs/OPERATING.md, "Configuration").
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/address.h"
#include "agent/base/error.h"
#include "agent/daemon/attachment.h"
#include "agent/identity/token.h"
#include "agent/protocol/endpoint.h"

namespace gkmpd::daemon {

using LogLevel = protocol::Report::Level;

inline constexpr std::uint16_t kDefaultPort = 8480;
inline constexpr std::string_view kDefaultSocket = "/run/gkmpd/control.sock";
inline constexpr std::string_view kDefaultStore = "/var/lib/gkmpd/state.db";
inline constexpr std::size_t kMaxConfigSize = 256 * 1024;
inline constexpr std::size_t kMaxHosts = identity::kMaxMembers;
inline constexpr std::uint32_t kMinRekeyInterval_s = 60;
inline constexpr std::uint32_t kMaxRekeyInterval_s = 30 * 24 * 3600;

/// Everything the file says, checked value by value; whether files, interface and address exist is
/// for `check_config` to find out. Paths are absolute, or relative to the working directory if the
/// file itself was named so.
struct Config {
  std::filesystem::path file;

  // [identity]
  std::filesystem::path certificate;
  std::filesystem::path key;
  std::filesystem::path anchor;
  std::filesystem::path crl;

  // [control]
  std::vector<IpAddress> addresses;  // one of a family at most, IPv4 first; at least one
  std::uint16_t port = 0;
  std::string interface;
  std::filesystem::path socket;

  std::filesystem::path store;
  LogLevel log_level = LogLevel::kInfo;
  bool core_dumps = false;
  identity::LocalLimits limits;
  std::map<std::string, std::vector<IpAddress>> hosts;  // addresses as above
  SettingsByGroup groups;

  /// "10.9.0.1:8480, [fd09::1]:8480"
  [[nodiscard]] std::string control_text() const;
};

/// Reads the text of `file` (named in errors; relative paths are relative to its directory). The
/// first thing wrong comes back with file, line and key and what the key may hold: `config.syntax`,
/// `config.unknown-key`, `config.missing-key`, `config.bad-value`.
[[nodiscard]] Result<Config> parse_config(std::string_view text, const std::filesystem::path& file);

/// parse_config of a file's content; `config.unreadable` if there is none.
[[nodiscard]] Result<Config> load_config(const std::filesystem::path& file);

[[nodiscard]] Result<LogLevel> log_level_from_text(std::string_view text);
[[nodiscard]] std::string_view to_text(LogLevel level);

}  // namespace gkmpd::daemon
