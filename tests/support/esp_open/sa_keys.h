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
  std::string algorithm;  // the kernel's name, "rfc4106(gcm(aes))"
  std::uint32_t icv_bits = 0;
  std::uint32_t reqid = 0;
  std::uint32_t replay_window = 0;
  Octets key;  // salt last
  friend bool operator==(const SaKey&, const SaKey&) = default;
};

/// One SA a line, fields by blanks, key in hex.
void write_keys(std::ostream& out, const std::vector<SaKey>& keys);
[[nodiscard]] tl::expected<std::vector<SaKey>, std::string> read_keys(std::istream& in);

/// Every AEAD ESP SA in the kernel of the calling process's network namespace, read through
/// libnl-xfrm.
[[nodiscard]] tl::expected<std::vector<SaKey>, std::string> dump_kernel_keys();

}  // namespace gkmpd::esp_open
