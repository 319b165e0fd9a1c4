// gkmpctl's datagrams to one controller and back.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/address.h"
#include "agent/base/bytes.h"
#include "agent/base/error.h"
#include "agent/base/fd.h"

namespace gkmpd::ctl {

inline constexpr ErrorKind kLinkFailed{"ctl.udp-failed"};
inline constexpr ErrorKind kBadEndpoint{"ctl.bad-address"};

/// "10.9.0.1", "10.9.0.1:8480", "fd09::1" or "[fd09::1]:8480"; the port is 0 without one.
[[nodiscard]] std::optional<SocketAddress> parse_endpoint(std::string_view text);
/// The same for an operator, who is told how an address is written: `ctl.bad-address`.
[[nodiscard]] Result<SocketAddress> read_endpoint(const std::string& text);

/// A UDP socket on a port of the system's choice that sends to `peer` and takes from it only.
class UdpLink {
 public:
  /// From `own`, or the address that the system chooses. `ctl.udp-failed`.
  [[nodiscard]] static Result<UdpLink> open(const SocketAddress& peer,
                                            const std::optional<IpAddress>& own);

  /// What cannot be sent is lost, as it may be on the way: the sender repeats itself.
  void send(ByteView octets);
  /// Waits for a datagram, `wait` at most; nothing if none came.
  [[nodiscard]] std::optional<Bytes> read(std::chrono::milliseconds wait);

 private:
  explicit UdpLink(Fd fd) : fd_(std::move(fd)) {}

  Fd fd_;
};

}  // namespace gkmpd::ctl
