// Names of what can be wrong with octets from the network.
#pragma once

#include "agent/base/error.h"

namespace gkmpd::wire {

inline constexpr ErrorKind kTruncated{"wire.truncated"};
inline constexpr ErrorKind kTooLong{"wire.too-long"};
inline constexpr ErrorKind kTrailing{"wire.trailing-octets"};
inline constexpr ErrorKind kBadMagic{"wire.bad-magic"};
inline constexpr ErrorKind kUnknownVersion{"wire.unknown-version"};
inline constexpr ErrorKind kUnknownSuite{"wire.unknown-suite"};
inline constexpr ErrorKind kUnknownType{"wire.unknown-type"};
inline constexpr ErrorKind kUnknownFlag{"wire.unknown-flag"};
inline constexpr ErrorKind kUnknownRole{"wire.unknown-role"};
inline constexpr ErrorKind kWrongRole{"wire.wrong-role"};
inline constexpr ErrorKind kBadFragment{"wire.bad-fragment"};
inline constexpr ErrorKind kUnknownItem{"wire.unknown-critical-item"};
inline constexpr ErrorKind kRepeatedItem{"wire.repeated-item"};
inline constexpr ErrorKind kItemOrder{"wire.item-order"};
inline constexpr ErrorKind kMissingItem{"wire.missing-item"};
inline constexpr ErrorKind kUnexpectedItem{"wire.unexpected-item"};
inline constexpr ErrorKind kBadValue{"wire.bad-value"};

}  // namespace gkmpd::wire
