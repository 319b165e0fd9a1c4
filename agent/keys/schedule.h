// The key schedule (profile P10, P11; docs/PROTOCOL.md, "Key schedule"): from the results of key
// agreement and the transcript to every key of an exchange. `hash` is the suite's throughout.
#pragma once

#include "agent/base/bytes.h"
#include "agent/base/ids.h"
#include "agent/base/secret.h"
#include "agent/crypto/hash.h"

namespace gkmpd::keys {

inline constexpr std::size_t kGroupKeySize = 32;  // GTEK and GKEK, octets

/// One key for each way, so that nothing can be sent back to its sender.
struct TwoWay {
  Secret down;  // controller to member
  Secret up;    // member to controller
};

struct Nonces {
  ByteView controller;
  ByteView member;
};

/// TH1: hash of u32 length | Create_1 | u32 length | Create_2 less its signature. In an exchange
/// that a join request began, that stands first, behind its length (profile P9).
[[nodiscard]] Bytes transcript_1(crypto::Hash hash, ByteView create_1, ByteView create_2_unsigned,
                                 ByteView join_request = {});

/// TH2: hash of the four messages of an exchange, each behind its u32 length, and of the join
/// request before them as in TH1.
[[nodiscard]] Bytes transcript_2(crypto::Hash hash, ByteView create_1, ByteView create_2,
                                 ByteView negotiate_1, ByteView negotiate_2,
                                 ByteView join_request = {});

/// GTEK n and GKEK n+1: a group key packet (RFC 2094 2.2.1).
struct GroupKeyPacket {
  Secret gtek;
  Secret gkek;

  [[nodiscard]] GroupKeyPacket clone() const { return {gtek.clone(), gkek.clone()}; }
};

/// What figure 1's first two messages yield. `negotiate` and `root` are siblings of the group keys,
/// never their children: the group cannot read the negotiation (profile S10).
struct GroupStage {
  GroupKeyPacket packet;
  TwoWay negotiate;
  Secret root;
};
[[nodiscard]] GroupStage derive_group_stage(crypto::Hash hash, const Nonces& nonces,
                                            const Secret& gtek_agreement,
                                            const Secret& gkek_agreement, ByteView th1);

/// What figure 2's first two messages yield: the STEK of RFC 2094's session key package.
struct SessionStage {
  TwoWay stek;
  Secret root;
};
[[nodiscard]] SessionStage derive_session_stage(crypto::Hash hash, const Nonces& nonces,
                                                const Secret& agreement, ByteView th1);

/// Keys of a finished negotiation, from either stage's root. The SKEK is RFC 2094's.
struct PairwiseKeys {
  TwoWay skek;
  Secret pairwise;
};
[[nodiscard]] PairwiseKeys derive_pairwise(crypto::Hash hash, const Secret& root, ByteView th2);

/// Confirmation of decryption (RFC 2093 3.17; profile R7).
[[nodiscard]] Digest confirmation(const Secret& pairwise, std::uint8_t message_type,
                                  const Digest& statement_hash);

}  // namespace gkmpd::keys
