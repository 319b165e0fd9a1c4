#include "agent/ctl/udp_link.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>

#include "agent/daemon/udp_family.h"
#include "agent/wire/header.h"

namespace gkmpd::ctl {
namespace {

tl::unexpected<Error> failed(const std::string& what) {
  return fail(kLinkFailed, what + ": " + std::strerror(errno));
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

}  // namespace

std::optional<SocketAddress> parse_endpoint(std::string_view text) {
  if (const auto bare = IpAddress::parse(text)) return SocketAddress{*bare, 0};
  const auto colon = text.rfind(':');
  const bool with_port = colon != std::string_view::npos && !text.ends_with(']');
  std::string_view host = with_port ? text.substr(0, colon) : text;
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto ip = IpAddress::parse(host);
  if (!ip || bracketed != (ip->family == IpFamily::kV6)) return std::nullopt;
  if (!with_port) return SocketAddress{*ip, 0};
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return std::nullopt;
  return SocketAddress{*ip, *port};
}

Result<SocketAddress> read_endpoint(const std::string& text) {
  const auto endpoint = parse_endpoint(text);
  if (endpoint) return *endpoint;
  return fail(kBadEndpoint,
              text + " is no address: give one such as 10.9.0.1, 10.9.0.1:8480 or [fd09::1]:8480");
}

Result<UdpLink> UdpLink::open(const SocketAddress& peer, const std::optional<IpAddress>& own) {
  daemon::SystemAddress to = daemon::to_system(peer);
  Fd fd(::socket(daemon::system_family(peer.ip.family), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                 0));
  if (!fd) return failed("UDP socket");
  if (own) {
    daemon::SystemAddress from = daemon::to_system({*own, 0});
    if (::bind(fd.get(), from.get(), from.size) != 0) return failed("address " + own->text());
  }
  if (::connect(fd.get(), to.get(), to.size) != 0) return failed(peer.text());
  return UdpLink(std::move(fd));
}

void UdpLink::send(ByteView octets) {
  (void)::send(fd_.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
}

std::optional<Bytes> UdpLink::read(std::chrono::milliseconds wait) {
  pollfd ready{fd_.get(), POLLIN, 0};
  const auto bounded = std::clamp<std::int64_t>(wait.count(), 0, INT_MAX);
  if (::poll(&ready, 1, static_cast<int>(bounded)) <= 0) return std::nullopt;
  // One octet more than any datagram of ours, so that a longer one shows.
  Bytes octets(wire::kMaxDatagram + 1);
  // "Connection refused" comes here too: nobody listens there now, and that may pass.
  const auto got = ::recv(fd_.get(), octets.data(), octets.size(), 0);
  if (got < 0) return std::nullopt;
  octets.resize(static_cast<std::size_t>(got));
  return octets;
}

}  // namespace gkmpd::ctl
