// SHA-2, HMAC and HKDF (RFC 5869) as the key schedule uses them.
#pragma once

#include <initializer_list>

#include "agent/base/bytes.h"
#include "agent/base/ids.h"
#include "agent/base/secret.h"

namespace gkmpd::crypto {

enum class Hash : std::uint8_t { kSha256, kSha384 };

/// Octets of a digest, and of what hkdf_extract yields.
[[nodiscard]] constexpr std::size_t digest_size(Hash hash) {
  return hash == Hash::kSha256 ? 32 : 48;
}

/// Digest of the concatenation of `parts`.
[[nodiscard]] Bytes digest(Hash hash, std::initializer_list<ByteView> parts);

/// SHA-256 of the concatenation of `parts`.
[[nodiscard]] Digest sha256(std::initializer_list<ByteView> parts);

/// HMAC-SHA-256 of the concatenation of `parts`.
[[nodiscard]] Digest hmac_sha256(const Secret& key, std::initializer_list<ByteView> parts);

/// HKDF-Extract.
[[nodiscard]] Secret hkdf_extract(Hash hash, ByteView salt, const Secret& input);

/// HKDF-Expand of the concatenation of `info`; `size` is at most 255 times the digest's.
[[nodiscard]] Secret hkdf_expand(Hash hash, const Secret& prk, std::initializer_list<ByteView> info,
                                 std::size_t size);

}  // namespace gkmpd::crypto
