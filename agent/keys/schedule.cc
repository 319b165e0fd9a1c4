#include "agent/keys/schedule.h"

#include "agent/crypto/hash.h"

namespace gkmpd::keys {
namespace {

// A label ends with a zero octet, so that none is the beginning of another with its fields.
constexpr std::string_view kGtekLabel{"GKMP/1 gtek\0", 12};
constexpr std::string_view kGkekLabel{"GKMP/1 gkek\0", 12};
constexpr std::string_view kNegotiateLabel{"GKMP/1 negotiate\0", 17};
constexpr std::string_view kStekLabel{"GKMP/1 stek\0", 12};
constexpr std::string_view kSkekLabel{"GKMP/1 skek\0", 12};
constexpr std::string_view kPairwiseLabel{"GKMP/1 pairwise\0", 16};
constexpr std::string_view kConfirmLabel{"GKMP/1 confirm\0", 15};

constexpr std::array<std::uint8_t, 1> kDown{1};
constexpr std::array<std::uint8_t, 1> kUp{2};

constexpr std::size_t kAeadKeyOctets = 32;

TwoWay expand_two_way(const Secret& root, std::string_view label, const Digest& transcript) {
  return {crypto::hkdf_expand(root, {as_bytes(label), kDown, transcript}, kAeadKeyOctets),
          crypto::hkdf_expand(root, {as_bytes(label), kUp, transcript}, kAeadKeyOctets)};
}

Secret extract(const Nonces& nonces, const Secret& agreement) {
  Bytes salt = to_bytes(nonces.controller);
  append(salt, nonces.member);
  return crypto::hkdf_extract(salt, agreement);
}

Digest hash_framed(std::initializer_list<ByteView> parts) {
  Bytes framed;
  for (const ByteView part : parts) append_framed(framed, part);
  return crypto::sha256({framed});
}

}  // namespace

Digest transcript_1(ByteView create_1, ByteView create_2_unsigned) {
  return hash_framed({create_1, create_2_unsigned});
}

Digest transcript_2(ByteView create_1, ByteView create_2, ByteView negotiate_1,
                    ByteView negotiate_2) {
  return hash_framed({create_1, create_2, negotiate_1, negotiate_2});
}

GroupStage derive_group_stage(const Nonces& nonces, const Secret& gtek_agreement,
                              const Secret& gkek_agreement, const Digest& th1) {
  const Secret for_gtek = extract(nonces, gtek_agreement);
  const Secret for_gkek = extract(nonces, gkek_agreement);
  GroupStage stage;
  stage.packet.gtek = crypto::hkdf_expand(for_gtek, {as_bytes(kGtekLabel), th1}, kGroupKeySize);
  stage.packet.gkek = crypto::hkdf_expand(for_gkek, {as_bytes(kGkekLabel), th1}, kGroupKeySize);
  stage.root = crypto::hkdf_extract(for_gtek.expose(), for_gkek);
  stage.negotiate = expand_two_way(stage.root, kNegotiateLabel, th1);
  return stage;
}

SessionStage derive_session_stage(const Nonces& nonces, const Secret& agreement,
                                  const Digest& th1) {
  SessionStage stage;
  stage.root = extract(nonces, agreement);
  stage.stek = expand_two_way(stage.root, kStekLabel, th1);
  return stage;
}

PairwiseKeys derive_pairwise(const Secret& root, const Digest& th2) {
  return {expand_two_way(root, kSkekLabel, th2),
          crypto::hkdf_expand(root, {as_bytes(kPairwiseLabel), th2}, kAeadKeyOctets)};
}

Digest confirmation(const Secret& pairwise, std::uint8_t message_type,
                    const Digest& statement_hash) {
  const std::array<std::uint8_t, 1> type{message_type};
  return crypto::hmac_sha256(pairwise, {as_bytes(kConfirmLabel), type, statement_hash});
}

}  // namespace gkmpd::keys
