// The few forms of DER (X.690) that the permission extension uses, read strictly.
#pragma once

#include <optional>

#include "agent/base/bytes.h"

namespace gkmpd::identity::der {

inline constexpr std::uint8_t kInteger = 0x02;
inline constexpr std::uint8_t kBitString = 0x03;
inline constexpr std::uint8_t kUtf8String = 0x0c;
inline constexpr std::uint8_t kSequence = 0x30;
inline constexpr std::uint8_t kSet = 0x31;

/// Reads values one behind the other. Views point into what was given.
class Reader {
 public:
  explicit Reader(ByteView octets) : rest_(octets) {}

  [[nodiscard]] bool at_end() const { return rest_.empty(); }

  /// The content of the next value, if it has tag `tag` and a definite length in its shortest form.
  [[nodiscard]] std::optional<ByteView> take(std::uint8_t tag);
  /// A non-negative INTEGER of at most 255 in its shortest form.
  [[nodiscard]] std::optional<std::uint8_t> take_small_integer();

 private:
  [[nodiscard]] std::optional<std::size_t> take_length();

  ByteView rest_;
};

/// One value: tag, shortest length, content. Content is shorter than 65,536 octets.
[[nodiscard]] Bytes encode(std::uint8_t tag, ByteView content);
[[nodiscard]] Bytes encode_small_integer(std::uint8_t value);

}  // namespace gkmpd::identity::der
