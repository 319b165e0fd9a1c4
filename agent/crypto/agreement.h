// X25519 key agreement (RFC 7748).
#pragma once

#include "agent/base/bytes.h"
#include "agent/base/error.h"
#include "agent/base/random.h"
#include "agent/base/secret.h"

namespace gkmpd::crypto {

inline constexpr std::size_t kShareSize = 32;
/// A share is an ephemeral public key.
using Share = ByteArray<kShareSize>;

/// An ephemeral key pair, used for one exchange: `agree` consumes it (profile P9: shares are used
/// once).
class EphemeralKey {
 public:
  [[nodiscard]] static EphemeralKey generate(Random& random);

  [[nodiscard]] const Share& share() const { return share_; }

  /// The shared secret Z. `crypto.bad-share` if the peer's share gives the all-zero result.
  [[nodiscard]] Result<Secret> agree(const Share& peer) &&;

 private:
  EphemeralKey(Secret private_key, const Share& share);

  Secret private_key_;
  Share share_{};
};

}  // namespace gkmpd::crypto
