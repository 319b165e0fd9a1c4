#include "agent/crypto/der.h"

#include <optional>

namespace gkmpd::crypto {
namespace {

constexpr int kMaxDepth = 24;
constexpr std::uint8_t kConstructed = 0x20;
constexpr std::uint8_t kTagBoolean = 0x01;
constexpr std::uint8_t kTagInteger = 0x02;
constexpr std::uint8_t kTagEnumerated = 0x0a;
constexpr std::uint8_t kTagSequence = 0x10;
constexpr std::uint8_t kTagSet = 0x11;

// Takes the length octets off `in`; nothing if they are not DER or promise more than there is.
std::optional<std::size_t> take_length(ByteView& in) {
  if (in.empty()) return std::nullopt;
  std::size_t length = in[0];
  in = in.subspan(1);
  if (length >= 0x80) {
    const std::size_t count = length & 0x7f;
    if (count == 0 || count > 4 || count > in.size() || in[0] == 0) return std::nullopt;
    length = 0;
    for (const std::uint8_t octet : in.first(count)) length = length << 8 | octet;
    in = in.subspan(count);
    if (length < 0x80) return std::nullopt;
  }
  if (length > in.size()) return std::nullopt;
  return length;
}

bool is_minimal_integer(ByteView content) {
  if (content.empty()) return false;
  if (content.size() == 1) return true;
  const bool high_bit = (content[1] & 0x80) != 0;
  return !(content[0] == 0x00 && !high_bit) && !(content[0] == 0xff && high_bit);
}

bool primitive_is_der(std::uint8_t identifier, ByteView content) {
  switch (identifier) {  // universal class; others have types we cannot know
    case kTagBoolean:
      return content.size() == 1 && (content[0] == 0x00 || content[0] == 0xff);
    case kTagInteger:
    case kTagEnumerated:
      return is_minimal_integer(content);
    case kTagSequence:
    case kTagSet:
      return false;  // always constructed
    default:
      return true;
  }
}

bool contents_are_der(ByteView in, int depth) {
  if (depth > kMaxDepth) return false;
  while (!in.empty()) {
    const auto element = take_der(in);
    if (!element) return false;
    if ((element->identifier & kConstructed) == 0) {
      if (!primitive_is_der(element->identifier, element->content)) return false;
      continue;
    }
    const bool universal = (element->identifier & 0xc0) == 0;
    const std::uint8_t tag = element->identifier & 0x1f;
    if (universal && tag != kTagSequence && tag != kTagSet) return false;
    if (!contents_are_der(element->content, depth + 1)) return false;
  }
  return true;
}

}  // namespace

std::optional<DerElement> take_der(ByteView& in) {
  // Tags above 30 take more octets; no structure of ours has them.
  if (in.empty() || (in[0] & 0x1f) == 0x1f) return std::nullopt;
  const std::uint8_t identifier = in[0];
  in = in.subspan(1);
  const auto length = take_length(in);
  if (!length) return std::nullopt;
  const DerElement element{identifier, in.first(*length)};
  in = in.subspan(*length);
  return element;
}

std::optional<ByteView> take_der(ByteView& in, std::uint8_t identifier) {
  const auto element = take_der(in);
  if (!element || element->identifier != identifier) return std::nullopt;
  return element->content;
}

bool is_der(ByteView octets) {
  ByteView rest = octets;
  return take_der(rest) && rest.empty() && contents_are_der(octets, 0);
}

}  // namespace gkmpd::crypto
