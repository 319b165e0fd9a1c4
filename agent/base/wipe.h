// Making octets unreadable.
#pragma once

#include "agent/base/bytes.h"

namespace gkmpd {

/// Overwrites `bytes` with zeros in a way that the compiler does not drop.
void wipe(std::span<std::uint8_t> bytes);

}  // namespace gkmpd
