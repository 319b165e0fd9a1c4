// A member's side of figures 1 and 2 of RFC 2093 (states 2, 3, 5, 6 and 8).
#pragma once

#include <memory>
#include <variant>

#include "agent/protocol/epoch.h"
#include "agent/protocol/handshake.h"

namespace gkmpd::protocol {

class MemberExchange {
 public:
  /// Answers to whichever Create message comes first.
  /// `suite` is that of the message which opens the exchange.
  /// `join_request`, if this host began it, comes first in the transcript.
  MemberExchange(Context& context, Suite suite, const GroupId& group, const ExchangeId& exchange,
                 const SocketAddress& controller, Now now, Bytes join_request = {});

  /// What the owner has to know of a datagram's effect.
  enum class Outcome {
    kNothing,
    kProgress,
    /// An epoch passed every check and waits for its mark to be saved: see prepared().
    kPrepared,
    /// The exchange is over without keys.
    kEnded,
  };

  /// `held` is the epoch that this host holds of the group already, if any. An error is a drop:
  /// nothing has changed but the counters.
  [[nodiscard]] Result<Outcome> handle_datagram(Now now, const SocketAddress& from,
                                                const wire::Datagram& datagram, ByteView octets,
                                                const Epoch* held);

  struct Prepared {
    identity::GroupToken token;
    identity::Host controller;
    Epoch epoch;
    keys::PairwiseKeys keys;
  };
  /// Set between Outcome::kPrepared and acknowledge() or abandon().
  [[nodiscard]] const Prepared* prepared() const;
  /// The mark is on disk: sends the acknowledgement (RFC 2093 4.11) and hands the epoch over.
  [[nodiscard]] Prepared acknowledge();
  /// The mark could not be saved: the controller is told, nothing is kept.
  void abandon(const Error& why);

  [[nodiscard]] MonoTime forget_at() const { return forget_at_; }
  [[nodiscard]] const SocketAddress& peer() const { return channel_.peer(); }
  /// Why it is over without keys; empty if it is not.
  [[nodiscard]] const std::string& why_ended() const { return why_ended_; }
  /// The peer has proven to be a host of ours that may be a controller: a refusal, of either side,
  /// is no stranger's doing.
  [[nodiscard]] bool peer_proven() const { return peer_proven_; }

 private:
  struct Start {};
  /// State 3 or 6 done: both sides' permissions and the token are checked.
  struct AwaitDownload {
    AwaitDownload(identity::GroupToken held_token, identity::Host host, std::uint8_t host_rank)
        : token(std::move(held_token)), controller(std::move(host)), rank(host_rank) {}
    identity::GroupToken token;
    identity::Host controller;
    std::uint8_t rank = 0;
    std::vector<KeyId> key_ids;
    keys::TwoWay stage;
    keys::PairwiseKeys keys;
    std::optional<keys::GroupKeyPacket> packet;
  };
  struct Done {};
  using State = std::variant<Start, Agreed, AwaitDownload, Prepared, Done>;

  /// A handler's whole effect: assigned at once, or not at all.
  struct Step {
    State next;
    std::vector<Bytes> reply;
    Outcome outcome = Outcome::kProgress;
  };
  using Handler = Result<Step> (MemberExchange::*)(Now, const Incoming&, const Epoch*);
  struct Transition {
    std::size_t from;  // index in State
    wire::MessageType message;
    const Secret* (MemberExchange::*opens_with)() const;  // null: in clear
    Handler handler;
  };
  static const std::array<Transition, 6> kTransitions;

  [[nodiscard]] const Secret* stage_key() const;
  [[nodiscard]] const Secret* download_key() const;

  [[nodiscard]] Result<Step> on_create_grp_keys(Now now, const Incoming& in, const Epoch* held);
  [[nodiscard]] Result<Step> on_create_session_kek(Now now, const Incoming& in, const Epoch* held);
  [[nodiscard]] Result<Step> on_negotiate(Now now, const Incoming& in, const Epoch* held);
  [[nodiscard]] Result<Step> on_download(Now now, const Incoming& in, const Epoch* held);
  [[nodiscard]] Result<Step> on_refusal(Now now, const Incoming& in, const Epoch* held);

  [[nodiscard]] Result<AwaitDownload> review(Now now, const Agreed& agreed,
                                             const wire::Negotiate1& negotiate,
                                             identity::Host controller) const;
  [[nodiscard]] Step end_silently(const Error& why);
  [[nodiscard]] Step refuse(const Error& why, const Secret& key);

  Context& context_;
  Channel channel_;
  MonoTime forget_at_;
  State state_;
  std::string why_ended_;
  bool peer_proven_ = false;
};

}  // namespace gkmpd::protocol
