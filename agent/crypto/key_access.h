// The way from our key types to OpenSSL's and back, for sources of this directory.
#pragma once

#include "agent/crypto/openssl.h"
#include "agent/crypto/signature.h"

namespace gkmpd::crypto {

struct KeyAccess {
  [[nodiscard]] static EVP_PKEY* get(const PublicKey& key) { return key.key_.get(); }
  [[nodiscard]] static EVP_PKEY* get(const PrivateKey& key) { return key.key_.get(); }
  /// As PublicKey::from_spki, with the key that OpenSSL has read from these octets already; null if
  /// it could not.
  [[nodiscard]] static Result<PublicKey> public_key(ByteView spki_der, ossl::Pkey already_read);
  /// Takes a key pair of any kind; `crypto.bad-key` unless it is one of ours.
  [[nodiscard]] static Result<PrivateKey> private_key(ossl::Pkey key);
};

/// Digest that certificates, lists and CMS are signed with: null for Ed25519, which has its own.
[[nodiscard]] const EVP_MD* signing_digest(KeyType type);

}  // namespace gkmpd::crypto
