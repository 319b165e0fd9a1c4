// An epoch: one signed statement and the keys it commits to. How the controller makes one, and what
// a member checks before it takes one (profile P8, P18).
#pragma once

#include "agent/keys/packet.h"
#include "agent/protocol/context.h"

namespace gkmpd::protocol {

struct Epoch {
  wire::Statement statement;
  Bytes octets;  // of the statement
  Bytes signature;
  Digest hash{};  // SHA-256 of the octets
  EpochId id{};   // its first 16 octets
  keys::GroupKeyPacket packet;
  wire::SenderTable senders;
  wire::ExclusionSet exclusions;
};

/// The keys of an epoch that is to be signed, and how they came about.
struct NewKeys {
  wire::Creation creation = wire::Creation::kCooperative;
  KeyId gtek_id{};
  KeyId gkek_id{};
  keys::GroupKeyPacket packet;
};
/// Made by the controller alone (profile P11).
[[nodiscard]] NewKeys make_keys_alone(Random& random);

/// What the controller decides before it signs.
struct EpochPlan {
  const identity::GroupToken& token;
  EpochTuple tuple;
  NewKeys keys;
  wire::SenderTable senders;
  wire::ExclusionSet exclusions = {};
  wire::Cause cause = wire::Cause::kCreate;
  EpochId previous{};  // all zero for a creation
};

/// Signs the statement. The tuple must be on disk already: one tuple is signed once.
[[nodiscard]] Result<Epoch> sign_epoch(Context& context, EpochPlan plan, Now now);

/// What a member holds against a downloaded epoch.
struct EpochCheck {
  const identity::GroupToken& token;
  const identity::Host& controller;
  std::uint8_t rank = 0;  // of the controller in the token
  /// The epoch held already, if any: the same statement may come again, no other for its tuple.
  const Epoch* held = nullptr;
};

/// A statement as it came, with its signature.
struct SignedOctets {
  ByteView octets;
  ByteView signature;
};
/// The first checks of profile P18: the tuple, the signer, the signature.
[[nodiscard]] Result<void> check_signed(const Context& context, const EpochCheck& check,
                                        const wire::Statement& statement,
                                        const SignedOctets& as_signed);

/// Every check of profile P18 up to the commitment, in its order; nothing is changed. `packet` are
/// the keys this host made itself as first member; without them they are unwrapped under `skek`.
[[nodiscard]] Result<Epoch> check_epoch(const Context& context, const EpochCheck& check,
                                        const wire::DownloadGrpKeys& download,
                                        const std::optional<keys::GroupKeyPacket>& packet,
                                        const Secret& skek, Now now);

}  // namespace gkmpd::protocol
