// IP packets in captured frames, and what they carry, taken apart without help from the agent.
#pragma once

#include <optional>
#include <string>

#include "tests/support/esp_open/pcap.h"

namespace gkmpd::esp_open {

inline constexpr std::uint8_t kProtocolIgmp = 2;
inline constexpr std::uint8_t kProtocolIpv4 = 4;
inline constexpr std::uint8_t kProtocolUdp = 17;
inline constexpr std::uint8_t kProtocolIpv6 = 41;
inline constexpr std::uint8_t kProtocolEsp = 50;
inline constexpr std::uint8_t kProtocolIcmpv6 = 58;

struct IpPacket {
  int version = 0;  // 4 or 6
  std::string source;
  std::string destination;
  std::uint8_t protocol = 0;  // IPv6: what follows the extension headers
  bool fragment = false;      // part of a larger packet: the payload is not whole
  View payload;
  /// Sum of the addresses as the UDP checksum counts them.
  std::uint64_t address_sum = 0;
};
/// None if the frame holds no whole IP packet, one whose IPv4 header checksum is wrong, or one
/// whose IPv6 extension headers do not end.
[[nodiscard]] std::optional<IpPacket> find_ip(LinkType link, const Frame& frame);

struct UdpDatagram {
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  View payload;
};
/// None if lengths or checksum are wrong. `packet` is the IP packet around `octets`. A wrong
/// checksum passes with `check` off: what never left a host may have none yet. IPv6 has no datagram
/// without a checksum (RFC 8200 8.1).
[[nodiscard]] std::optional<UdpDatagram> read_udp(const IpPacket& packet, View octets, bool check);

struct EspFrame {
  std::uint32_t spi = 0;
  std::uint32_t sequence = 0;
  View associated;  // SPI and sequence number as they lie on the wire
  View rest;        // IV, ciphertext, tag
};
[[nodiscard]] std::optional<EspFrame> read_esp(View octets);

/// Network-order octets of an address (4 or 16) as text, "fd09::1".
[[nodiscard]] std::string address_text(View octets);
/// The same text for every way of writing one address; none if it is no address.
[[nodiscard]] std::optional<std::string> plain_address(const std::string& text);

}  // namespace gkmpd::esp_open
