// Ed25519 points, of which OpenSSL looks at no more than the length when it reads a key.
#pragma once

#include "agent/base/bytes.h"

namespace gkmpd::crypto {

inline constexpr std::size_t kEdwardsPointSize = 32;

/// True if `encoded` is the one encoding of a point of edwards25519 (RFC 8032, 5.1.3).
[[nodiscard]] bool is_edwards_point(ByteView encoded);

}  // namespace gkmpd::crypto
