#include "agent/daemon/udp_family.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "agent/daemon/errors.h"

// The option is older than the C library's name for it.
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

namespace gkmpd::daemon {
namespace {

tl::unexpected<Error> failed(std::string_view what) {
  return fail(kSocketFailed, fmt::format("{}: {}", what, std::strerror(errno)));
}

template <typename Raw>
Raw to_raw(const IpAddress& ip) {
  Raw out{};
  std::memcpy(&out, ip.octets.data(), sizeof out);
  return out;
}

template <typename Raw>
IpAddress from_raw(const Raw& raw) {
  IpAddress out;
  out.family = sizeof raw == sizeof(in_addr) ? IpFamily::kV4 : IpFamily::kV6;
  std::memcpy(out.octets.data(), &raw, sizeof raw);
  return out;
}

template <typename T>
bool set(int fd, int level, int option, const T& value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

Result<void> configure_v4(int fd, unsigned interface, int hops) {
  ip_mreqn out{};
  out.imr_ifindex = static_cast<int>(interface);
  if (!set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0)) return failed("IP_MULTICAST_LOOP");
  if (!set(fd, IPPROTO_IP, IP_MULTICAST_TTL, hops)) return failed("IP_MULTICAST_TTL");
  if (!set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0)) return failed("IP_MULTICAST_ALL");
  if (!set(fd, IPPROTO_IP, IP_PKTINFO, 1)) return failed("IP_PKTINFO");
  if (!set(fd, IPPROTO_IP, IP_MULTICAST_IF, out)) return failed("IP_MULTICAST_IF");
  return {};
}

Result<void> configure_v6(int fd, unsigned interface, int hops) {
  const auto out = static_cast<int>(interface);
  // IPv4 has a socket of its own at the same port.
  if (!set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) return failed("IPV6_V6ONLY");
  if (!set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0)) return failed("IPV6_MULTICAST_LOOP");
  if (!set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops)) return failed("IPV6_MULTICAST_HOPS");
  if (!set(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0)) return failed("IPV6_MULTICAST_ALL");
  if (!set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)) return failed("IPV6_RECVPKTINFO");
  if (!set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, out)) return failed("IPV6_MULTICAST_IF");
  return {};
}

template <typename Info>
void put_control(msghdr& message, int level, int type, const Info& info) {
  message.msg_controllen = CMSG_SPACE(sizeof info);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(header), &info, sizeof info);
}

template <typename Info>
Info get_control(const cmsghdr* header) {
  Info info{};
  std::memcpy(&info, CMSG_DATA(header), sizeof info);
  return info;
}

}  // namespace

int system_family(IpFamily family) { return family == IpFamily::kV4 ? AF_INET : AF_INET6; }

SystemAddress to_system(const SocketAddress& address) {
  SystemAddress out;
  if (address.ip.family == IpFamily::kV4) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    v4.sin_addr = to_raw<in_addr>(address.ip);
    out.size = sizeof v4;
    std::memcpy(&out.storage, &v4, sizeof v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    v6.sin6_addr = to_raw<in6_addr>(address.ip);
    out.size = sizeof v6;
    std::memcpy(&out.storage, &v6, sizeof v6);
  }
  return out;
}

std::optional<SocketAddress> from_system(const SystemAddress& address) {
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address.storage, sizeof v4);
    return SocketAddress{from_raw(v4.sin_addr), ntohs(v4.sin_port)};
  }
  if (address.storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address.storage, sizeof v6);
    return SocketAddress{from_raw(v6.sin6_addr), ntohs(v6.sin6_port)};
  }
  return std::nullopt;
}

Result<void> configure_multicast(int fd, IpFamily family, unsigned interface, int hops) {
  return family == IpFamily::kV4 ? configure_v4(fd, interface, hops)
                                 : configure_v6(fd, interface, hops);
}

Result<void> take_all_groups(int fd, IpFamily family) {
  const bool v4 = family == IpFamily::kV4;
  if (!set(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MULTICAST_ALL : IPV6_MULTICAST_ALL, 1)) {
    return failed("MULTICAST_ALL");
  }
  return {};
}

Result<void> change_membership(int fd, Membership change, const IpAddress& group,
                               unsigned interface) {
  const bool join = change == Membership::kJoin;
  bool done = false;
  if (group.family == IpFamily::kV4) {
    ip_mreqn wanted{};
    wanted.imr_multiaddr = to_raw<in_addr>(group);
    wanted.imr_ifindex = static_cast<int>(interface);
    done = set(fd, IPPROTO_IP, join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, wanted);
  } else {
    ipv6_mreq wanted{};
    wanted.ipv6mr_multiaddr = to_raw<in6_addr>(group);
    wanted.ipv6mr_interface = interface;
    done = set(fd, IPPROTO_IPV6, join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, wanted);
  }
  if (!done) return failed(fmt::format("{} {}", join ? "joining" : "leaving", group.text()));
  return {};
}

msghdr message_of(SystemAddress& peer, iovec& octets, PacketInfoBuffer& control) {
  msghdr message{};
  message.msg_name = peer.get();
  message.msg_namelen = peer.size;
  message.msg_iov = &octets;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof control;
  return message;
}

std::optional<PacketInfo> packet_info(msghdr& message) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      const auto info = get_control<in_pktinfo>(c);
      return PacketInfo{static_cast<unsigned>(info.ipi_ifindex), from_raw(info.ipi_addr)};
    }
    if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      const auto info = get_control<in6_pktinfo>(c);
      return PacketInfo{info.ipi6_ifindex, from_raw(info.ipi6_addr)};
    }
  }
  return std::nullopt;
}

void put_packet_info(msghdr& message, const PacketInfo& info) {
  if (info.address.family == IpFamily::kV4) {
    in_pktinfo v4{};
    v4.ipi_ifindex = static_cast<int>(info.interface);
    v4.ipi_spec_dst = to_raw<in_addr>(info.address);
    put_control(message, IPPROTO_IP, IP_PKTINFO, v4);
  } else {
    in6_pktinfo v6{};
    v6.ipi6_ifindex = info.interface;
    v6.ipi6_addr = to_raw<in6_addr>(info.address);
    put_control(message, IPPROTO_IPV6, IPV6_PKTINFO, v6);
  }
}

}  // namespace gkmpd::daemon
