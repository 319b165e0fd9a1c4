#include "agent/base/address.h"

#include <arpa/inet.h>

#include <algorithm>

namespace gkmpd {

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string copy(text);
  // inet_pton would stop at an embedded NUL and accept what stands before it.
  if (copy.find('\0') != std::string::npos) return std::nullopt;
  IpAddress address;
  if (inet_pton(AF_INET, copy.c_str(), address.octets.data()) == 1) return address;
  address.family = IpFamily::kV6;
  if (inet_pton(AF_INET6, copy.c_str(), address.octets.data()) == 1) return address;
  return std::nullopt;
}

std::optional<IpAddress> IpAddress::from_octets(ByteView octets) {
  if (octets.size() != 4 && octets.size() != 16) return std::nullopt;
  IpAddress address;
  address.family = octets.size() == 4 ? IpFamily::kV4 : IpFamily::kV6;
  std::ranges::copy(octets, address.octets.begin());
  return address;
}

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  inet_ntop(family == IpFamily::kV4 ? AF_INET : AF_INET6, octets.data(), buffer, sizeof buffer);
  return buffer;
}

bool IpAddress::is_multicast() const {
  return family == IpFamily::kV4 ? (octets[0] & 0xf0) == 0xe0 : octets[0] == 0xff;
}

bool IpAddress::is_unspecified() const {
  return std::ranges::all_of(view(), [](std::uint8_t octet) { return octet == 0; });
}

bool IpAddress::is_v6_link_local() const {
  return family == IpFamily::kV6 && octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80;
}

bool IpAddress::is_link_scope_multicast() const {
  if (family == IpFamily::kV4) return octets[0] == 224 && octets[1] == 0 && octets[2] == 0;
  return octets[0] == 0xff && (octets[1] & 0x0f) <= 2;
}

std::string SocketAddress::text() const {
  const std::string host = ip.family == IpFamily::kV6 ? "[" + ip.text() + "]" : ip.text();
  return host + ":" + std::to_string(port);
}

}  // namespace gkmpd
