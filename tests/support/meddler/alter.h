// What a meddler makes of a datagram's octets. Nothing of it was ever sent by anybody.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/base/bytes.h"

namespace gkmpd::meddler {

/// Gives a number from 0 to `bound` - 1.
using Draw = std::function<std::size_t(std::size_t bound)>;

struct Altered {
  std::string how;  // "group-id", "tag", "cut-to-half": the same names for every datagram
  Bytes octets;
};

/// One flipped bit in each field of the header, several in the body, one near and one at the end of
/// the seal's tag or in the signature. `datagram` is one that wire::decode_datagram takes.
[[nodiscard]] std::vector<Altered> tampered(ByteView datagram, const Draw& draw);

/// From nothing at all to all but one octet.
[[nodiscard]] std::vector<Altered> truncated(ByteView datagram);

/// Two groups' messages of one step mixed: the group's id alone, the whole header, the whole body.
[[nodiscard]] std::vector<Altered> grafted(ByteView datagram, ByteView others);

}  // namespace gkmpd::meddler
