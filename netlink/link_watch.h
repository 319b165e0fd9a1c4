// Tells when interfaces or their addresses have changed; what they are now, links.h tells.
#pragma once

#include "netlink/kernel_socket.h"

namespace gkmpd::netlink {

class LinkWatch {
 public:
  /// Of our network namespace. `netlink.open-failed`.
  [[nodiscard]] static Result<LinkWatch> open();

  /// To be polled for reading.
  [[nodiscard]] int fd() const { return socket_.fd(); }

  /// Takes what waits: true if any interface or address has come, gone or changed, or may have
  /// (events were lost). `netlink.receive-failed`.
  [[nodiscard]] Result<bool> read();

 private:
  explicit LinkWatch(Socket socket) : socket_(std::move(socket)) {}
  Socket socket_;
};

}  // namespace gkmpd::netlink
