// Base64 (RFC 4648 section 4, with padding): octets inside JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/base/bytes.h"

namespace gkmpd::daemon {

[[nodiscard]] std::string to_base64(ByteView octets);

/// Nothing unless `text` is just what to_base64 would have written.
[[nodiscard]] std::optional<Bytes> from_base64(std::string_view text);

}  // namespace gkmpd::daemon
