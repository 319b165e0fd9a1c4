// ESP with AES-GCM (RFC 4303, RFC 4106) opened with OpenSSL's EVP directly.
#pragma once

#include <optional>

#include "tests/support/esp_open/packet.h"

namespace gkmpd::esp_open {

/// What stood inside an ESP packet.
struct EspContent {
  std::uint8_t next_header = 0;
  Octets payload;
};

/// `key_material` is an AES-128 key and RFC 4106's four octets of salt; the tag has 16 octets and
/// sequence numbers 32 bits. None if the tag does not verify or the padding is not RFC 4303's.
[[nodiscard]] std::optional<EspContent> open_esp(const EspFrame& frame, View key_material);

}  // namespace gkmpd::esp_open
