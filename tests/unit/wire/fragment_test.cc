#include "agent/wire/fragment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "agent/wire/errors.h"

namespace gkmpd::wire {
namespace {

Bytes plaintext_of(std::size_t size) {
  Bytes octets(size);
  for (std::size_t i = 0; i < size; ++i) octets[i] = static_cast<std::uint8_t>(i * 31 + i / 251);
  return octets;
}

Result<void> add(Reassembler& reassembler, const std::vector<ByteView>& chunks, std::size_t index) {
  return reassembler.add(static_cast<std::uint8_t>(index), static_cast<std::uint8_t>(chunks.size()),
                         chunks[index]);
}

TEST(Split, FillsAllFragmentsButTheLast) {
  EXPECT_EQ(split({}).size(), 1U);
  EXPECT_TRUE(split({})[0].empty());
  const Bytes octets = plaintext_of(2 * kMaxChunk + 1);
  EXPECT_EQ(split(ByteView(octets).first(kMaxChunk)).size(), 1U);
  EXPECT_EQ(split(ByteView(octets).first(kMaxChunk + 1)).size(), 2U);
  EXPECT_EQ(split(ByteView(octets).first(2 * kMaxChunk)).size(), 2U);
  const auto chunks = split(octets);
  ASSERT_EQ(chunks.size(), 3U);
  EXPECT_EQ(chunks[0].size(), kMaxChunk);
  EXPECT_EQ(chunks[1].size(), kMaxChunk);
  EXPECT_EQ(chunks[2].size(), 1U);
  EXPECT_EQ(split(plaintext_of(kMaxMessage)).size(), kMaxFragments);
}

TEST(Split, AFullFragmentIsAFullDatagram) {
  EXPECT_EQ(kHeaderSize + kMaxChunk + kSealOverhead, kMaxDatagram);
}

TEST(Reassembler, PutsTogetherInAnyOrder) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, kMaxChunk, kMaxChunk + 1, 5 * kMaxChunk - 3, kMaxMessage}) {
    const Bytes octets = plaintext_of(size);
    const auto chunks = split(octets);
    std::vector<std::size_t> order(chunks.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (int round = 0; round < 3; ++round) {
      Reassembler reassembler;
      std::size_t held = 0;
      for (const std::size_t index : order) {
        EXPECT_FALSE(reassembler.complete());
        EXPECT_FALSE(reassembler.take());
        ASSERT_TRUE(add(reassembler, chunks, index));
        held += chunks[index].size();
        EXPECT_EQ(reassembler.octets_held(), held);
      }
      EXPECT_TRUE(reassembler.complete());
      const auto whole = reassembler.take();
      ASSERT_TRUE(whole);
      EXPECT_TRUE(equal(whole->expose(), octets));
      EXPECT_EQ(reassembler.octets_held(), 0U);
      EXPECT_FALSE(reassembler.complete());
      // Reversed, then turned: first, last and middle come first once each.
      std::ranges::reverse(order);
      std::ranges::rotate(order, order.begin() + static_cast<std::ptrdiff_t>(round * 2) %
                                                     static_cast<std::ptrdiff_t>(order.size()));
    }
  }
}

class Partial : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(add(reassembler_, chunks_, 1)); }

  void expect_refused(std::size_t index, std::size_t count, ByteView chunk) {
    const auto result =
        reassembler_.add(static_cast<std::uint8_t>(index), static_cast<std::uint8_t>(count), chunk);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, kBadFragment);
    expect_unchanged();
  }
  void expect_unchanged() {
    EXPECT_EQ(reassembler_.octets_held(), kMaxChunk);
    EXPECT_FALSE(reassembler_.complete());
  }
  void expect_still_completes() {
    ASSERT_TRUE(add(reassembler_, chunks_, 0));
    ASSERT_TRUE(add(reassembler_, chunks_, 2));
    EXPECT_TRUE(equal(reassembler_.take().value().expose(), octets_));
  }

  const Bytes octets_ = plaintext_of(2 * kMaxChunk + 9);
  const std::vector<ByteView> chunks_ = split(octets_);
  Reassembler reassembler_;
};

TEST_F(Partial, IgnoresARepeat) {
  ASSERT_TRUE(add(reassembler_, chunks_, 1));
  expect_unchanged();
  expect_still_completes();
}

TEST_F(Partial, RefusesOtherOctetsUnderOneIndex) {
  Bytes other = to_bytes(chunks_[1]);
  other.back() ^= 1;
  expect_refused(1, 3, other);
  expect_still_completes();
}

TEST_F(Partial, RefusesAnotherCount) {
  expect_refused(0, 2, chunks_[0]);
  expect_refused(0, 4, chunks_[0]);
  expect_still_completes();
}

TEST_F(Partial, RefusesIndexesOutOfRange) {
  expect_refused(3, 3, chunks_[2]);
  expect_refused(0, 0, chunks_[0]);
  expect_refused(255, 3, chunks_[0]);
  expect_still_completes();
}

TEST_F(Partial, RefusesChunksCutOtherwise) {
  expect_refused(0, 3, chunks_[0].first(kMaxChunk - 1));
  expect_refused(0, 3, {});
  expect_refused(2, 3, {});
  expect_refused(2, 3, ByteView(octets_).first(kMaxChunk + 1));
  expect_still_completes();
}

TEST(Reassembler, ARefusedFirstFragmentSetsNoCount) {
  Reassembler reassembler;
  const Bytes octets = plaintext_of(kMaxChunk);
  EXPECT_FALSE(reassembler.add(0, kMaxFragments + 1, octets));
  EXPECT_FALSE(reassembler.add(0, 2, {}));
  EXPECT_FALSE(reassembler.add(0, 1, plaintext_of(kMaxChunk + 1)));
  ASSERT_TRUE(reassembler.add(0, 1, octets));
  EXPECT_TRUE(reassembler.complete());
}

}  // namespace
}  // namespace gkmpd::wire
