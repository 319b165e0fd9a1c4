// What libnl-xfrm does not know of SAs and policies, from a dump read by hand.
#pragma once

#include <set>
#include <string>

#include "tests/kernel/segment.h"

namespace gkmpd::test {

/// "SA spi 0x0a000001 mark 0x2a/0xff if_id 7 extra 0x0 dir none" of each ESP SA in that host's
/// kernel.
[[nodiscard]] std::set<std::string> read_raw_sas(const Segment& segment, const std::string& host);
/// "policy index 0x47000719 mark 0x0/0x0 if_id 0 dev 0" of each policy.
[[nodiscard]] std::set<std::string> read_raw_policies(const Segment& segment,
                                                      const std::string& host);

}  // namespace gkmpd::test
