// Byte strings and views: the vocabulary of every layer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gkmpd {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

template <std::size_t N>
using ByteArray = std::array<std::uint8_t, N>;

/// The octets of `text`, not copied: valid as long as `text` is.
[[nodiscard]] inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// The octets of `bytes` as text, not copied: valid as long as `bytes` is.
[[nodiscard]] inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

[[nodiscard]] inline Bytes to_bytes(ByteView view) { return {view.begin(), view.end()}; }

/// Appends `more` to `out`.
void append(Bytes& out, ByteView more);

/// Appends an unsigned number, most significant octet first.
void append_u16(Bytes& out, std::uint16_t value);
void append_u32(Bytes& out, std::uint32_t value);
void append_u64(Bytes& out, std::uint64_t value);

/// Appends `octets` behind their length as a u32, so that a sequence of strings reads one way only.
void append_framed(Bytes& out, ByteView octets);

/// True if both hold the same octets. Not for secrets: see Secret::equals.
[[nodiscard]] bool equal(ByteView a, ByteView b);

/// Lower-case hexadecimal, two digits an octet.
[[nodiscard]] std::string to_hex(ByteView bytes);

/// Octets of a string of hexadecimal digits in either case; nothing if it has an odd length or
/// any other character.
[[nodiscard]] std::optional<Bytes> from_hex(std::string_view text);

}  // namespace gkmpd
