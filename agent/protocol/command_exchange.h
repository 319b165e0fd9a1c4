// A controller's side of a session with a commander on another host: figure 2's first four messages
// with the commander in the controller's place, then the order (RFC 2093 4.1) and what became of it
// (profile P30, S26).
#pragma once

#include <variant>

#include "agent/protocol/handshake.h"
#include "agent/protocol/order.h"

namespace gkmpd::protocol {

class CommandExchange {
 public:
  /// `suite` is that of the message which opens the session.
  CommandExchange(Context& context, GroupOffice& office, Suite suite, const GroupId& group,
                  const ExchangeId& exchange, const SocketAddress& commander, Now now);

  /// An error is a drop: nothing has changed but the counters.
  [[nodiscard]] Result<void> handle_datagram(Now now, const SocketAddress& from,
                                             const wire::Datagram& datagram, ByteView octets);

  [[nodiscard]] MonoTime forget_at() const { return forget_at_; }

 private:
  struct Start {};
  /// Both sides are proven, and the token is one that this host may act on.
  struct AwaitCommand {
    identity::GroupToken token;
    identity::Host commander;
    keys::PairwiseKeys keys;
  };
  /// What was ordered is being done, or has been.
  struct Obeyed {
    keys::PairwiseKeys keys;
    /// Nobody is told of a group that lives under another token since.
    Digest token_hash{};
  };
  struct Done {};
  using State = std::variant<Start, Agreed, AwaitCommand, Obeyed, Done>;

  /// A handler's whole effect: assigned at once, or not at all.
  struct Step {
    State next;
    std::vector<Bytes> reply;
  };
  using Handler = Result<Step> (CommandExchange::*)(Now, const Incoming&);
  struct Transition {
    std::size_t from;  // index in State
    wire::MessageType message;
    const Secret* (CommandExchange::*opens_with)() const;  // null: in clear
    Handler handler;
  };
  static const std::array<Transition, 4> kTransitions;

  [[nodiscard]] const Secret* stage_key() const;
  [[nodiscard]] const Secret* command_key() const;
  [[nodiscard]] const Secret* status_key() const;

  [[nodiscard]] Result<Step> on_create(Now now, const Incoming& in);
  [[nodiscard]] Result<Step> on_negotiate(Now now, const Incoming& in);
  [[nodiscard]] Result<Step> on_command(Now now, const Incoming& in);
  [[nodiscard]] Result<Step> on_status(Now now, const Incoming& in);

  [[nodiscard]] Result<identity::GroupToken> review(Now now, const Agreed& agreed,
                                                    const wire::Negotiate1& negotiate,
                                                    const identity::Host& commander) const;
  [[nodiscard]] std::vector<Bytes> seal_report(const GroupView& view, std::size_t first,
                                               const Secret& key);
  [[nodiscard]] Step end_silently(const Error& why);
  [[nodiscard]] Step refuse(const Error& why, const std::string& group,
                            const identity::Host& commander, const Secret& key);

  Context& context_;
  GroupOffice& office_;
  Channel channel_;
  MonoTime forget_at_;
  State state_;
};

}  // namespace gkmpd::protocol
