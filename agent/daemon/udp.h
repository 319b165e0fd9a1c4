// The UDP sockets of GKMP, one for each family that this host has an address of: unicast and
// multicast control, on one interface.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <vector>

#include "agent/base/address.h"
#include "agent/base/bytes.h"
#include "agent/base/error.h"
#include "agent/base/fd.h"
#include "agent/daemon/counters.h"

namespace gkmpd::daemon {

/// Control multicast stays on its segment: heartbeats concern those whose keys come from there, and
/// nobody beyond a router is told who controls what. TTL, or hop limit.
inline constexpr int kControlMulticastTtl = 1;

/// Octets asked for: some thousand datagrams, as when a whole group answers at once.
inline constexpr int kReceiveBufferOctets = 4 * 1024 * 1024;

/// Datagrams taken at one wakeup, so that a flood cannot starve timers and operators.
inline constexpr int kMaxReadsPerWakeup = 64;

/// What the kernel tells about a datagram beside its octets.
struct Arrival {
  unsigned interface = 0;  // index
  IpAddress destination;
  std::size_t size = 0;
  bool truncated = false;
  std::uint8_t type = 0;  // of the message, as its header says; 0 if it has none
};

/// Where datagrams may arrive.
struct Reach {
  unsigned interface = 0;  // index of the configured one
  unsigned loopback = 0;   // index of `lo`
  IpAddress own;
  std::set<IpAddress> joined;
};

/// Why a datagram goes no further, if it does not. Multicast must be a heartbeat, since a first
/// message to a whole group would set every member to work for one datagram (profile S23), and must
/// come in on the configured interface to a group joined there; unicast on that interface to the
/// configured address: the kernel itself would take a datagram for that address from any interface,
/// and so would open the agent to networks that the operator did not name. The loopback interface
/// passes for unicast, since that is where a host's datagrams to itself come in.
[[nodiscard]] std::optional<ErrorKind> refuse_arrival(const Arrival& arrival, const Reach& reach);

class UdpSocket {
 public:
  /// Of the family of `own`, bound to any address at its port, because a socket bound to a unicast
  /// address gets no multicast. `daemon.socket-failed`.
  [[nodiscard]] static Result<UdpSocket> open(const SocketAddress& own, unsigned interface);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] IpFamily family() const { return own_.ip.family; }

  using Take = std::function<void(const SocketAddress& from, ByteView octets)>;
  /// Hands on what waits, at most kMaxReadsPerWakeup datagrams; the others are counted by cause.
  void read(const Take& take, Counters& counters);

  /// From the configured address through the configured interface, to an address of our family.
  /// What cannot be sent is counted: whoever wants an answer repeats itself.
  void send(const SocketAddress& to, ByteView octets, Counters& counters);

  /// Joins or leaves on the configured interface. Joining twice changes nothing. The kernel
  /// limits what one socket may join (net.ipv4.igmp_max_memberships): the rest is joined by others,
  /// which do nothing else.
  [[nodiscard]] Result<void> join(const IpAddress& group);
  [[nodiscard]] Result<void> leave(const IpAddress& group);
  /// Leaves everything, and goes on with another interface, or the same after it was away.
  [[nodiscard]] Result<void> move_to(unsigned interface);

 private:
  UdpSocket(Fd fd, const SocketAddress& own, unsigned interface);
  [[nodiscard]] Result<void> join_elsewhere(const IpAddress& group);

  Fd fd_;
  SocketAddress own_;
  Reach reach_;
  std::vector<Fd> joiners_;
};

/// That of `family`; null if there is none.
[[nodiscard]] UdpSocket* find_socket(std::vector<UdpSocket>& sockets, IpFamily family);

}  // namespace gkmpd::daemon
