// From GTEK to the keys of ESP SAs (profile P12, P25; RFC 6054): one per sender and SPI.
#pragma once

#include "agent/base/error.h"
#include "agent/base/ids.h"
#include "agent/base/secret.h"
#include "agent/crypto/hash.h"
#include "xfrm/spec.h"

namespace gkmpd::keys {

inline constexpr std::uint8_t kMaxSpiRank = 15;
/// In the place of a sender id: the one SA of all senders.
inline constexpr std::uint16_t kSharedSenderId = 0;

/// SPI = prefix (8 bits, 1-255) | rank (4) | epoch mod 16 (4) | sender id (16).
/// `keys.spi-field` if a field does not fit.
[[nodiscard]] Result<std::uint32_t> spi(std::uint8_t prefix, const EpochTuple& tuple,
                                        std::uint16_t sender_id);

/// Root of an epoch's ESP keys: GTEK bound to the signed statement. GTEK itself encrypts nothing.
class EspKeys {
 public:
  /// `hash` is the suite's.
  EspKeys(crypto::Hash hash, const Secret& gtek, const Digest& statement_hash);

  /// Key material, salt included, of one sender's SA.
  [[nodiscard]] Secret sender_key(xfrm::EspSuite suite, std::uint32_t spi,
                                  std::uint16_t sender_id) const;
  /// The same of the SA that all senders share. Not for a suite in counter mode (RFC 6054).
  [[nodiscard]] Secret shared_key(xfrm::EspSuite suite, std::uint32_t spi) const;

 private:
  crypto::Hash hash_;
  Secret root_;
};

}  // namespace gkmpd::keys
