#include "tests/support/traffic/group_socket.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace gkmpd::traffic {
namespace {

tl::unexpected<std::string> failed(const std::string& what) {
  return tl::unexpected<std::string>(what + ": " + std::strerror(errno));
}

template <typename T>
bool set(const Socket& socket, int level, int option, const T& value) {
  return setsockopt(socket.fd(), level, option, &value, sizeof value) == 0;
}

Outcome<int> interface_index(const std::string& name) {
  const unsigned index = if_nametoindex(name.c_str());
  if (index == 0) return failed("interface " + name);
  return static_cast<int>(index);
}

/// IPv6 addresses of link scope mean nothing without an interface; others bear one.
void put_on_interface(Address& address, int index) {
  if (address.family() != AF_INET6) return;
  reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_scope_id =
      static_cast<std::uint32_t>(index);
}

Outcome<Socket> open_socket(int family) {
  Socket socket(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (socket.fd() < 0) return failed("socket");
  if (!set(socket, SOL_SOCKET, SO_REUSEADDR, 1)) return failed("SO_REUSEADDR");
  return socket;
}

bool set_outgoing(const Socket& socket, int family, int index, const SendOptions& options) {
  const int loop = options.loop ? 1 : 0;
  if (family == AF_INET6) {
    return set(socket, IPPROTO_IPV6, IPV6_MULTICAST_IF, index) &&
           set(socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, options.ttl) &&
           set(socket, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, loop);
  }
  ip_mreqn request{};
  request.imr_ifindex = index;
  return set(socket, IPPROTO_IP, IP_MULTICAST_IF, request) &&
         set(socket, IPPROTO_IP, IP_MULTICAST_TTL, options.ttl) &&
         set(socket, IPPROTO_IP, IP_MULTICAST_LOOP, loop);
}

bool join(const Socket& socket, const Address& group, int index) {
  if (group.family() == AF_INET6) {
    ipv6_mreq request{};
    request.ipv6mr_multiaddr = reinterpret_cast<const sockaddr_in6*>(&group.storage)->sin6_addr;
    request.ipv6mr_interface = static_cast<unsigned>(index);
    return set(socket, IPPROTO_IPV6, IPV6_JOIN_GROUP, request);
  }
  ip_mreqn request{};
  request.imr_multiaddr = reinterpret_cast<const sockaddr_in*>(&group.storage)->sin_addr;
  request.imr_ifindex = index;
  return set(socket, IPPROTO_IP, IP_ADD_MEMBERSHIP, request);
}

}  // namespace

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

Outcome<Address> parse_address(const std::string& text, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(text.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) return tl::unexpected(text + ": " + gai_strerror(error));
  Address address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.length = found->ai_addrlen;
  freeaddrinfo(found);
  return address;
}

std::string to_text(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&address)->sin_addr, text,
              sizeof text);
  } else if (address.ss_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr, text,
              sizeof text);
  }
  return text;
}

Outcome<Socket> open_sender(const GroupOptions& group, const SendOptions& options) {
  auto to = parse_address(group.group, group.port);
  if (!to) return tl::unexpected(to.error());
  const auto index = interface_index(group.interface);
  if (!index) return tl::unexpected(index.error());
  put_on_interface(*to, *index);
  auto socket = open_socket(to->family());
  if (!socket) return socket;

  if (!set_outgoing(*socket, to->family(), *index, options)) return failed("multicast options");
  if (!options.source.empty()) {
    auto from = parse_address(options.source, 0);
    if (!from) return tl::unexpected(from.error());
    put_on_interface(*from, *index);
    if (bind(socket->fd(), from->get(), from->length) != 0) return failed("bind " + options.source);
  }
  if (connect(socket->fd(), to->get(), to->length) != 0) return failed("connect " + group.group);
  return socket;
}

Outcome<Socket> open_receiver(const GroupOptions& group, const ReceiveOptions& options) {
  auto address = parse_address(group.group, group.port);
  if (!address) return tl::unexpected(address.error());
  const auto index = interface_index(group.interface);
  if (!index) return tl::unexpected(index.error());
  put_on_interface(*address, *index);
  auto socket = open_socket(address->family());
  if (!socket) return socket;

  // Force needs CAP_NET_ADMIN; without it the ordinary limit has to do.
  if (!set(*socket, SOL_SOCKET, SO_RCVBUFFORCE, options.buffer_octets) &&
      !set(*socket, SOL_SOCKET, SO_RCVBUF, options.buffer_octets)) {
    return failed("SO_RCVBUF");
  }
  if (!set(*socket, SOL_SOCKET, SO_RXQ_OVFL, 1)) return failed("SO_RXQ_OVFL");
  if (bind(socket->fd(), address->get(), address->length) != 0) return failed("bind");
  if (options.join && !join(*socket, *address, *index)) return failed("join " + group.group);
  return socket;
}

}  // namespace gkmpd::traffic
