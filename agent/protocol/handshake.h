// The two Creates and Negotiate_1 of figures 1 and 2 (profile P9): what the exchanges of a
// controller with a member and of a commander with a controller have in common.
#pragma once

#include "agent/crypto/agreement.h"
#include "agent/keys/schedule.h"
#include "agent/protocol/channel.h"
#include "agent/protocol/errors.h"

namespace gkmpd::protocol {

/// Both Creates have been seen: keys exist, provisional and unused (states 2 and 5).
struct Agreed {
  explicit Agreed(crypto::PublicKey key) : peer_key(std::move(key)) {}
  crypto::PublicKey peer_key;
  std::vector<KeyId> key_ids;  // GTEK and GKEK, or SKEK
  Digest token_hash{};
  Bytes create_1;
  Bytes create_2;
  Bytes create_2_signature;
  Digest th1{};
  keys::TwoWay stage;
  Secret root;
  std::optional<keys::GroupKeyPacket> packet;  // figure 1 only
};

// --- Who opens the exchange ----------------------------------------------------------------------

/// Figure 2 opened, and not answered yet.
struct OpenedSession {
  crypto::EphemeralKey share;
  KeyId skek_id{};
  ByteArray<32> nonce{};
  Digest token_hash{};
  Bytes create_1;
};
/// Makes Create_Session_KEK_1. Fails only if signing fails.
[[nodiscard]] Result<OpenedSession> open_session(Context& context, Channel& channel,
                                                 const Digest& token_hash);

/// State 5 at its opener: Create_Session_KEK_2 has come. With `crypto.bad-share` the shares are
/// spent and the exchange is over; any other error is a drop and has changed nothing.
[[nodiscard]] Result<Agreed> agree_on_session(OpenedSession& opened, const Incoming& in);

/// Negotiate_*_1, sealed, with the signature over the whole transcript (profile S9).
[[nodiscard]] Result<Channel::Sealed> seal_negotiate_1(Context& context, Channel& channel,
                                                       const Agreed& agreed, wire::MessageType type,
                                                       const Bytes& token);

// --- Who answers ---------------------------------------------------------------------------------

/// State 5 at the other end: what was agreed, and Create_Session_KEK_2 in its `create_2`.
[[nodiscard]] Result<Agreed> answer_session(Context& context, Channel& channel, const Incoming& in);

/// The host that sent a Negotiate_*_1: its signature holds, its certificate passes every check.
[[nodiscard]] Result<identity::Host> prove_opener(const Context& context, const Agreed& agreed,
                                                  const Incoming& in, Now now);

/// The token of a Negotiate_*_1 after every check of review_token, and that it is what the Create
/// message named, for `group`.
[[nodiscard]] Result<identity::GroupToken> review_offer(const Context& context,
                                                        const Agreed& agreed,
                                                        const wire::Negotiate1& negotiate,
                                                        const GroupId& group, Now now);

/// Negotiate_*_2, sealed.
[[nodiscard]] Channel::Sealed seal_negotiate_2(const Context& context, Channel& channel,
                                               const Agreed& agreed, wire::MessageType type,
                                               std::vector<IpAddress> sources);

/// A refusal by name; `key` is that of the sender's direction.
[[nodiscard]] std::vector<Bytes> seal_refusal(Channel& channel, const Error& why,
                                              const Secret& key);

}  // namespace gkmpd::protocol
