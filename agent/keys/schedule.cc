#include "agent/keys/schedule.h"

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

TwoWay expand_two_way(crypto::Hash hash, const Secret& root, std::string_view label,
                      ByteView transcript) {
  return {crypto::hkdf_expand(hash, root, {as_bytes(label), kDown, transcript}, kAeadKeyOctets),
          crypto::hkdf_expand(hash, root, {as_bytes(label), kUp, transcript}, kAeadKeyOctets)};
}

Secret extract(crypto::Hash hash, const Nonces& nonces, const Secret& agreement) {
  Bytes salt = to_bytes(nonces.controller);
  append(salt, nonces.member);
  return crypto::hkdf_extract(hash, salt, agreement);
}

Bytes hash_framed(crypto::Hash hash, std::initializer_list<ByteView> parts) {
  Bytes framed;
  for (const ByteView part : parts) append_framed(framed, part);
  return crypto::digest(hash, {framed});
}

}  // namespace

Bytes transcript_1(crypto::Hash hash, ByteView create_1, ByteView create_2_unsigned,
                   ByteView join_request) {
  if (join_request.empty()) return hash_framed(hash, {create_1, create_2_unsigned});
  return hash_framed(hash, {join_request, create_1, create_2_unsigned});
}

Bytes transcript_2(crypto::Hash hash, ByteView create_1, ByteView create_2, ByteView negotiate_1,
                   ByteView negotiate_2, ByteView join_request) {
  if (join_request.empty()) {
    return hash_framed(hash, {create_1, create_2, negotiate_1, negotiate_2});
  }
  return hash_framed(hash, {join_request, create_1, create_2, negotiate_1, negotiate_2});
}

GroupStage derive_group_stage(crypto::Hash hash, const Nonces& nonces, const Secret& gtek_agreement,
                              const Secret& gkek_agreement, ByteView th1) {
  const Secret for_gtek = extract(hash, nonces, gtek_agreement);
  const Secret for_gkek = extract(hash, nonces, gkek_agreement);
  GroupStage stage;
  stage.packet.gtek =
      crypto::hkdf_expand(hash, for_gtek, {as_bytes(kGtekLabel), th1}, kGroupKeySize);
  stage.packet.gkek =
      crypto::hkdf_expand(hash, for_gkek, {as_bytes(kGkekLabel), th1}, kGroupKeySize);
  stage.root = crypto::hkdf_extract(hash, for_gtek.expose(), for_gkek);
  stage.negotiate = expand_two_way(hash, stage.root, kNegotiateLabel, th1);
  return stage;
}

SessionStage derive_session_stage(crypto::Hash hash, const Nonces& nonces, const Secret& agreement,
                                  ByteView th1) {
  SessionStage stage;
  stage.root = extract(hash, nonces, agreement);
  stage.stek = expand_two_way(hash, stage.root, kStekLabel, th1);
  return stage;
}

PairwiseKeys derive_pairwise(crypto::Hash hash, const Secret& root, ByteView th2) {
  return {expand_two_way(hash, root, kSkekLabel, th2),
          crypto::hkdf_expand(hash, root, {as_bytes(kPairwiseLabel), th2}, kAeadKeyOctets)};
}

Digest confirmation(const Secret& pairwise, std::uint8_t message_type,
                    const Digest& statement_hash) {
  const std::array<std::uint8_t, 1> type{message_type};
  return crypto::hmac_sha256(pairwise, {as_bytes(kConfirmLabel), type, statement_hash});
}

}  // namespace gkmpd::keys
