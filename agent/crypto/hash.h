// SHA-256, HMAC and HKDF (RFC 5869) as the key schedule uses them.
#pragma once

#include <initializer_list>

#include "agent/base/bytes.h"
#include "agent/base/ids.h"
#include "agent/base/secret.h"

namespace gkmpd::crypto {

/// SHA-256 of the concatenation of `parts`.
[[nodiscard]] Digest sha256(std::initializer_list<ByteView> parts);

/// HMAC-SHA-256 of the concatenation of `parts`.
[[nodiscard]] Digest hmac_sha256(const Secret& key, std::initializer_list<ByteView> parts);

/// HKDF-Extract with SHA-256.
[[nodiscard]] Secret hkdf_extract(ByteView salt, const Secret& input);

/// HKDF-Expand with SHA-256 of the concatenation of `info`; `size` is at most 255 * 32.
[[nodiscard]] Secret hkdf_expand(const Secret& prk, std::initializer_list<ByteView> info,
                                 std::size_t size);

}  // namespace gkmpd::crypto
