// What the kernel tells about SAs and policies, as values.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "netlink/kernel_socket.h"
#include "xfrm/state.h"

namespace gkmpd::xfrm {

enum class EventKind : std::uint8_t {
  kAcquire,        // a packet wants an SA that is not there
  kSoftExpire,     // of an SA
  kHardExpire,     // of an SA: it is gone
  kSaAdded,        //
  kSaUpdated,      //
  kSaDeleted,      //
  kSasFlushed,     // all of a protocol, no further event per SA
  kPolicyAdded,    //
  kPolicyUpdated,  //
  kPolicyDeleted,  //
  kPoliciesFlushed,
};

/// Fields that an event does not have are zero.
struct Event {
  EventKind kind = EventKind::kAcquire;
  IpAddress source;       // of the SA, policy selector, or of the packet that wants one
  IpAddress destination;  // likewise
  std::uint32_t spi = 0;
  std::uint32_t reqid = 0;         // of the SA or of the first template
  std::uint32_t policy_index = 0;  // of policies and acquires
  std::uint8_t ip_protocol = 0;    // of the packet (acquire) or of the policy
  std::uint16_t port = 0;          // destination port, likewise
  /// Port of the netlink socket whose request caused the event; 0: the kernel.
  std::uint32_t requester = 0;

  /// In our ranges of reqids or indexes. (A flush touches everybody's.)
  [[nodiscard]] bool in_our_ranges() const;
  friend bool operator==(const Event&, const Event&) = default;
};

/// Decodes one message of a multicast group. Nothing if it is of a kind that we do not follow;
/// `xfrm.bad-message` if it is cut short or contradicts itself. Any octets are safe.
[[nodiscard]] Result<std::optional<Event>> decode_event(const netlink::Message& message);

class EventSource {
 public:
  /// Joins ACQUIRE, EXPIRE, SA and POLICY. `netlink.open-failed`.
  [[nodiscard]] static Result<EventSource> open();

  /// To be polled for reading.
  [[nodiscard]] int fd() const { return socket_.fd(); }

  struct Read {
    std::vector<Event> events;
    /// Events were lost: read the kernel and plan again.
    bool overrun = false;
    std::size_t undecodable = 0;
  };
  [[nodiscard]] Result<Read> read();

 private:
  explicit EventSource(netlink::Socket socket) : socket_(std::move(socket)) {}
  netlink::Socket socket_;
};

}  // namespace gkmpd::xfrm
