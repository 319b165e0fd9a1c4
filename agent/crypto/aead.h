// AES-256-GCM: seals control messages and key packets.
#pragma once

#include "agent/base/bytes.h"
#include "agent/base/error.h"
#include "agent/base/secret.h"

namespace gkmpd::crypto {

inline constexpr std::size_t kAeadKeySize = 32;
inline constexpr std::size_t kAeadNonceSize = 12;
inline constexpr std::size_t kAeadTagSize = 16;

using Nonce = ByteArray<kAeadNonceSize>;

/// Ciphertext followed by the tag. The caller never uses a nonce twice with one key.
[[nodiscard]] Bytes aead_seal(const Secret& key, const Nonce& nonce, ByteView associated,
                              ByteView plaintext);

/// The plaintext, or `crypto.bad-seal` if anything differs from what was sealed.
[[nodiscard]] Result<Secret> aead_open(const Secret& key, const Nonce& nonce, ByteView associated,
                                       ByteView sealed);

}  // namespace gkmpd::crypto
