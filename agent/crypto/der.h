// Whether octets are DER. OpenSSL reads any BER, and two encodings of one content would have two
// hashes.
#pragma once

#include "agent/base/bytes.h"

namespace gkmpd::crypto {

/// True if `octets` are exactly one DER value: definite lengths in their shortest form, strings of
/// one piece, minimal integers, true as 0xff, nothing behind it. Contents of OCTET STRINGs, the
/// order within a SET and left-out defaults are not looked at.
[[nodiscard]] bool is_der(ByteView octets);

}  // namespace gkmpd::crypto
