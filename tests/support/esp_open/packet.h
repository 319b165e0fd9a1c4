// IP packets in captured frames, and what they carry, taken apart without help from the agent.
#pragma once

#include <optional>
#include <string>

#include "tests/support/esp_open/pcap.h"

namespace gkmpd::esp_open {

inline constexpr std::uint8_t kProtocolIgmp = 2;
inline constexpr std::uint8_t kProtocolUdp = 17;
inline constexpr std::uint8_t kProtocolEsp = 50;

struct IpPacket {
  std::string source;
  std::string destination;
  std::uint8_t protocol = 0;  // IPv6: the next header of the fixed header
  bool fragment = false;      // part of a larger packet: the payload is not whole
  View payload;
  /// Sum of the addresses as the UDP checksum counts them.
  std::uint64_t address_sum = 0;
};
/// None if the frame holds no whole IP packet, or one whose IPv4 header checksum is wrong.
[[nodiscard]] std::optional<IpPacket> find_ip(LinkType link, const Frame& frame);

struct UdpDatagram {
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  View payload;
};
/// None if lengths or checksum are wrong. `packet` is the IP packet around `octets`. A wrong
/// checksum passes with `check` off: what never left a host may have none yet.
[[nodiscard]] std::optional<UdpDatagram> read_udp(const IpPacket& packet, View octets, bool check);

struct EspFrame {
  std::uint32_t spi = 0;
  std::uint32_t sequence = 0;
  View associated;  // SPI and sequence number as they lie on the wire
  View rest;        // IV, ciphertext, tag
};
[[nodiscard]] std::optional<EspFrame> read_esp(View octets);

}  // namespace gkmpd::esp_open
