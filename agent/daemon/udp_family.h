// What differs between UDP over IPv4 and over IPv6: addresses, options and packet information.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <optional>

#include "agent/base/address.h"
#include "agent/base/error.h"

namespace gkmpd::daemon {

/// A socket address as system calls take it.
struct SystemAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

[[nodiscard]] SystemAddress to_system(const SocketAddress& address);
/// Nothing for a family that is not ours.
[[nodiscard]] std::optional<SocketAddress> from_system(const SystemAddress& address);

[[nodiscard]] int system_family(IpFamily family);

/// Multicast goes out through `interface` with `hops`, is not looped back, and comes in only for
/// groups that the socket itself has joined; every datagram tells where it arrived.
/// `daemon.socket-failed`.
[[nodiscard]] Result<void> configure_multicast(int fd, IpFamily family, unsigned interface,
                                               int hops);

/// Lets in what other sockets of this host have joined too. `daemon.socket-failed`.
[[nodiscard]] Result<void> take_all_groups(int fd, IpFamily family);

/// `daemon.socket-failed`.
enum class Membership { kJoin, kLeave };
[[nodiscard]] Result<void> change_membership(int fd, Membership change, const IpAddress& group,
                                             unsigned interface);

/// Room for the packet information of either family, aligned as control messages want it.
union PacketInfoBuffer {
  cmsghdr header;
  std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))> octets;
};

struct PacketInfo {
  unsigned interface = 0;  // index
  /// Where the datagram was sent to; or, of one to be sent, where it is to come from.
  IpAddress address;
};
/// The header of one datagram for recvmsg or sendmsg; it points to all three.
[[nodiscard]] msghdr message_of(SystemAddress& peer, iovec& octets, PacketInfoBuffer& control);

/// Nothing if the kernel told none.
[[nodiscard]] std::optional<PacketInfo> packet_info(msghdr& message);
/// Puts it into the control buffer that `message` names and sets the buffer's length.
void put_packet_info(msghdr& message, const PacketInfo& info);

}  // namespace gkmpd::daemon
