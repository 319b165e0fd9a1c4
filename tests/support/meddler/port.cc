#include "tests/support/meddler/port.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace gkmpd::meddler {
namespace {

constexpr int kBufferOctets = 8 << 20;

template <typename T>
bool set(int fd, int level, int option, const T& value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

}  // namespace

tl::expected<Port, std::string> Port::open(const std::string& interface) {
  const auto failed = [&](const char* what) {
    return tl::unexpected(interface + ": " + what + ": " + std::strerror(errno));
  };
  const unsigned index = if_nametoindex(interface.c_str());
  if (index == 0) return failed("interface");
  // No protocol yet: nothing is taken before the socket knows which interface is its own.
  Port port(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), interface);
  if (port.fd_ < 0) return failed("socket");
  packet_mreq promiscuous{};
  promiscuous.mr_ifindex = static_cast<int>(index);
  promiscuous.mr_type = PACKET_MR_PROMISC;
  if (!set(port.fd_, SOL_PACKET, PACKET_ADD_MEMBERSHIP, promiscuous)) return failed("promiscuous");
  if (!set(port.fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)) return failed("ignore outgoing");
  if (!set(port.fd_, SOL_SOCKET, SO_RCVBUFFORCE, kBufferOctets)) return failed("receive buffer");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  if (bind(port.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return failed("bind");
  }
  return port;
}

Port::~Port() {
  if (fd_ >= 0) close(fd_);
}

std::optional<Bytes> Port::receive() {
  Bytes frame(kMaxFrame);
  for (;;) {
    const ssize_t size = recv(fd_, frame.data(), frame.size(), MSG_TRUNC);
    if (size < 0) return std::nullopt;
    if (static_cast<std::size_t>(size) > frame.size()) continue;
    frame.resize(static_cast<std::size_t>(size));
    return frame;
  }
}

bool Port::send(ByteView frame) {
  return ::send(fd_, frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size());
}

}  // namespace gkmpd::meddler
