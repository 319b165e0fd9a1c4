#include "tests/support/esp_open/packet.h"

#include <arpa/inet.h>

#include <array>

namespace gkmpd::esp_open {
namespace {

constexpr std::uint16_t kEtherIpv4 = 0x0800;
constexpr std::uint16_t kEtherIpv6 = 0x86dd;
constexpr std::uint16_t kEtherVlan = 0x8100;
constexpr std::size_t kIpv4HeaderSize = 20;
constexpr std::size_t kIpv6HeaderSize = 40;
constexpr std::size_t kUdpHeaderSize = 8;
constexpr std::size_t kEspHeaderSize = 8;
/// IPv6 extension headers (RFC 8200 4).
constexpr std::uint8_t kIpv6HopByHop = 0;
constexpr std::uint8_t kIpv6Routing = 43;
constexpr std::uint8_t kIpv6Fragment = 44;
constexpr std::uint8_t kIpv6Destination = 60;
constexpr std::size_t kIpv6FragmentSize = 8;
constexpr std::size_t kMaxExtensions = 8;

std::uint16_t read16(View octets, std::size_t at) {
  return static_cast<std::uint16_t>(octets[at] << 8 | octets[at + 1]);
}

std::uint32_t read32(View octets, std::size_t at) {
  return static_cast<std::uint32_t>(read16(octets, at)) << 16 | read16(octets, at + 2);
}

/// The internet checksum's sum, not yet folded.
std::uint64_t sum16(View octets) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i + 1 < octets.size(); i += 2) sum += read16(octets, i);
  if (octets.size() % 2 == 1) sum += static_cast<std::uint64_t>(octets.back()) << 8;
  return sum;
}

bool is_all_ones(std::uint64_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

/// What follows the link header; empty if that is no IP packet.
View skip_link_header(LinkType link, View frame) {
  const auto after = [frame](std::size_t type_at, std::size_t size) -> View {
    if (frame.size() < size) return {};
    const std::uint16_t type = read16(frame, type_at);
    return type == kEtherIpv4 || type == kEtherIpv6 ? frame.subspan(size) : View{};
  };
  switch (link) {
    case LinkType::kRawIp:
      return frame;
    case LinkType::kLinuxCooked:
      return after(14, 16);
    case LinkType::kLinuxCooked2:
      return after(0, 20);
    case LinkType::kEthernet:
      break;
  }
  const bool tagged = frame.size() >= 18 && read16(frame, 12) == kEtherVlan;
  return tagged ? after(16, 18) : after(12, 14);
}

std::optional<IpPacket> read_ipv4(View octets) {
  if (octets.size() < kIpv4HeaderSize) return std::nullopt;
  const std::size_t header_size = static_cast<std::size_t>(octets[0] & 0x0f) * 4;
  const std::size_t total = read16(octets, 2);
  if (header_size < kIpv4HeaderSize || total < header_size || octets.size() < total) {
    return std::nullopt;
  }
  if (!is_all_ones(sum16(octets.first(header_size)))) return std::nullopt;
  IpPacket packet;
  packet.version = 4;
  packet.source = address_text(octets.subspan(12, 4));
  packet.destination = address_text(octets.subspan(16, 4));
  packet.protocol = octets[9];
  packet.fragment = (read16(octets, 6) & 0x3fff) != 0;
  packet.payload = octets.subspan(header_size, total - header_size);
  packet.address_sum = sum16(octets.subspan(12, 8));
  return packet;
}

/// Goes over the extension headers in front of the payload; false if they do not end.
bool skip_extensions(IpPacket& packet) {
  for (std::size_t i = 0; i < kMaxExtensions; ++i) {
    std::size_t size = 0;
    switch (packet.protocol) {
      case kIpv6HopByHop:
      case kIpv6Routing:
      case kIpv6Destination:
        if (packet.payload.size() < 2) return false;
        size = (packet.payload[1] + std::size_t{1}) * 8;
        break;
      case kIpv6Fragment:
        size = kIpv6FragmentSize;
        packet.fragment = true;
        break;
      default:
        return true;
    }
    if (packet.payload.size() < size) return false;
    packet.protocol = packet.payload[0];
    packet.payload = packet.payload.subspan(size);
    // What follows the header of a later fragment is no header.
    if (packet.fragment) return true;
  }
  return false;
}

std::optional<IpPacket> read_ipv6(View octets) {
  if (octets.size() < kIpv6HeaderSize) return std::nullopt;
  const std::size_t length = read16(octets, 4);
  if (octets.size() - kIpv6HeaderSize < length) return std::nullopt;
  IpPacket packet;
  packet.version = 6;
  packet.source = address_text(octets.subspan(8, 16));
  packet.destination = address_text(octets.subspan(24, 16));
  packet.protocol = octets[6];
  packet.payload = octets.subspan(kIpv6HeaderSize, length);
  packet.address_sum = sum16(octets.subspan(8, 32));
  if (!skip_extensions(packet)) return std::nullopt;
  return packet;
}

}  // namespace

std::optional<IpPacket> find_ip(LinkType link, const Frame& frame) {
  if (frame.cut) return std::nullopt;
  const View octets = skip_link_header(link, frame.octets);
  if (octets.empty()) return std::nullopt;
  switch (octets[0] >> 4) {
    case 4:
      return read_ipv4(octets);
    case 6:
      return read_ipv6(octets);
    default:
      return std::nullopt;
  }
}

std::optional<UdpDatagram> read_udp(const IpPacket& packet, View octets, bool check) {
  if (octets.size() < kUdpHeaderSize || read16(octets, 4) != octets.size()) return std::nullopt;
  const std::uint16_t checksum = read16(octets, 6);
  const auto good = [&] {
    if (checksum == 0) return packet.version == 4;
    return is_all_ones(packet.address_sum + kProtocolUdp + octets.size() + sum16(octets));
  };
  if (check && !good()) return std::nullopt;
  return UdpDatagram{read16(octets, 0), read16(octets, 2), octets.subspan(kUdpHeaderSize)};
}

std::optional<EspFrame> read_esp(View octets) {
  if (octets.size() < kEspHeaderSize) return std::nullopt;
  return EspFrame{read32(octets, 0), read32(octets, 4), octets.first(kEspHeaderSize),
                  octets.subspan(kEspHeaderSize)};
}

std::string address_text(View octets) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(octets.size() == 4 ? AF_INET : AF_INET6, octets.data(), text.data(), text.size());
  return text.data();
}

std::optional<std::string> plain_address(const std::string& text) {
  std::array<std::uint8_t, 16> octets{};
  if (inet_pton(AF_INET, text.c_str(), octets.data()) == 1) {
    return address_text(View(octets).first(4));
  }
  if (inet_pton(AF_INET6, text.c_str(), octets.data()) == 1) return address_text(octets);
  return std::nullopt;
}

}  // namespace gkmpd::esp_open
