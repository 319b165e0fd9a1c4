// Names of what can go wrong between a group's spec and the kernel.
#pragma once

#include "agent/base/error.h"

namespace gkmpd::xfrm {

/// The spec asks for something that the kernel would take and we must not: see `check`.
inline constexpr ErrorKind kBadSpec{"xfrm.bad-spec"};
/// Somebody else's SA has the destination and SPI (profile P25: a new epoch is the answer).
inline constexpr ErrorKind kForeignSa{"xfrm.foreign-sa"};
/// Somebody else's policy has the selector and priority.
inline constexpr ErrorKind kForeignPolicy{"xfrm.foreign-policy"};
/// Somebody else's policy has the index of ours.
inline constexpr ErrorKind kIndexTaken{"xfrm.index-taken"};
/// The kernel refused an operation; the detail has errno and its own words.
inline constexpr ErrorKind kRefused{"xfrm.refused"};
/// The kernel lacks XFRM, ESP or the algorithm.
inline constexpr ErrorKind kUnsupported{"xfrm.unsupported"};
/// A message of the kernel that does not decode.
inline constexpr ErrorKind kBadMessage{"xfrm.bad-message"};

}  // namespace gkmpd::xfrm
