#include "agent/identity/der.h"

namespace gkmpd::identity::der {
namespace {

constexpr std::size_t kLongForm = 0x80;
constexpr std::size_t kMaxLengthOctets = 2;

}  // namespace

std::optional<std::size_t> Reader::take_length() {
  if (rest_.empty()) return std::nullopt;
  const std::size_t first = rest_[0];
  rest_ = rest_.subspan(1);
  if (first < kLongForm) return first;

  const std::size_t octets = first - kLongForm;
  if (octets == 0 || octets > kMaxLengthOctets || octets > rest_.size()) return std::nullopt;
  std::size_t length = 0;
  for (std::size_t i = 0; i < octets; ++i) length = length << 8 | rest_[i];
  const bool shortest = octets == 1 ? length >= kLongForm : length > 0xff;
  if (!shortest) return std::nullopt;
  rest_ = rest_.subspan(octets);
  return length;
}

std::optional<ByteView> Reader::take(std::uint8_t tag) {
  if (rest_.empty() || rest_[0] != tag) return std::nullopt;
  rest_ = rest_.subspan(1);
  const auto length = take_length();
  if (!length || *length > rest_.size()) return std::nullopt;
  const ByteView content = rest_.first(*length);
  rest_ = rest_.subspan(*length);
  return content;
}

std::optional<std::uint8_t> Reader::take_small_integer() {
  const auto content = take(kInteger);
  if (!content) return std::nullopt;
  if (content->size() == 1 && (*content)[0] < 0x80) return (*content)[0];
  // A leading zero is right only where it keeps the number from being negative.
  if (content->size() == 2 && (*content)[0] == 0 && (*content)[1] >= 0x80) return (*content)[1];
  return std::nullopt;
}

Bytes encode(std::uint8_t tag, ByteView content) {
  Bytes out{tag};
  if (content.size() < kLongForm) {
    out.push_back(static_cast<std::uint8_t>(content.size()));
  } else if (content.size() <= 0xff) {
    out.push_back(0x81);
    out.push_back(static_cast<std::uint8_t>(content.size()));
  } else {
    out.push_back(0x82);
    append_u16(out, static_cast<std::uint16_t>(content.size()));
  }
  append(out, content);
  return out;
}

Bytes encode_small_integer(std::uint8_t value) {
  if (value < 0x80) return encode(kInteger, Bytes{value});
  return encode(kInteger, Bytes{0, value});
}

}  // namespace gkmpd::identity::der
