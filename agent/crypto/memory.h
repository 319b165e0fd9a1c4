// Where OpenSSL keeps what it computes with.
#pragma once

#include "agent/base/error.h"

namespace gkmpd::crypto {

/// From now on everything that OpenSSL allocates lies in the memory of secrets
/// (base/secret_memory.h): out of core dumps, out of swap where that is allowed, and wiped when it
/// is given back. For the start of a process; a second call does nothing.
///
/// OpenSSL's own secure heap would not do: private keys of X25519 and Ed25519 that are handed over
/// as octets, states of ciphers and MACs, and intermediate numbers do not go there; and it has a
/// size that can be used up.
///
/// `crypto.not-apart` if OpenSSL has allocated something before; then nothing has changed.
[[nodiscard]] Result<void> keep_openssl_apart();

}  // namespace gkmpd::crypto
