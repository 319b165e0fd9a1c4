// ESP (RFC 4303), opened with OpenSSL directly: AES-GCM (RFC 4106), ChaCha20-Poly1305 (RFC 7634),
// AES-GMAC (RFC 4543), AES-CBC (RFC 3602) or NULL (RFC 2410) with HMAC-SHA-2 (RFC 4868).
#pragma once

#include "tests/support/esp_open/packet.h"
#include "tests/support/esp_open/sa_keys.h"

namespace gkmpd::esp_open {

/// What stood inside an ESP packet.
struct EspContent {
  std::uint8_t next_header = 0;
  Octets payload;
  std::uint64_t sequence =
      0;  // whole: with ESN, with the upper half that the packet verified under
};

/// Opens one packet with an SA's keys. Of an SA with extended sequence numbers the upper half is
/// tried that the key names, and its neighbours. Fails, in words, on another algorithm, key length
/// or ICV length, if tag or ICV do not verify, and if the padding is not RFC 4303's.
[[nodiscard]] tl::expected<EspContent, std::string> open_esp(const EspFrame& frame,
                                                             const SaKey& key);

}  // namespace gkmpd::esp_open
