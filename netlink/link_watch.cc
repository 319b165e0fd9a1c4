#include "netlink/link_watch.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

namespace gkmpd::netlink {

Result<LinkWatch> LinkWatch::open() {
  auto socket =
      Socket::open(NETLINK_ROUTE, {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR});
  if (!socket) return pass_on(socket);
  return LinkWatch(*std::move(socket));
}

Result<bool> LinkWatch::read() {
  bool changed = false;
  const auto on_event = [&changed](const Message& message) -> Result<void> {
    changed = changed || message.type == RTM_NEWLINK || message.type == RTM_DELLINK ||
              message.type == RTM_NEWADDR || message.type == RTM_DELADDR;
    return {};
  };
  auto read = socket_.read_events(on_event);
  if (read) return changed;
  if (read.error().kind == kReceiveFailed) return pass_on(read);
  return true;
}

}  // namespace gkmpd::netlink
