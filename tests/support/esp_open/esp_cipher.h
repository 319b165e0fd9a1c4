// ESP (RFC 4303) with AES-GCM (RFC 4106) or AES-CBC and HMAC-SHA-256-128 (RFC 3602, RFC 4868),
// opened with OpenSSL directly.
#pragma once

#include "tests/support/esp_open/packet.h"
#include "tests/support/esp_open/sa_keys.h"

namespace gkmpd::esp_open {

/// What stood inside an ESP packet.
struct EspContent {
  std::uint8_t next_header = 0;
  Octets payload;
};

/// Opens one packet with an SA's keys. Known are AES-GCM with keys of 128 and 256 bits and 16
/// octets of tag, and AES-128-CBC with HMAC-SHA-256 cut to 16 octets; sequence numbers have 32
/// bits. Fails, in words, on another algorithm or key length, if tag or ICV do not verify, and if
/// the padding is not RFC 4303's.
[[nodiscard]] tl::expected<EspContent, std::string> open_esp(const EspFrame& frame,
                                                             const SaKey& key);

}  // namespace gkmpd::esp_open
