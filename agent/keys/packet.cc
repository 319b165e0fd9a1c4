#include "agent/keys/packet.h"

#include <algorithm>

#include "agent/base/constant_time.h"
#include "agent/crypto/aead.h"
#include "agent/crypto/hash.h"
#include "agent/keys/errors.h"

namespace gkmpd::keys {
namespace {

constexpr std::string_view kCommitLabel{"GKMP/1 commit\0", 14};
constexpr std::string_view kPacketLabel{"GKMP/1 grp\0", 11};

Secret join(const GroupKeyPacket& packet) {
  Secret both(packet.gtek.size() + packet.gkek.size());
  auto out = std::ranges::copy(packet.gtek.expose(), both.expose_for_writing().begin()).out;
  std::ranges::copy(packet.gkek.expose(), out);
  return both;
}

Secret sealing_key(crypto::Hash hash, const Secret& kek, ByteView statement) {
  const Digest name = crypto::sha256({statement});
  return crypto::hkdf_expand(hash, crypto::hkdf_extract(hash, name, kek), {as_bytes(kPacketLabel)},
                             crypto::kAeadKeySize);
}

Bytes associated(ByteView statement, ByteView statement_signature) {
  Bytes octets = to_bytes(statement);
  append(octets, statement_signature);
  return octets;
}

}  // namespace

Digest commitment(const GroupKeyPacket& packet, const GroupId& group, const EpochTuple& tuple) {
  Bytes encoded;
  append_u32(encoded, tuple.token_version);
  append_u32(encoded, tuple.term);
  encoded.push_back(tuple.rank);
  append_u32(encoded, tuple.epoch);
  return crypto::hmac_sha256(join(packet), {as_bytes(kCommitLabel), group, encoded});
}

Bytes seal_packet(crypto::Hash hash, const Secret& kek, ByteView statement,
                  ByteView statement_signature, const GroupKeyPacket& packet) {
  return crypto::aead_seal(sealing_key(hash, kek, statement), crypto::Nonce{},
                           associated(statement, statement_signature), join(packet).expose());
}

Result<GroupKeyPacket> open_packet(crypto::Hash hash, const Secret& kek, ByteView statement,
                                   ByteView statement_signature, ByteView sealed) {
  auto both = crypto::aead_open(sealing_key(hash, kek, statement), crypto::Nonce{},
                                associated(statement, statement_signature), sealed);
  if (!both || both->size() != 2 * kGroupKeySize) {
    return fail(kBadPacket, "the encrypted group keys do not open under this session's key");
  }
  const ByteView octets = both->expose();
  return GroupKeyPacket{Secret::copy_of(octets.first(kGroupKeySize)),
                        Secret::copy_of(octets.subspan(kGroupKeySize))};
}

Result<void> check_commitment(const GroupKeyPacket& packet, const GroupId& group,
                              const EpochTuple& tuple, const Digest& expected) {
  if (!equal_in_constant_time(commitment(packet, group, tuple), expected)) {
    return fail(kBadCommitment, "the keys are not those that the statement commits to");
  }
  return {};
}

}  // namespace gkmpd::keys
