// A commander's side of a session with a controller: the other end of command_exchange.h.
#pragma once

#include <map>
#include <variant>

#include "agent/protocol/commander.h"
#include "agent/protocol/handshake.h"

namespace gkmpd::protocol {

class CommanderExchange {
 public:
  /// What is ordered, beside the token.
  struct Order {
    SocketAddress controller;
    identity::CommandAction action = identity::CommandAction::kCreate;
    std::uint64_t counter = 0;
    std::function<Result<Bytes>(const identity::CommandText&)> sign;
    std::optional<Bytes> member_list;
    /// Of its hosts, as far as it has them: reports name none.
    std::map<std::string, IpAddress> addresses;
  };
  CommanderExchange(Context& context, identity::GroupToken token, Order order);

  /// Sends Create_Session_KEK_1. Fails only if signing fails.
  [[nodiscard]] Result<void> start(Now now);
  /// An error is a drop: nothing has changed.
  [[nodiscard]] Result<void> handle_datagram(Now now, const SocketAddress& from, ByteView octets);
  void handle_timeout(Now now);
  [[nodiscard]] std::optional<MonoTime> next_timeout() const;

  // As Commander has them.
  [[nodiscard]] const std::optional<GroupView>& group() const { return shown_; }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  [[nodiscard]] const std::string& refused_as() const { return refused_as_; }
  [[nodiscard]] const std::string& group_name() const { return token_.policy.group; }
  [[nodiscard]] const SocketAddress& controller() const { return channel_.peer(); }

 private:
  struct Start {};
  struct AwaitNegotiate {
    Agreed agreed;
    Bytes negotiate_1;
  };
  /// The command is under way, or a status request, or neither for a while.
  struct Following {
    keys::PairwiseKeys keys;
    GroupView view;  // as it was before the report that is awaited
  };
  struct Done {};
  using State = std::variant<Start, Opened, AwaitNegotiate, Following, Done>;

  struct Step {
    State next;
    std::vector<Bytes> request;
  };
  using Handler = Result<Step> (CommanderExchange::*)(Now, const Incoming&);
  struct Transition {
    std::size_t from;  // index in State
    wire::MessageType message;
    const Secret* (CommanderExchange::*opens_with)() const;  // null: in clear
    Handler handler;
  };
  static const std::array<Transition, 5> kTransitions;

  [[nodiscard]] const Secret* stage_key() const;
  [[nodiscard]] const Secret* report_key() const;

  [[nodiscard]] Result<Step> on_create(Now now, const Incoming& in);
  [[nodiscard]] Result<Step> on_negotiate(Now now, const Incoming& in);
  [[nodiscard]] Result<Step> on_report(Now now, const Incoming& in);
  [[nodiscard]] Result<Step> on_refusal(Now now, const Incoming& in);

  [[nodiscard]] Result<identity::Host> review(Now now, const Agreed& agreed,
                                              const wire::Negotiate2& negotiate) const;
  [[nodiscard]] Result<std::vector<Bytes>> seal_command(Now now, const identity::Host& controller,
                                                        const Secret& key);
  void ask_status(Now now);
  [[nodiscard]] std::vector<Bytes> seal_status(const Following& state);
  [[nodiscard]] GroupView blank_view(const std::string& controller) const;

  void send(Now now, std::vector<Bytes> request);
  /// Nothing more will come.
  void finish(Error why);
  [[nodiscard]] Step over(Error why);

  Context& context_;
  identity::GroupToken token_;
  Order order_;
  Channel channel_;
  RetransmitTimer timer_;
  std::optional<MonoTime> ask_at_;
  State state_;
  std::optional<GroupView> shown_;
  std::optional<Error> error_;
  std::string refused_as_;
};

}  // namespace gkmpd::protocol
