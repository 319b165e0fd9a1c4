#include "agent/keys/schedule.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "agent/crypto/hash.h"

namespace gkmpd::keys {
namespace {

const Bytes kNonceC(32, 0xc1);
const Bytes kNonceM(32, 0xd2);
const Secret kZt = Secret::copy_of(Bytes(32, 0x11));
const Secret kZk = Secret::copy_of(Bytes(32, 0x22));

constexpr crypto::Hash kHash = crypto::Hash::kSha256;

Digest digest_of(std::string_view text) { return crypto::sha256({as_bytes(text)}); }

std::string hex(const Secret& secret) { return to_hex(secret.expose()); }

/// HKDF written out again with HMAC alone (RFC 5869), as a second opinion on labels and order.
Secret expand_by_hand(const Secret& prk, const std::string& label, ByteView fields) {
  Bytes info = to_bytes(as_bytes(label));
  info.push_back(0);
  append(info, fields);
  info.push_back(1);
  return Secret::copy_of(crypto::hmac_sha256(prk, {info}));
}

Secret extract_by_hand(ByteView salt, const Secret& input) {
  return Secret::copy_of(crypto::hmac_sha256(Secret::copy_of(salt), {input.expose()}));
}

TEST(Transcript, FramesItsPartsSoThatTheyCannotRunIntoEachOther) {
  EXPECT_NE(transcript_1(kHash, as_bytes("ab"), as_bytes("c")),
            transcript_1(kHash, as_bytes("a"), as_bytes("bc")));
  EXPECT_EQ(transcript_1(kHash, as_bytes("ab"), as_bytes("c")),
            to_bytes(digest_of(std::string("\0\0\0\2ab\0\0\0\1c", 11))));
  EXPECT_EQ(transcript_2(kHash, as_bytes("a"), as_bytes("b"), as_bytes("c"), as_bytes("d")),
            to_bytes(digest_of(std::string("\0\0\0\1a\0\0\0\1b\0\0\0\1c\0\0\0\1d", 20))));
}

TEST(GroupStage, IsTheScheduleOfTheProtocolDocument) {
  const Digest th1 = digest_of("th1");
  const GroupStage stage = derive_group_stage(kHash, {kNonceC, kNonceM}, kZt, kZk, th1);

  Bytes salt = kNonceC;
  append(salt, kNonceM);
  const Secret pt = extract_by_hand(salt, kZt);
  const Secret pk = extract_by_hand(salt, kZk);
  const Secret pn = extract_by_hand(pt.expose(), pk);
  Bytes down{1};
  append(down, th1);
  Bytes up{2};
  append(up, th1);
  EXPECT_EQ(hex(stage.packet.gtek), hex(expand_by_hand(pt, "GKMP/1 gtek", th1)));
  EXPECT_EQ(hex(stage.packet.gkek), hex(expand_by_hand(pk, "GKMP/1 gkek", th1)));
  EXPECT_EQ(hex(stage.root), hex(pn));
  EXPECT_EQ(hex(stage.negotiate.down), hex(expand_by_hand(pn, "GKMP/1 negotiate", down)));
  EXPECT_EQ(hex(stage.negotiate.up), hex(expand_by_hand(pn, "GKMP/1 negotiate", up)));
}

TEST(SessionStage, IsTheScheduleOfTheProtocolDocument) {
  const Digest th1 = digest_of("th1");
  const Digest th2 = digest_of("th2");
  const SessionStage stage = derive_session_stage(kHash, {kNonceC, kNonceM}, kZt, th1);
  const PairwiseKeys pair = derive_pairwise(kHash, stage.root, th2);

  Bytes salt = kNonceC;
  append(salt, kNonceM);
  const Secret p = extract_by_hand(salt, kZt);
  Bytes down{1};
  append(down, th1);
  Bytes skek_up{2};
  append(skek_up, th2);
  EXPECT_EQ(hex(stage.stek.down), hex(expand_by_hand(p, "GKMP/1 stek", down)));
  EXPECT_EQ(hex(pair.skek.up), hex(expand_by_hand(p, "GKMP/1 skek", skek_up)));
  EXPECT_EQ(hex(pair.pairwise), hex(expand_by_hand(p, "GKMP/1 pairwise", th2)));
}

TEST(Schedule, EveryKeyDiffersFromEveryOther) {
  const Digest th1 = digest_of("th1");
  std::set<std::string> seen;
  const auto add = [&](const Secret& secret) { EXPECT_TRUE(seen.insert(hex(secret)).second); };
  const GroupStage group = derive_group_stage(kHash, {kNonceC, kNonceM}, kZt, kZt, th1);
  // Even with one result for both agreements, and one transcript for both hashes.
  for (const Secret* secret : {&group.packet.gtek, &group.packet.gkek, &group.root,
                               &group.negotiate.down, &group.negotiate.up}) {
    add(*secret);
  }
  const SessionStage session = derive_session_stage(kHash, {kNonceC, kNonceM}, kZt, th1);
  const PairwiseKeys pair = derive_pairwise(kHash, session.root, th1);
  for (const Secret* secret : {&session.stek.down, &session.stek.up, &session.root, &pair.skek.down,
                               &pair.skek.up, &pair.pairwise}) {
    add(*secret);
  }
}

TEST(Schedule, TheHashIsTheSuites) {
  constexpr auto kOther = crypto::Hash::kSha384;
  EXPECT_EQ(transcript_1(kOther, as_bytes("ab"), as_bytes("c")),
            crypto::digest(kOther, {as_bytes(std::string_view("\0\0\0\2ab\0\0\0\1c", 11))}));
  const Bytes th1 = transcript_1(kOther, as_bytes("ab"), as_bytes("c"));
  const SessionStage stage = derive_session_stage(kOther, {kNonceC, kNonceM}, kZt, th1);
  Bytes salt = kNonceC;
  append(salt, kNonceM);
  const Secret root = crypto::hkdf_extract(kOther, salt, kZt);
  EXPECT_EQ(root.size(), 48U);
  EXPECT_EQ(hex(stage.root), hex(root));
  Bytes info = to_bytes(as_bytes("GKMP/1 stek"));
  info.insert(info.end(), {0, 1});
  append(info, th1);
  EXPECT_EQ(hex(stage.stek.down), hex(crypto::hkdf_expand(kOther, root, {info}, 32)));
  const GroupStage group = derive_group_stage(kOther, {kNonceC, kNonceM}, kZt, kZk, th1);
  EXPECT_EQ(group.packet.gtek.size(), kGroupKeySize);
  EXPECT_EQ(group.root.size(), 48U);
}

TEST(Schedule, EveryInputMatters) {
  const Digest th1 = digest_of("th1");
  const auto gtek = [&](ByteView nc, ByteView nm, const Secret& zt, const Digest& th) {
    return hex(derive_group_stage(kHash, {nc, nm}, zt, kZk, th).packet.gtek);
  };
  const std::string base = gtek(kNonceC, kNonceM, kZt, th1);
  EXPECT_NE(base, gtek(kNonceM, kNonceM, kZt, th1));
  EXPECT_NE(base, gtek(kNonceC, kNonceC, kZt, th1));
  EXPECT_NE(base, gtek(kNonceC, kNonceM, kZk, th1));
  EXPECT_NE(base, gtek(kNonceC, kNonceM, kZt, digest_of("other")));
}

TEST(Confirmation, BindsTypeAndStatement) {
  const Secret pairwise = Secret::copy_of(Bytes(32, 7));
  const Digest statement = digest_of("statement");
  const Digest base = confirmation(pairwise, 10, statement);
  Bytes input = to_bytes(as_bytes("GKMP/1 confirm"));
  input.insert(input.end(), {0, 10});
  append(input, statement);
  EXPECT_EQ(base, crypto::hmac_sha256(pairwise, {input}));
  EXPECT_NE(base, confirmation(pairwise, 9, statement));
  EXPECT_NE(base, confirmation(pairwise, 10, digest_of("another")));
}

}  // namespace
}  // namespace gkmpd::keys
