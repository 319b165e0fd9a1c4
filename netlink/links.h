// Interfaces and their addresses, through libnl-route.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/address.h"
#include "agent/base/error.h"
#include "netlink/errors.h"

namespace gkmpd::netlink {

struct Link {
  unsigned index = 0;
  std::string name;
  bool up = false;
  std::uint32_t xfrm_if_id = 0;  // of an XFRM interface; 0: it is none
  std::vector<IpAddress> addresses;

  [[nodiscard]] bool has(const IpAddress& address) const;
};

/// The interface of that name in our network namespace. `netlink.no-such-link`,
/// `netlink.links-unreadable`.
[[nodiscard]] Result<Link> find_link(std::string_view name);

}  // namespace gkmpd::netlink
