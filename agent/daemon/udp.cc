#include "agent/daemon/udp.h"

#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "agent/daemon/errors.h"
#include "agent/daemon/udp_family.h"
#include "agent/wire/header.h"

namespace gkmpd::daemon {
namespace {

tl::unexpected<Error> failed(const std::string& what) {
  return fail(kSocketFailed, fmt::format("{}: {}", what, std::strerror(errno)));
}

void widen_receive_buffer(int fd) {
  constexpr int kWanted = kReceiveBufferOctets;
  // With CAP_NET_ADMIN beyond the system's limit, without it up to the limit: less is no failure.
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kWanted, sizeof kWanted) != 0) {
    (void)::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kWanted, sizeof kWanted);
  }
}

}  // namespace

std::optional<ErrorKind> refuse_arrival(const Arrival& arrival, const Reach& reach) {
  if (arrival.truncated || arrival.size > wire::kMaxDatagram) return kUdpTooLong;
  const bool on_interface = arrival.interface == reach.interface;
  if (arrival.destination.is_multicast()) {
    if (!on_interface) return kUdpOtherInterface;
    if (!reach.joined.contains(arrival.destination)) return kUdpOtherDestination;
    if (!wire::is_multicast(static_cast<wire::MessageType>(arrival.type))) {
      return kUdpNotForMulticast;
    }
    return std::nullopt;
  }
  if (arrival.destination != reach.own) return kUdpOtherDestination;
  if (wire::is_multicast(static_cast<wire::MessageType>(arrival.type))) return kUdpNotForUnicast;
  if (!on_interface && arrival.interface != reach.loopback) return kUdpOtherInterface;
  return std::nullopt;
}

UdpSocket::UdpSocket(Fd fd, const SocketAddress& own, unsigned interface)
    : fd_(std::move(fd)), own_(own), reach_{interface, ::if_nametoindex("lo"), own.ip, {}} {}

Result<UdpSocket> UdpSocket::open(const SocketAddress& own, unsigned interface) {
  const IpFamily family = own.ip.family;
  Fd fd(::socket(system_family(family), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return failed("UDP socket");
  auto configured = configure_multicast(fd.get(), family, interface, kControlMulticastTtl);
  if (!configured) return pass_on(configured);
  widen_receive_buffer(fd.get());
  IpAddress any;
  any.family = family;
  SystemAddress address = to_system({any, own.port});
  if (::bind(fd.get(), address.get(), address.size) != 0) {
    return failed(fmt::format("UDP port {}", own.port));
  }
  return UdpSocket(std::move(fd), own, interface);
}

void UdpSocket::read(const Take& take, Counters& counters) {
  for (int i = 0; i < kMaxReadsPerWakeup; ++i) {
    // One octet more than any datagram of ours, so that a longer one shows.
    std::array<std::uint8_t, wire::kMaxDatagram + 1> octets;
    SystemAddress peer;
    PacketInfoBuffer control{};
    iovec part{octets.data(), octets.size()};
    msghdr message = message_of(peer, part, control);
    const auto got = ::recvmsg(fd_.get(), &message, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got < 0) return counters.count(kUdpReceiveFailed);

    const auto info = packet_info(message);
    const auto from = from_system(peer);
    if (!info || !from) {
      counters.count(kUdpNoPacketInfo);
      continue;
    }
    const auto size = static_cast<std::size_t>(got);
    const Arrival arrival{info->interface, info->address, size,
                          (message.msg_flags & MSG_TRUNC) != 0,
                          size > wire::kTypeAt ? octets[wire::kTypeAt] : std::uint8_t{0}};
    if (auto refused = refuse_arrival(arrival, reach_)) {
      counters.count(*refused);
      continue;
    }
    take(*from, {octets.data(), arrival.size});
  }
}

void UdpSocket::send(const SocketAddress& to, ByteView octets, Counters& counters) {
  SystemAddress address = to_system(to);
  iovec part{const_cast<std::uint8_t*>(octets.data()), octets.size()};
  PacketInfoBuffer control{};
  msghdr message = message_of(address, part, control);
  put_packet_info(message, {reach_.interface, own_.ip});
  if (::sendmsg(fd_.get(), &message, MSG_NOSIGNAL) < 0) counters.count(kUdpSendFailed);
}

Result<void> UdpSocket::join(const IpAddress& group) {
  if (reach_.joined.contains(group)) return {};
  auto joined = change_membership(fd_.get(), Membership::kJoin, group, reach_.interface);
  if (!joined) joined = join_elsewhere(group);
  if (joined) reach_.joined.insert(group);
  return joined;
}

Result<void> UdpSocket::join_elsewhere(const IpAddress& group) {
  for (const Fd& joiner : joiners_) {
    if (change_membership(joiner.get(), Membership::kJoin, group, reach_.interface)) return {};
  }
  Fd joiner(::socket(system_family(family()), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!joiner) return failed("UDP socket");
  auto joined = change_membership(joiner.get(), Membership::kJoin, group, reach_.interface);
  if (!joined) return joined;
  auto heard = take_all_groups(fd_.get(), family());
  if (heard) joiners_.push_back(std::move(joiner));
  return heard;
}

Result<void> UdpSocket::leave(const IpAddress& group) {
  if (reach_.joined.erase(group) == 0) return {};
  auto left = change_membership(fd_.get(), Membership::kLeave, group, reach_.interface);
  for (const Fd& joiner : joiners_) {
    if (left) break;
    left = change_membership(joiner.get(), Membership::kLeave, group, reach_.interface);
  }
  return left;
}

Result<void> UdpSocket::move_to(unsigned interface) {
  const std::set<IpAddress> joined = reach_.joined;
  // Of an interface that is gone the memberships may be gone too.
  for (const IpAddress& group : joined) (void)leave(group);
  reach_.interface = interface;
  return configure_multicast(fd_.get(), family(), interface, kControlMulticastTtl);
}

UdpSocket* find_socket(std::vector<UdpSocket>& sockets, IpFamily family) {
  const auto found = std::ranges::find(sockets, family, &UdpSocket::family);
  return found == sockets.end() ? nullptr : &*found;
}

}  // namespace gkmpd::daemon
