// From GTEK to the keys of ESP SAs (profile P12, P25; RFC 6054): one per sender and SPI.
#pragma once

#include "agent/base/error.h"
#include "agent/base/ids.h"
#include "agent/base/secret.h"
#include "xfrm/spec.h"

namespace gkmpd::keys {

inline constexpr std::uint8_t kMaxSpiRank = 15;

/// SPI = prefix (8 bits, 1-255) | rank (4) | epoch mod 16 (4) | sender id (16, 1 and up).
/// `keys.spi-field` if a field does not fit.
[[nodiscard]] Result<std::uint32_t> spi(std::uint8_t prefix, const EpochTuple& tuple,
                                        std::uint16_t sender_id);

/// Root of an epoch's ESP keys: GTEK bound to the signed statement. GTEK itself encrypts nothing.
class EspKeys {
 public:
  EspKeys(const Secret& gtek, const Digest& statement_hash);

  /// Key material, salt included, of one sender's SA.
  [[nodiscard]] Secret sender_key(xfrm::EspSuite suite, std::uint32_t spi,
                                  std::uint16_t sender_id) const;

 private:
  Secret root_;
};

}  // namespace gkmpd::keys
