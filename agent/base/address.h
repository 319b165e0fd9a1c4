// IP addresses of either family, and addresses with a port.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/bytes.h"

namespace gkmpd {

enum class IpFamily : std::uint8_t { kV4 = 4, kV6 = 6 };

/// An address in network byte order; an IPv4 address uses the first four octets of `octets`.
struct IpAddress {
  IpFamily family = IpFamily::kV4;
  ByteArray<16> octets{};

  /// Reads the usual text form ("10.9.0.1", "fd09::1"), without zone or prefix.
  [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);
  /// From exactly 4 or 16 octets.
  [[nodiscard]] static std::optional<IpAddress> from_octets(ByteView octets);
  [[nodiscard]] std::string text() const;
  [[nodiscard]] ByteView view() const { return {octets.data(), size()}; }
  [[nodiscard]] std::size_t size() const { return family == IpFamily::kV4 ? 4 : 16; }
  [[nodiscard]] bool is_multicast() const;
  [[nodiscard]] bool is_unspecified() const;
  /// fe80::/10: means another host on every link, and nothing without a zone.
  [[nodiscard]] bool is_v6_link_local() const;
  /// 224.0.0.0/24, or ff02::/16 and narrower: never leaves the link, and IGMP, MLD and routing live
  /// there.
  [[nodiscard]] bool is_link_scope_multicast() const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

struct SocketAddress {
  IpAddress ip;
  std::uint16_t port = 0;

  /// "10.9.0.1:8480" or "[fd09::1]:8480".
  [[nodiscard]] std::string text() const;
  friend auto operator<=>(const SocketAddress&, const SocketAddress&) = default;
};

}  // namespace gkmpd
