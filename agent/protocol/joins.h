// The groups that this host asks to be keyed for (RFC 2093 figure 4): those that its operator wants
// it to join, and those whose keys it has lost.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/protocol/join_attempt.h"

namespace gkmpd::protocol {

class Joins {
 public:
  explicit Joins(Context& context) : context_(context) {}

  /// What the operator wants: asked for until the host is keyed or refused; a refusal is shown
  /// until it is asked for again. Replaces what was asked for that group before.
  /// `protocol.too-many-joins`, or what signing fails with.
  [[nodiscard]] Result<void> ask(Now now, const GroupId& group, const std::string& name,
                                 const SocketAddress& controller);
  /// What the host needs by itself: asked for until it is keyed, from `wait` on. Nothing if it is
  /// asked for already.
  void need(Now now, const GroupId& group, const std::string& name, const SocketAddress& controller,
            milliseconds wait);
  /// The host has what it needed; what its operator wants is left.
  void no_need(const GroupId& group);
  /// The host is keyed, or controls the group.
  void done(const GroupId& group) { joins_.erase(group); }

  [[nodiscard]] Result<void> handle_cookie(Now now, const SocketAddress& from,
                                           const wire::Datagram& datagram);
  /// The request that an exchange answers; null if it answers none.
  [[nodiscard]] const Bytes* request_of(const GroupId& group, const ExchangeId& exchange,
                                        const SocketAddress& from) const;
  /// The controller has opened the exchange.
  void answered(const GroupId& group);
  /// The exchange with that id is over without keys; `refused` if somebody said so.
  void failed(Now now, const GroupId& group, const ExchangeId& exchange, const std::string& why,
              bool refused);

  void handle_timeout(Now now);
  [[nodiscard]] std::optional<MonoTime> next_timeout() const;
  /// Adds a view of each group that the operator wants to join, or was refused.
  void describe(std::vector<GroupView>& views) const;

 private:
  struct Join {
    std::string name;
    SocketAddress controller;
    bool wanted = false;   // by the operator, who is told of a refusal
    bool refused = false;  // and then it is over
    std::optional<JoinAttempt> attempt{};
    std::optional<MonoTime> retry_at{};
    milliseconds retry_wait = kRetryJoinFirst;
    std::string why{};  // of the last failure
  };

  [[nodiscard]] Result<void> attempt(Now now, const GroupId& group, Join& join);
  void put_off(Now now, Join& join, const std::string& why, bool refused);

  Context& context_;
  std::map<GroupId, Join> joins_;
};

}  // namespace gkmpd::protocol
