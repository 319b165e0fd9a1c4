// A member's request to join (RFC 2093 4.13, figure 4): sent until the controller opens an exchange
// for it. What follows is MemberExchange's.
#pragma once

#include "agent/protocol/channel.h"

namespace gkmpd::protocol {

class JoinAttempt {
 public:
  JoinAttempt(Context& context, const GroupId& group, const SocketAddress& controller);

  /// Signs and sends the request. Fails only if signing fails.
  [[nodiscard]] Result<void> start(Now now);
  /// The controller wants the cookie back: asks again with it, at once. An error is a drop.
  [[nodiscard]] Result<void> handle_cookie(Now now, const SocketAddress& from,
                                           const wire::Datagram& datagram);
  /// The controller has opened an exchange: no more requests.
  void answered() { timer_.stop(); }
  /// Sends again; false if nobody has answered for too long.
  [[nodiscard]] bool handle_timeout(Now now);
  [[nodiscard]] std::optional<MonoTime> next_timeout() const { return timer_.due(); }

  [[nodiscard]] const ExchangeId& exchange() const { return exchange_; }
  [[nodiscard]] const SocketAddress& controller() const { return controller_; }
  /// As sent last: it stands first in the transcript.
  [[nodiscard]] const Bytes& request() const { return request_; }

 private:
  [[nodiscard]] Result<void> sign();

  Context& context_;
  GroupId group_;
  SocketAddress controller_;
  ExchangeId exchange_;
  wire::Nonce32 nonce_;
  std::optional<wire::Cookie> cookie_;
  Bytes request_;
  RetransmitTimer timer_;
};

}  // namespace gkmpd::protocol
