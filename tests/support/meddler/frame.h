// UDP over IPv4 or IPv6 in Ethernet frames: taken apart, and made.
#pragma once

#include <optional>

#include "agent/base/address.h"
#include "agent/base/bytes.h"

namespace gkmpd::meddler {

using MacAddress = ByteArray<6>;

/// A whole UDP datagram in a frame, not a fragment of one.
struct UdpFrame {
  MacAddress source_mac{};
  MacAddress destination_mac{};
  SocketAddress from;
  SocketAddress to;
  Bytes payload;
};

/// None if the frame is anything else, or malformed. The checksum is not looked at: a sender on a
/// virtual link leaves it to a card that does not exist.
[[nodiscard]] std::optional<UdpFrame> read_udp_frame(ByteView frame);

/// With right lengths and checksums; IPv4 without options or identification, IPv6 without extension
/// headers.
[[nodiscard]] Bytes write_udp_frame(const UdpFrame& frame);

/// Puts the right UDP checksum into a frame that read_udp_frame takes.
void mend_checksum(Bytes& frame);

}  // namespace gkmpd::meddler
