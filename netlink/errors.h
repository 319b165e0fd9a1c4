// Names of what can go wrong between us and a netlink socket.
#pragma once

#include "agent/base/error.h"

namespace gkmpd::netlink {

/// The socket could not be made, bound or configured (EPERM: CAP_NET_ADMIN is missing).
inline constexpr ErrorKind kOpenFailed{"netlink.open-failed"};
/// Nothing was sent: the kernel refused the datagram as such.
inline constexpr ErrorKind kSendFailed{"netlink.send-failed"};
inline constexpr ErrorKind kReceiveFailed{"netlink.receive-failed"};
/// ENOBUFS: replies or events were lost. What the kernel holds must be read again.
inline constexpr ErrorKind kOverrun{"netlink.overrun"};
/// The kernel answered a request with an error; the detail has errno and extack text.
inline constexpr ErrorKind kKernelRefused{"netlink.kernel-refused"};
/// A reply that is missing, truncated, not the kernel's, not ours or of the wrong type.
inline constexpr ErrorKind kBadReply{"netlink.bad-reply"};
/// A dump kept changing while it was read (NLM_F_DUMP_INTR) on every try.
inline constexpr ErrorKind kDumpInterrupted{"netlink.dump-interrupted"};
/// A message did not fit into the batch; it was dropped whole.
inline constexpr ErrorKind kBatchFull{"netlink.batch-full"};
inline constexpr ErrorKind kNoSuchLink{"netlink.no-such-link"};
inline constexpr ErrorKind kLinksUnreadable{"netlink.links-unreadable"};

}  // namespace gkmpd::netlink
