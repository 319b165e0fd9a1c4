#include "tests/support/meddler/frame.h"

#include <algorithm>

namespace gkmpd::meddler {
namespace {

constexpr std::size_t kEthernetHeader = 14;
constexpr std::size_t kMacOctets = 6;
constexpr std::uint16_t kEtherTypeV4 = 0x0800;
constexpr std::uint16_t kEtherTypeV6 = 0x86dd;
constexpr std::size_t kIpv4Header = 20;  // without options
constexpr std::size_t kIpv6Header = 40;
constexpr std::size_t kUdpHeader = 8;
constexpr std::size_t kUdpChecksumAt = 6;
constexpr std::uint8_t kProtocolUdp = 17;
constexpr std::uint16_t kDoNotFragment = 0x4000;
constexpr std::uint8_t kHops = 64;

std::uint16_t u16_at(ByteView octets, std::size_t at) {
  return static_cast<std::uint16_t>(octets[at] << 8 | octets[at + 1]);
}

/// Where the parts of a frame with a whole UDP datagram are.
struct Layout {
  IpAddress source;
  IpAddress destination;
  std::size_t udp_at = 0;
  std::size_t udp_size = 0;
};

/// The UDP part, if its length fits into `room` octets at `at`.
bool find_udp(ByteView frame, std::size_t at, std::size_t room, Layout& layout) {
  if (room < kUdpHeader) return false;
  layout.udp_at = at;
  layout.udp_size = u16_at(frame, at + 4);
  return layout.udp_size >= kUdpHeader && layout.udp_size <= room;
}

std::optional<Layout> layout_v4(ByteView frame) {
  const ByteView ip = frame.subspan(kEthernetHeader);
  if (ip.size() < kIpv4Header || ip[0] >> 4 != 4) return std::nullopt;
  const std::size_t header = std::size_t{ip[0]} % 16 * 4;
  const std::size_t total = u16_at(ip, 2);
  // More fragments, or an offset.
  const bool fragment = (u16_at(ip, 6) & 0x3fff) != 0;
  if (header < kIpv4Header || total < header || total > ip.size() || fragment ||
      ip[9] != kProtocolUdp) {
    return std::nullopt;
  }
  Layout layout{*IpAddress::from_octets(ip.subspan(12, 4)),
                *IpAddress::from_octets(ip.subspan(16, 4))};
  if (!find_udp(frame, kEthernetHeader + header, total - header, layout)) return std::nullopt;
  return layout;
}

std::optional<Layout> layout_v6(ByteView frame) {
  const ByteView ip = frame.subspan(kEthernetHeader);
  if (ip.size() < kIpv6Header || ip[0] >> 4 != 6 || ip[6] != kProtocolUdp) return std::nullopt;
  const std::size_t room = u16_at(ip, 4);
  if (room > ip.size() - kIpv6Header) return std::nullopt;
  Layout layout{*IpAddress::from_octets(ip.subspan(8, 16)),
                *IpAddress::from_octets(ip.subspan(24, 16))};
  if (!find_udp(frame, kEthernetHeader + kIpv6Header, room, layout)) return std::nullopt;
  return layout;
}

std::optional<Layout> layout_of(ByteView frame) {
  if (frame.size() < kEthernetHeader) return std::nullopt;
  const std::uint16_t type = u16_at(frame, 2 * kMacOctets);
  if (type == kEtherTypeV4) return layout_v4(frame);
  if (type == kEtherTypeV6) return layout_v6(frame);
  return std::nullopt;
}

/// RFC 1071, over octets and a sum so far.
std::uint32_t add_up(ByteView octets, std::uint32_t sum) {
  for (std::size_t i = 0; i < octets.size(); ++i) {
    sum += i % 2 == 0 ? std::uint32_t{octets[i]} << 8 : std::uint32_t{octets[i]};
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return sum;
}

std::uint16_t complement(std::uint32_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

/// RFC 768 and RFC 8200 8.1, over a datagram whose checksum field is zero.
std::uint16_t udp_checksum(const IpAddress& source, const IpAddress& destination, ByteView udp) {
  auto sum = static_cast<std::uint32_t>(kProtocolUdp + udp.size());
  sum = add_up(source.view(), sum);
  sum = add_up(destination.view(), sum);
  const std::uint16_t checksum = complement(add_up(udp, sum));
  return checksum == 0 ? 0xffff : checksum;  // zero would say that there is none
}

void put_u16(Bytes& octets, std::size_t at, std::uint16_t value) {
  octets[at] = static_cast<std::uint8_t>(value >> 8);
  octets[at + 1] = static_cast<std::uint8_t>(value & 0xff);
}

MacAddress mac_at(ByteView frame, std::size_t at) {
  MacAddress mac{};
  std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(at), kMacOctets, mac.begin());
  return mac;
}

Bytes ipv4_header(const UdpFrame& frame) {
  Bytes header{0x45, 0};
  append_u16(header, static_cast<std::uint16_t>(kIpv4Header + kUdpHeader + frame.payload.size()));
  append_u16(header, 0);
  append_u16(header, kDoNotFragment);
  append(header, ByteArray<4>{kHops, kProtocolUdp, 0, 0});
  append(header, frame.from.ip.view());
  append(header, frame.to.ip.view());
  put_u16(header, 10, complement(add_up(header, 0)));
  return header;
}

Bytes ipv6_header(const UdpFrame& frame) {
  Bytes header{0x60, 0, 0, 0};
  append_u16(header, static_cast<std::uint16_t>(kUdpHeader + frame.payload.size()));
  append(header, ByteArray<2>{kProtocolUdp, kHops});
  append(header, frame.from.ip.view());
  append(header, frame.to.ip.view());
  return header;
}

}  // namespace

std::optional<UdpFrame> read_udp_frame(ByteView frame) {
  const auto layout = layout_of(frame);
  if (!layout) return std::nullopt;
  const ByteView udp = frame.subspan(layout->udp_at, layout->udp_size);
  return UdpFrame{mac_at(frame, kMacOctets),
                  mac_at(frame, 0),
                  {layout->source, u16_at(udp, 0)},
                  {layout->destination, u16_at(udp, 2)},
                  to_bytes(udp.subspan(kUdpHeader))};
}

Bytes write_udp_frame(const UdpFrame& frame) {
  const bool v4 = frame.from.ip.family == IpFamily::kV4;
  Bytes out = to_bytes(frame.destination_mac);
  append(out, frame.source_mac);
  append_u16(out, v4 ? kEtherTypeV4 : kEtherTypeV6);
  append(out, v4 ? ipv4_header(frame) : ipv6_header(frame));
  append_u16(out, frame.from.port);
  append_u16(out, frame.to.port);
  append_u16(out, static_cast<std::uint16_t>(kUdpHeader + frame.payload.size()));
  append_u16(out, 0);
  append(out, frame.payload);
  mend_checksum(out);
  return out;
}

void mend_checksum(Bytes& frame) {
  const auto layout = layout_of(frame);
  if (!layout) return;
  const std::size_t at = layout->udp_at + kUdpChecksumAt;
  put_u16(frame, at, 0);
  put_u16(frame, at,
          udp_checksum(layout->source, layout->destination,
                       ByteView(frame).subspan(layout->udp_at, layout->udp_size)));
}

}  // namespace gkmpd::meddler
