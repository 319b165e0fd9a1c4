// The SAs of one or more hosts, as their kernels give them back, and the file they travel in.
#pragma once

#include <istream>
#include <ostream>

#include "tests/support/esp_open/pcap.h"

namespace gkmpd::esp_open {

struct SaKey {
  std::uint32_t spi = 0;
  std::string source;
  std::string destination;
  std::string algorithm;  // the kernel's name, "rfc4106(gcm(aes))" or "cbc(aes)"
  std::string auth;       // of the MAC, "hmac(sha256)"; empty with an AEAD
  std::uint32_t icv_bits = 0;
  std::uint32_t reqid = 0;
  std::uint32_t replay_window = 0;
  bool tunnel = false;
  bool esn = false;                 // sequence numbers of 64 bits
  std::uint32_t sequence_high = 0;  // upper half of the last one sent or received
  Octets key;                       // with an AEAD, salt last; none with NULL encryption
  Octets auth_key;                  // none with an AEAD
  friend bool operator==(const SaKey&, const SaKey&) = default;
};

/// Hexadecimal digits, lower case, an even number; false on anything else. Adds to `out`.
[[nodiscard]] bool read_hex(const std::string& text, Octets& out);

/// One SA a line, fields by blanks, keys in hex.
void write_keys(std::ostream& out, const std::vector<SaKey>& keys);
[[nodiscard]] tl::expected<std::vector<SaKey>, std::string> read_keys(std::istream& in);

/// Every ESP SA of an AEAD, or of a cipher with a MAC, in the kernel of the calling process's
/// network namespace, read through libnl-xfrm.
[[nodiscard]] tl::expected<std::vector<SaKey>, std::string> dump_kernel_keys();

}  // namespace gkmpd::esp_open
