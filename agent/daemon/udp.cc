#include "agent/daemon/udp.h"

#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "agent/daemon/errors.h"
#include "agent/wire/header.h"

namespace gkmpd::daemon {
namespace {

tl::unexpected<Error> failed(const std::string& what) {
  return fail(kSocketFailed, fmt::format("{}: {}", what, std::strerror(errno)));
}

in_addr to_in_addr(const IpAddress& ip) {
  in_addr out{};
  std::memcpy(&out, ip.octets.data(), sizeof out);
  return out;
}

IpAddress from_in_addr(const in_addr& in) {
  IpAddress out;
  std::memcpy(out.octets.data(), &in, sizeof in);
  return out;
}

sockaddr_in to_sockaddr(const SocketAddress& address) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(address.port);
  out.sin_addr = to_in_addr(address.ip);
  return out;
}

bool set_option(int fd, int level, int option, int value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

Result<void> configure(int fd, unsigned interface) {
  // Own multicast is not looped back: nobody else on this host listens to GKMP.
  if (!set_option(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0)) return failed("IP_MULTICAST_LOOP");
  if (!set_option(fd, IPPROTO_IP, IP_MULTICAST_TTL, kControlMulticastTtl)) {
    return failed("IP_MULTICAST_TTL");
  }
  // Else the kernel hands over every group that any program on this host has joined.
  if (!set_option(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0)) return failed("IP_MULTICAST_ALL");
  if (!set_option(fd, IPPROTO_IP, IP_PKTINFO, 1)) return failed("IP_PKTINFO");
  ip_mreqn out{};
  out.imr_ifindex = static_cast<int>(interface);
  if (::setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof out) != 0) {
    return failed("IP_MULTICAST_IF");
  }
  // With CAP_NET_ADMIN beyond the system's limit, without it up to the limit: less is no failure.
  if (!set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBufferOctets)) {
    (void)set_option(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBufferOctets);
  }
  return {};
}

/// Room for IP_PKTINFO, aligned as control messages want it.
union PacketInfoBuffer {
  cmsghdr header;
  std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> octets;
};

std::optional<in_pktinfo> packet_info(msghdr& message) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO) continue;
    in_pktinfo info{};
    std::memcpy(&info, CMSG_DATA(c), sizeof info);
    return info;
  }
  return std::nullopt;
}

}  // namespace

std::optional<ErrorKind> refuse_arrival(const Arrival& arrival, const Reach& reach) {
  if (arrival.truncated || arrival.size > wire::kMaxDatagram) return kUdpTooLong;
  const bool on_interface = arrival.interface == reach.interface;
  if (arrival.destination.is_multicast()) {
    if (!on_interface) return kUdpOtherInterface;
    if (!reach.joined.contains(arrival.destination)) return kUdpOtherDestination;
    return std::nullopt;
  }
  if (arrival.destination != reach.own) return kUdpOtherDestination;
  if (!on_interface && arrival.interface != reach.loopback) return kUdpOtherInterface;
  return std::nullopt;
}

UdpSocket::UdpSocket(Fd fd, const SocketAddress& own, unsigned interface)
    : fd_(std::move(fd)), own_(own), reach_{interface, ::if_nametoindex("lo"), own.ip, {}} {}

Result<UdpSocket> UdpSocket::open(const SocketAddress& own, unsigned interface) {
  Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return failed("UDP socket");
  auto configured = configure(fd.get(), interface);
  if (!configured) return pass_on(configured);
  const sockaddr_in any = to_sockaddr({IpAddress{}, own.port});
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) {
    return failed(fmt::format("UDP port {}", own.port));
  }
  return UdpSocket(std::move(fd), own, interface);
}

void UdpSocket::read(const Take& take, Counters& counters) {
  for (int i = 0; i < kMaxReadsPerWakeup; ++i) {
    // One octet more than any datagram of ours, so that a longer one shows.
    std::array<std::uint8_t, wire::kMaxDatagram + 1> octets;
    sockaddr_in from{};
    PacketInfoBuffer control{};
    iovec part{octets.data(), octets.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    const auto got = ::recvmsg(fd_.get(), &message, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got < 0) return counters.count(kUdpReceiveFailed);

    const auto info = packet_info(message);
    if (!info) {
      counters.count(kUdpNoPacketInfo);
      continue;
    }
    const Arrival arrival{static_cast<unsigned>(info->ipi_ifindex), from_in_addr(info->ipi_addr),
                          static_cast<std::size_t>(got), (message.msg_flags & MSG_TRUNC) != 0};
    if (auto refused = refuse_arrival(arrival, reach_)) {
      counters.count(*refused);
      continue;
    }
    take({from_in_addr(from.sin_addr), ntohs(from.sin_port)}, {octets.data(), arrival.size});
  }
}

void UdpSocket::send(const SocketAddress& to, ByteView octets, Counters& counters) {
  sockaddr_in address = to_sockaddr(to);
  iovec part{const_cast<std::uint8_t*>(octets.data()), octets.size()};
  PacketInfoBuffer control{};
  msghdr message{};
  message.msg_name = &address;
  message.msg_namelen = sizeof address;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = IPPROTO_IP;
  header->cmsg_type = IP_PKTINFO;
  header->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
  in_pktinfo info{};
  info.ipi_ifindex = static_cast<int>(reach_.interface);
  info.ipi_spec_dst = to_in_addr(own_.ip);
  std::memcpy(CMSG_DATA(header), &info, sizeof info);
  if (::sendmsg(fd_.get(), &message, MSG_NOSIGNAL) < 0) counters.count(kUdpSendFailed);
}

Result<void> UdpSocket::join(const IpAddress& group) {
  if (reach_.joined.contains(group)) return {};
  ip_mreqn wanted{};
  wanted.imr_multiaddr = to_in_addr(group);
  wanted.imr_ifindex = static_cast<int>(reach_.interface);
  if (::setsockopt(fd_.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &wanted, sizeof wanted) != 0) {
    return failed(fmt::format("joining {}", group.text()));
  }
  reach_.joined.insert(group);
  return {};
}

Result<void> UdpSocket::leave(const IpAddress& group) {
  if (reach_.joined.erase(group) == 0) return {};
  ip_mreqn wanted{};
  wanted.imr_multiaddr = to_in_addr(group);
  wanted.imr_ifindex = static_cast<int>(reach_.interface);
  if (::setsockopt(fd_.get(), IPPROTO_IP, IP_DROP_MEMBERSHIP, &wanted, sizeof wanted) != 0) {
    return failed(fmt::format("leaving {}", group.text()));
  }
  return {};
}

}  // namespace gkmpd::daemon
