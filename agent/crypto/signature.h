// Long-term signature keys of hosts, commanders and security managers, and the profile's signature
// form (P3).
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "agent/base/bytes.h"
#include "agent/base/error.h"
#include "agent/base/ids.h"
#include "agent/base/secret.h"

// OpenSSL's key, named here so that no OpenSSL header leaves this directory.
struct evp_pkey_st;

namespace gkmpd::crypto {

/// What a signature is for; each has a string of its own under it (profile P3). Only contexts that
/// a message of today uses are listed.
enum class SignatureContext : std::uint8_t {
  kCreate1,
  kCreate2,
  kNegotiate1,
  kStatement,
  kHeartbeat,
  kJoin
};

enum class KeyType : std::uint8_t { kEcdsaP256, kEcdsaP384, kEd25519 };

/// Command-line names: "p256", "p384", "ed25519".
[[nodiscard]] std::string_view to_text(KeyType type);
[[nodiscard]] Result<KeyType> key_type_from_text(std::string_view text);

class PublicKey {
 public:
  /// From a DER SubjectPublicKeyInfo, exactly as long as `spki_der`. `crypto.bad-key` for any key
  /// that is not one of KeyType, is off its curve or has octets behind it.
  [[nodiscard]] static Result<PublicKey> from_spki(ByteView spki_der);

  [[nodiscard]] KeyType type() const { return type_; }
  /// DER SubjectPublicKeyInfo.
  [[nodiscard]] const Bytes& spki() const { return spki_; }
  /// SHA-256 of spki().
  [[nodiscard]] const Digest& fingerprint() const { return fingerprint_; }

  /// Verifies the profile's signature (P3): 64 spaces | "GKMP/1 " | context | 0 | hash(content),
  /// where content is the concatenation of `content`. `crypto.bad-signature` if it does not hold.
  [[nodiscard]] Result<void> verify(SignatureContext context,
                                    std::initializer_list<ByteView> content,
                                    ByteView signature) const;

  friend bool operator==(const PublicKey& a, const PublicKey& b) { return a.spki_ == b.spki_; }

 private:
  friend class PrivateKey;
  friend class Certificate;
  friend class CertificateRequest;
  friend struct KeyAccess;
  PublicKey() = default;

  std::shared_ptr<evp_pkey_st> key_;
  KeyType type_ = KeyType::kEcdsaP256;
  Bytes spki_;
  Digest fingerprint_{};
};

class PrivateKey {
 public:
  [[nodiscard]] static Result<PrivateKey> generate(KeyType type);
  /// From PEM (PKCS #8, or the older EC form), without a passphrase.
  [[nodiscard]] static Result<PrivateKey> from_pem(const Secret& pem);
  /// PKCS #8 PEM, unencrypted.
  [[nodiscard]] Secret to_pem() const;

  [[nodiscard]] const PublicKey& public_key() const { return public_key_; }

  /// Signs as PublicKey::verify checks.
  [[nodiscard]] Result<Bytes> sign(SignatureContext context,
                                   std::initializer_list<ByteView> content) const;

 private:
  friend struct KeyAccess;
  PrivateKey() = default;

  std::shared_ptr<evp_pkey_st> key_;
  PublicKey public_key_;
};

}  // namespace gkmpd::crypto
