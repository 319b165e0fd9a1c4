#include "tests/support/traffic/payload.h"

#include <cassert>

namespace gkmpd::traffic {
namespace {

template <typename T>
void put(std::span<std::uint8_t> out, std::size_t at, T value) {
  for (std::size_t i = sizeof(T); i-- > 0; value = static_cast<T>(value >> 8)) {
    out[at + i] = static_cast<std::uint8_t>(value);
  }
}

template <typename T>
T get(std::span<const std::uint8_t> octets, std::size_t at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>((value << 8) | octets[at + i]);
  }
  return value;
}

/// Differs with place and sequence number, so that swapped or shifted octets show.
std::uint8_t filling(std::uint64_t sequence, std::size_t at) {
  return static_cast<std::uint8_t>(sequence * 31 + at * 7);
}

}  // namespace

void write_payload(const Payload& payload, std::span<std::uint8_t> out) {
  assert(out.size() >= kPayloadHeaderSize);
  put<std::uint64_t>(out, 0, kPayloadMagic);
  put<std::uint32_t>(out, 8, payload.sender);
  put<std::uint64_t>(out, 12, payload.sequence);
  for (std::size_t i = kPayloadHeaderSize; i < out.size(); ++i) {
    out[i] = filling(payload.sequence, i);
  }
}

std::optional<Payload> read_payload(std::span<const std::uint8_t> octets) {
  if (octets.size() < kPayloadHeaderSize || get<std::uint64_t>(octets, 0) != kPayloadMagic) {
    return std::nullopt;
  }
  const Payload payload{get<std::uint32_t>(octets, 8), get<std::uint64_t>(octets, 12)};
  for (std::size_t i = kPayloadHeaderSize; i < octets.size(); ++i) {
    if (octets[i] != filling(payload.sequence, i)) return std::nullopt;
  }
  return payload;
}

}  // namespace gkmpd::traffic
