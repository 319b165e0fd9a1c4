// UDP sockets for one multicast group, of either address family.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace gkmpd::traffic {

/// What went wrong, in words, with the system's own.
template <typename T>
using Outcome = tl::expected<T, std::string>;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket();
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] int family() const { return storage.ss_family; }
};

/// A numeric address of either family.
[[nodiscard]] Outcome<Address> parse_address(const std::string& text, std::uint16_t port);
/// Without the port; "?" if the family is none of ours.
[[nodiscard]] std::string to_text(const sockaddr_storage& address);

struct GroupOptions {
  std::string group;
  std::uint16_t port = 0;
  std::string interface;
};

struct SendOptions {
  std::string source;  // address to send from; empty: the system's choice
  int ttl = 1;         // IPv6's hop limit
  bool loop = true;    // listeners on this host get a copy
};
/// A socket connected to the group.
[[nodiscard]] Outcome<Socket> open_sender(const GroupOptions& group, const SendOptions& options);

struct ReceiveOptions {
  bool join = true;  // without, only what others on the host have joined arrives
  int buffer_octets = 64 << 20;
};
/// A socket bound to group and port, with arrival drops counted by the kernel (SO_RXQ_OVFL).
[[nodiscard]] Outcome<Socket> open_receiver(const GroupOptions& group,
                                            const ReceiveOptions& options);

}  // namespace gkmpd::traffic
