#include "agent/keys/packet.h"

#include <gtest/gtest.h>

#include "agent/keys/errors.h"

namespace gkmpd::keys {
namespace {

constexpr crypto::Hash kHash = crypto::Hash::kSha256;
const Secret kKek = Secret::copy_of(Bytes(32, 9));
constexpr std::string_view kStatement = "the statement";
constexpr std::string_view kSignature = "its signature";

GroupKeyPacket packet() {
  return {Secret::copy_of(Bytes(kGroupKeySize, 1)), Secret::copy_of(Bytes(kGroupKeySize, 2))};
}

TEST(Packet, ComesBackAsItWent) {
  const Bytes sealed =
      seal_packet(kHash, kKek, as_bytes(kStatement), as_bytes(kSignature), packet());
  const auto opened = open_packet(kHash, kKek, as_bytes(kStatement), as_bytes(kSignature), sealed);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(opened->gtek.equals(packet().gtek));
  EXPECT_TRUE(opened->gkek.equals(packet().gkek));
}

TEST(Packet, IsBoundToStatementSignatureAndKey) {
  const Bytes sealed =
      seal_packet(kHash, kKek, as_bytes(kStatement), as_bytes(kSignature), packet());
  const auto refused = [](const Result<GroupKeyPacket>& opened) {
    return !opened && opened.error().kind == kBadPacket;
  };
  EXPECT_TRUE(refused(open_packet(kHash, kKek, as_bytes("other"), as_bytes(kSignature), sealed)));
  EXPECT_TRUE(refused(open_packet(kHash, kKek, as_bytes(kStatement), as_bytes("other"), sealed)));
  EXPECT_TRUE(refused(open_packet(kHash, Secret::copy_of(Bytes(32, 8)), as_bytes(kStatement),
                                  as_bytes(kSignature), sealed)));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    Bytes changed = sealed;
    changed[i] ^= 1;
    EXPECT_TRUE(
        refused(open_packet(kHash, kKek, as_bytes(kStatement), as_bytes(kSignature), changed)));
  }
  EXPECT_TRUE(refused(open_packet(kHash, kKek, as_bytes(kStatement), as_bytes(kSignature), {})));
  EXPECT_TRUE(refused(open_packet(crypto::Hash::kSha384, kKek, as_bytes(kStatement),
                                  as_bytes(kSignature), sealed)));
}

TEST(Commitment, HoldsForOneGroupTupleAndPairOfKeysOnly) {
  const GroupId group{1};
  const EpochTuple tuple{1, 2, 3, 4};
  const Digest committed = commitment(packet(), group, tuple);
  EXPECT_TRUE(check_commitment(packet(), group, tuple, committed));

  const auto differs = [&](const Result<void>& checked) {
    return !checked && checked.error().kind == kBadCommitment;
  };
  EXPECT_TRUE(differs(check_commitment(packet(), GroupId{2}, tuple, committed)));
  for (const EpochTuple other : {EpochTuple{2, 2, 3, 4}, EpochTuple{1, 3, 3, 4},
                                 EpochTuple{1, 2, 4, 4}, EpochTuple{1, 2, 3, 5}}) {
    EXPECT_TRUE(differs(check_commitment(packet(), group, other, committed)));
  }
  GroupKeyPacket swapped{packet().gkek.clone(), packet().gtek.clone()};
  EXPECT_TRUE(differs(check_commitment(swapped, group, tuple, committed)));
}

}  // namespace
}  // namespace gkmpd::keys
