// What stands in the kernel, read by libnl-xfrm and told as text: shares nothing with our decoders.
#pragma once

#include <set>
#include <string>

#include "tests/kernel/segment.h"

namespace gkmpd::test {

/// One line for each SA or policy of the host, for example
/// "esp 10.9.0.1 > 239.1.1.1 spi 0x0a000001 reqid 0x47001002 mode 0 sel 10.9.0.1 > 239.1.1.1 proto
/// 0 aead rfc4106(gcm(aes)) KEY icv 128 window 1024 hard 3600", or in place of the AEAD "crypt
/// cbc(aes) KEY auth hmac(sha256) KEY trunc 128".
[[nodiscard]] std::set<std::string> read_sas(const Segment& segment, const std::string& host);
[[nodiscard]] std::set<std::string> read_policies(const Segment& segment, const std::string& host);

}  // namespace gkmpd::test
