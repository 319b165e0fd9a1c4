// Comparison of what an adversary may try to guess octet by octet.
#pragma once

#include "agent/base/bytes.h"

namespace gkmpd {

/// Same length and same octets; time depends on the length alone.
[[nodiscard]] bool equal_in_constant_time(ByteView a, ByteView b);

}  // namespace gkmpd
