// Whether octets are DER. OpenSSL reads any BER, and two encodings of one content would have two
// hashes.
#pragma once

#include <optional>

#include "agent/base/bytes.h"

namespace gkmpd::crypto {

/// True if `octets` are exactly one DER value: definite lengths in their shortest form, strings of
/// one piece, minimal integers, true as 0xff, nothing behind it. Contents of OCTET STRINGs, the
/// order within a SET and left-out defaults are not looked at.
[[nodiscard]] bool is_der(ByteView octets);

/// One value: its identifier octet and what it holds.
struct DerElement {
  std::uint8_t identifier = 0;
  ByteView content;
};

/// Takes the value in front off `in`; nothing, and `in` is used up in part, if none is there.
[[nodiscard]] std::optional<DerElement> take_der(ByteView& in);

/// The same, and nothing unless its identifier octet is `identifier`.
[[nodiscard]] std::optional<ByteView> take_der(ByteView& in, std::uint8_t identifier);

}  // namespace gkmpd::crypto
