// The Creates and Negotiates of figures 1 and 2 (profile P9), as every exchange has them: that of a
// controller with a member, and that of a commander with a controller.
#pragma once

#include "agent/crypto/agreement.h"
#include "agent/keys/schedule.h"
#include "agent/protocol/channel.h"
#include "agent/protocol/errors.h"

namespace gkmpd::protocol {

/// A Create_*_1 is out: what its answer is held against.
struct Opened {
  crypto::EphemeralKey first;                  // for the GTEK, or the SKEK
  std::optional<crypto::EphemeralKey> second;  // for the GKEK
  std::vector<KeyId> key_ids;                  // GTEK and GKEK, or SKEK
  ByteArray<32> nonce{};
  Digest token_hash{};
  Bytes create_1;
};

/// Both Creates have been seen: keys exist, provisional and unused (states 2 and 5).
struct Agreed {
  explicit Agreed(crypto::PublicKey key) : peer_key(std::move(key)) {}
  crypto::PublicKey peer_key;
  std::vector<KeyId> key_ids;
  Digest token_hash{};
  Bytes create_1;
  Bytes create_2;
  Bytes create_2_signature;
  Bytes th1;
  keys::TwoWay stage;  // of figure 1's negotiate keys, or figure 2's STEK
  Secret root;
  std::optional<keys::GroupKeyPacket> packet;  // figure 1 only
};

// --- Who opens the exchange ----------------------------------------------------------------------

/// Makes Create_Grp_Keys_1 or Create_Session_KEK_1. Fails only if signing fails.
[[nodiscard]] Result<Opened> open_group(Context& context, Channel& channel,
                                        const Digest& token_hash);
[[nodiscard]] Result<Opened> open_session(Context& context, Channel& channel,
                                          const Digest& token_hash);

/// States 2 and 5 at the opener: a Create_*_2 has come. With `crypto.bad-share` the shares are
/// spent and the exchange is over; any other error is a drop and has changed nothing.
[[nodiscard]] Result<Agreed> agree(const Channel& channel, Opened& opened, const Incoming& in);

/// Negotiate_*_1 (RFC 2093 4.4 and 4.8), sealed, with the signature over the whole transcript
/// (profile S9).
[[nodiscard]] Result<Channel::Sealed> seal_negotiate_1(Context& context, Channel& channel,
                                                       const Agreed& agreed, const Bytes& token);

/// The host that sent a Negotiate_*_2: the key ids are those agreed on, its certificate passes
/// every check.
[[nodiscard]] Result<identity::Host> prove_answerer(const Context& context, const Agreed& agreed,
                                                    const wire::Negotiate2& negotiate, Now now);

// --- Who answers ---------------------------------------------------------------------------------

/// States 2 and 5 at the other end: what was agreed, with the answer in its `create_2`.
[[nodiscard]] Result<Agreed> answer_group(Context& context, Channel& channel, const Incoming& in);
[[nodiscard]] Result<Agreed> answer_session(Context& context, Channel& channel, const Incoming& in);

/// The host that sent a Negotiate_*_1: its signature holds, its certificate passes every check.
[[nodiscard]] Result<identity::Host> prove_opener(const Context& context, const Agreed& agreed,
                                                  const Incoming& in, Now now);

/// The token of a Negotiate_*_1 after every check of review_token; it is what the Create message
/// named, and the exchange has its group and its suite.
[[nodiscard]] Result<identity::GroupToken> review_offer(const Context& context,
                                                        const Channel& channel,
                                                        const Agreed& agreed,
                                                        const wire::Negotiate1& negotiate, Now now);

/// Negotiate_*_2 (4.5 and 4.9), sealed.
[[nodiscard]] Channel::Sealed seal_negotiate_2(const Context& context, Channel& channel,
                                               const Agreed& agreed,
                                               std::vector<IpAddress> sources);

// --- Both ----------------------------------------------------------------------------------------

/// SKEK and pairwise keys, once the Negotiates are through. Both are in transcript form.
[[nodiscard]] keys::PairwiseKeys derive_pairwise(const Channel& channel, const Agreed& agreed,
                                                 ByteView negotiate_1, ByteView negotiate_2);

/// A refusal by name (profile K6); `key` is that of the sender's direction.
[[nodiscard]] std::vector<Bytes> seal_refusal(Channel& channel, const Error& why,
                                              const Secret& key);

}  // namespace gkmpd::protocol
