// The group key packet under way: its commitment, and the group rekey package that carries it
// (RFC 2094 2.2.1: GRP = {[GKP]KEK} signature; profile P8, P11, P13).
#pragma once

#include "agent/base/error.h"
#include "agent/keys/schedule.h"

namespace gkmpd::keys {

/// HMAC(GTEK | GKEK n+1, "GKMP/1 commit" 0 | group id | tuple): what the signed statement says of
/// the keys without showing them.
[[nodiscard]] Digest commitment(const GroupKeyPacket& packet, const GroupId& group,
                                const EpochTuple& tuple);

/// Seals GTEK | GKEK n+1 under `kek` (an SKEK for a download), bound to the signed statement. The
/// sealing key is used for this one packet only, so that its nonce is zero. `hash` is the suite's.
[[nodiscard]] Bytes seal_packet(crypto::Hash hash, const Secret& kek, ByteView statement,
                                ByteView statement_signature, const GroupKeyPacket& packet);

/// `keys.bad-packet` if anything differs from what was sealed.
[[nodiscard]] Result<GroupKeyPacket> open_packet(crypto::Hash hash, const Secret& kek,
                                                 ByteView statement, ByteView statement_signature,
                                                 ByteView sealed);

/// `keys.bad-commitment` unless the packet is the one that `expected` commits to.
[[nodiscard]] Result<void> check_commitment(const GroupKeyPacket& packet, const GroupId& group,
                                            const EpochTuple& tuple, const Digest& expected);

}  // namespace gkmpd::keys
