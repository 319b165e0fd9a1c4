// One netlink socket: batches, dumps and multicast events, with every reply checked.
// (Not socket.h: libnl has a <netlink/socket.h>, which must not be found here.)
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "netlink/batch.h"
#include "netlink/errors.h"

namespace gkmpd::netlink {

/// One message from the kernel. `payload` is valid during the callback and wiped after it.
struct Message {
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t sequence = 0;
  /// Of an event: the port of the socket whose request caused it; 0 is the kernel itself.
  std::uint32_t port_id = 0;
  ByteView payload;
};

/// A request of a batch that the kernel refused.
struct BatchFailure {
  std::size_t index = 0;  // of the message in its batch
  int error = 0;          // errno, positive
  std::string extack;     // the kernel's own words, often none

  /// "EEXIST (File exists)", with the kernel's words if there are any.
  [[nodiscard]] std::string text() const;
};

/// Tells about one message; an error stops the reading and is handed on.
using OnMessage = std::function<Result<void>(const Message&)>;

/// Asked for with SO_RCVBUFFORCE, in octets: tens of thousands of events or a slow reader.
inline constexpr int kReceiveBufferOctets = 8 * 1024 * 1024;
inline constexpr int kSendBufferOctets = 1024 * 1024;
/// A dump that was disturbed is read again so many times.
inline constexpr int kMaxDumpTries = 8;
/// Datagrams that one call of `read_events` takes, so that events cannot starve their reader.
inline constexpr int kMaxEventDatagrams = 256;

/// Never blocks: the kernel has answered a request by the time that the send returns.
class Socket {
 public:
  /// `protocol` is NETLINK_XFRM and the like; `groups` are multicast group numbers, for a socket
  /// that reads events. `netlink.open-failed`.
  [[nodiscard]] static Result<Socket> open(int protocol, const std::vector<int>& groups = {});
  Socket(Socket&&) noexcept;
  Socket& operator=(Socket&&) noexcept;
  ~Socket();

  /// Sends the batch and reads until its last message is answered. The refusals, in order of index;
  /// everything not among them was done. Messages that requests ask for go to `on_reply`.
  /// An error (`netlink.send-failed`, `receive-failed`, `overrun`, `bad-reply`, or what `on_reply`
  /// returns) means that what was done is not known, except for `send-failed`: nothing.
  [[nodiscard]] Result<std::vector<BatchFailure>> run(Batch& batch, const OnMessage& on_reply = {});

  /// Asks for a dump and hands each object to `on_object`. If the tables changed meanwhile,
  /// `on_restart` is called and everything comes again.
  [[nodiscard]] Result<void> dump(std::uint16_t type, ByteView header, const OnMessage& on_object,
                                  const std::function<void()>& on_restart);

  /// Reads the events that wait, at most kMaxEventDatagrams. `netlink.overrun`: some were lost,
  /// read the tables again; the socket goes on.
  [[nodiscard]] Result<void> read_events(const OnMessage& on_event);

  /// To be polled for reading.
  [[nodiscard]] int fd() const;
  [[nodiscard]] std::uint32_t port_id() const;

 private:
  class Impl;
  explicit Socket(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gkmpd::netlink
