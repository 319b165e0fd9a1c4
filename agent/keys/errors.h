// Names of what can be wrong with group keys.
#pragma once

#include "agent/base/error.h"

namespace gkmpd::keys {

inline constexpr ErrorKind kBadPacket{"keys.bad-packet"};
inline constexpr ErrorKind kBadCommitment{"keys.bad-commitment"};
inline constexpr ErrorKind kSpiField{"keys.spi-field"};

}  // namespace gkmpd::keys
