// Ephemeral key agreement: X25519 (RFC 7748), and ECDH on P-256 and P-384 (SP 800-56A).
#pragma once

#include "agent/base/bytes.h"
#include "agent/base/error.h"
#include "agent/base/random.h"
#include "agent/base/secret.h"

namespace gkmpd::crypto {

enum class Agreement : std::uint8_t { kX25519, kP256, kP384 };

/// Octets of a share: an X25519 public key, or an uncompressed point (SEC 1, 2.3.3).
[[nodiscard]] constexpr std::size_t share_size(Agreement agreement) {
  switch (agreement) {
    case Agreement::kX25519:
      return 32;
    case Agreement::kP256:
      return 1 + 2 * 32;
    case Agreement::kP384:
      return 1 + 2 * 48;
  }
  return 0;
}

/// Octets of a private key and of the shared secret.
[[nodiscard]] constexpr std::size_t secret_size(Agreement agreement) {
  return agreement == Agreement::kP384 ? 48 : 32;
}

/// An ephemeral key pair, used for one exchange: `agree` consumes it (profile P9: shares are used
/// once).
class EphemeralKey {
 public:
  [[nodiscard]] static EphemeralKey generate(Agreement agreement, Random& random);

  /// The ephemeral public key.
  [[nodiscard]] const Bytes& share() const { return share_; }

  /// The shared secret Z; on a curve of NIST the x coordinate. `crypto.bad-share` if the peer's
  /// share has another size, is off its curve, or gives the all-zero result.
  [[nodiscard]] Result<Secret> agree(ByteView peer) &&;

 private:
  EphemeralKey(Agreement agreement, Secret private_key, Bytes share);

  Agreement agreement_;
  Secret private_key_;
  Bytes share_;
};

}  // namespace gkmpd::crypto
