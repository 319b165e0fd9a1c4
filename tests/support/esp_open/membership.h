// Reports of multicast membership, which hosts send in clear.
#pragma once

#include "tests/support/esp_open/packet.h"

namespace gkmpd::esp_open {

/// The groups whose membership an IGMP (versions 2 and 3) or MLD (1 and 2) packet reports; none
/// from any other packet.
[[nodiscard]] std::vector<std::string> reported_groups(const IpPacket& packet);

}  // namespace gkmpd::esp_open
