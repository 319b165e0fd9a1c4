// The controller's side of figures 1 and 2 of RFC 2093 with one member (states 1, 2, 4, 5, 7, 9).
#pragma once

#include <functional>
#include <variant>

#include "agent/protocol/epoch.h"
#include "agent/protocol/handshake.h"

namespace gkmpd::protocol {

/// Figure 1 makes the group keys with a first member; figure 2 brings them to another.
enum class Flow { kGroup, kSession };

/// Whom the exchange is with, as the command and the token say; who asked to join has no name until
/// it has proven one.
struct Candidate {
  std::string name;
  SocketAddress address;
};

/// A request to join that the exchange answers (figure 4).
struct JoinRequest {
  ExchangeId exchange{};
  Bytes octets;
  /// State 11: may that host have the keys at all? Whatever else is checked of members is checked
  /// anyway.
  std::function<Result<void>(const identity::Host&)> admit;
};

class ControllerExchange {
 public:
  ControllerExchange(Context& context, const identity::GroupToken& token, Flow flow,
                     Candidate member, std::optional<JoinRequest> join = {});

  /// Sends the Create message (RFC 2093 4.2 or 4.6), so often at most. Fails only if signing fails.
  [[nodiscard]] Result<void> start(Now now, int max_transmissions);

  enum class Outcome {
    kNothing,
    kAnswered,      // Create_2 came: the member is there
    kReviewed,      // Negotiate_2 passed every check: give it the keys by download()
    kAcknowledged,  // the member holds the keys
    kFailed,        // see error()
  };
  /// An error is a drop: nothing has changed.
  [[nodiscard]] Result<Outcome> handle_datagram(Now now, const SocketAddress& from,
                                                const wire::Datagram& datagram, ByteView octets);
  /// Sends again, or fails.
  [[nodiscard]] Outcome handle_timeout(Now now);
  [[nodiscard]] std::optional<MonoTime> next_timeout() const { return timer_.due(); }

  /// After kReviewed: sends Download_Grp_Keys (RFC 2093 4.10). The first member has made the keys
  /// itself and gets the statement alone.
  void download(Now now, const Epoch& epoch);

  /// Figure 1, after kReviewed: the keys that both sides made.
  [[nodiscard]] NewKeys take_created();

  [[nodiscard]] Flow flow() const { return flow_; }
  [[nodiscard]] bool is_join() const { return join_.has_value(); }
  /// Nothing has come yet of who was asked, or asked.
  [[nodiscard]] bool is_unanswered() const { return std::holds_alternative<Opened>(state_); }
  /// A request to join has come again: if it is the one that opened the exchange, so is what
  /// answers it, but not at any rate.
  void join_repeated(Now now, ByteView request);
  [[nodiscard]] const Candidate& member() const { return member_; }
  [[nodiscard]] const ExchangeId& id() const { return channel_.exchange(); }
  /// Set after kFailed.
  [[nodiscard]] const Error& error() const { return *error_; }
  /// The same, for whoever ends the exchange.
  [[nodiscard]] Error take_error() { return std::move(*error_); }

 private:
  struct Start {};
  struct AwaitNegotiate {
    Agreed agreed;
    Bytes negotiate_1;
  };
  /// State 4 or 7 done. Holds what the statement needs until download().
  struct Reviewed {
    std::vector<KeyId> key_ids;
    keys::PairwiseKeys keys;
    std::optional<keys::GroupKeyPacket> packet;
  };
  struct AwaitAck {
    keys::PairwiseKeys keys;
    Digest statement_hash{};
    EpochId epoch_id{};
  };
  struct Done {};
  using State = std::variant<Start, Opened, AwaitNegotiate, Reviewed, AwaitAck, Done>;

  struct Step {
    State next;
    std::vector<Bytes> request;
    Outcome outcome = Outcome::kNothing;
    std::optional<Error> error{};
  };
  using Handler = Result<Step> (ControllerExchange::*)(Now, const Incoming&);
  struct Transition {
    std::size_t from;
    wire::MessageType message;
    const Secret* (ControllerExchange::*opens_with)() const;
    Handler handler;
  };
  static const std::array<Transition, 7> kTransitions;

  [[nodiscard]] static Step failed(Error why);

  [[nodiscard]] const Secret* stage_key() const;
  [[nodiscard]] const Secret* ack_key() const;

  [[nodiscard]] Result<Step> on_create(Now now, const Incoming& in);
  [[nodiscard]] Result<Step> on_negotiate(Now now, const Incoming& in);
  [[nodiscard]] Result<Step> on_ack(Now now, const Incoming& in);
  [[nodiscard]] Result<Step> on_refusal(Now now, const Incoming& in);

  /// The member's name.
  [[nodiscard]] Result<std::string> review(Now now, const Agreed& agreed,
                                           const wire::Negotiate2& negotiate) const;
  [[nodiscard]] Result<void> review_sources(const identity::Host& host,
                                            const std::vector<IpAddress>& sources) const;

  Context& context_;
  const identity::GroupToken& token_;
  Flow flow_;
  Candidate member_;
  std::optional<JoinRequest> join_;
  MonoTime repeated_at_{};
  Channel channel_;
  RetransmitTimer timer_;
  State state_;
  std::optional<Error> error_;
};

}  // namespace gkmpd::protocol
