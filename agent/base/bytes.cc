#include "agent/base/bytes.h"

#include <algorithm>

namespace gkmpd {
namespace {

template <typename T>
void append_number(Bytes& out, T value) {
  for (std::size_t shift = sizeof(T) * 8; shift > 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>((value >> (shift - 8)) & 0xff));
  }
}

std::optional<std::uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

}  // namespace

void append(Bytes& out, ByteView more) { out.insert(out.end(), more.begin(), more.end()); }

void append_u16(Bytes& out, std::uint16_t value) { append_number(out, value); }
void append_u32(Bytes& out, std::uint32_t value) { append_number(out, value); }
void append_u64(Bytes& out, std::uint64_t value) { append_number(out, value); }

void append_framed(Bytes& out, ByteView octets) {
  append_u32(out, static_cast<std::uint32_t>(octets.size()));
  append(out, octets);
}

bool equal(ByteView a, ByteView b) { return std::ranges::equal(a, b); }

std::string to_hex(ByteView bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 0x0f]);
  }
  return text;
}

std::optional<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto high = hex_digit(text[i]);
    const auto low = hex_digit(text[i + 1]);
    if (!high || !low) return std::nullopt;
    bytes.push_back(static_cast<std::uint8_t>(*high << 4 | *low));
  }
  return bytes;
}

}  // namespace gkmpd
