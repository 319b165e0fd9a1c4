// What a test datagram holds: enough to tell who sent it and which of his it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace gkmpd::traffic {

/// "GKTRAFIC", first of all in every test datagram.
inline constexpr std::uint64_t kPayloadMagic = 0x474b545241464943;
/// Magic, sender, sequence number; filling follows up to the size wanted.
inline constexpr std::size_t kPayloadHeaderSize = 8 + 4 + 8;
inline constexpr std::size_t kMaxPayloadSize = 65507;

struct Payload {
  std::uint32_t sender = 0;
  std::uint64_t sequence = 0;  // from 0
  friend bool operator==(const Payload&, const Payload&) = default;
};

/// Writes header and filling over all of `out`, which holds at least kPayloadHeaderSize octets.
void write_payload(const Payload& payload, std::span<std::uint8_t> out);
/// None if the octets are too short, lack the magic or have another filling than their sequence
/// number demands: such a datagram is not one of a test's, or was changed on its way.
[[nodiscard]] std::optional<Payload> read_payload(std::span<const std::uint8_t> octets);

}  // namespace gkmpd::traffic
