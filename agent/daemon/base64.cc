#include "agent/daemon/base64.h"

namespace gkmpd::daemon {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint32_t kNoDigit = 64;

std::uint32_t digit_value(char digit) {
  const auto at = kDigits.find(digit);
  return at == std::string_view::npos ? kNoDigit : static_cast<std::uint32_t>(at);
}

}  // namespace

std::string to_base64(ByteView octets) {
  std::string out;
  out.reserve((octets.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < octets.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, octets.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < have ? octets[i + k] : 0U);
    for (std::size_t k = 0; k < 4; ++k) {
      out += k <= have ? kDigits[bits >> (18 - 6 * k) & 0x3f] : '=';
    }
  }
  return out;
}

std::optional<Bytes> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  Bytes out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const auto four = text.substr(i, 4);
    std::size_t digits = 4;
    // Padding stands only at the very end.
    if (i + 4 == text.size()) {
      while (digits > 2 && four[digits - 1] == '=') --digits;
    }
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const std::uint32_t value = k < digits ? digit_value(four[k]) : 0;
      if (value == kNoDigit) return std::nullopt;
      bits = bits << 6 | value;
    }
    // Bits that stand for no octet are zero, so that there is one spelling only.
    if ((digits == 2 && (bits & 0xffff) != 0) || (digits == 3 && (bits & 0xff) != 0)) {
      return std::nullopt;
    }
    for (std::size_t k = 0; k + 1 < digits; ++k) {
      out.push_back(static_cast<std::uint8_t>(bits >> (16 - 8 * k) & 0xff));
    }
  }
  return out;
}

}  // namespace gkmpd::daemon
