// Who waits how long before asking for an epoch, before answering, and before sending a rekey once
// more (profile P31, S23, R8).
#include <gtest/gtest.h>

#include "agent/crypto/random.h"
#include "agent/protocol/limits.h"
#include "agent/protocol/repair.h"

namespace gkmpd::protocol {
namespace {

/// The first and last of the waits that a draw can give.
class OneDraw final : public Random {
 public:
  explicit OneDraw(std::uint8_t octet) : octet_(octet) {}
  void fill(std::span<std::uint8_t> out) override { std::ranges::fill(out, octet_); }

 private:
  std::uint8_t octet_;
};

OneDraw shortest(0x00);
OneDraw longest(0xff);

Now at(milliseconds time) { return {MonoTime(time), WallTime{}}; }

const EpochId kFirst{1};
const EpochId kSecond{2};
const Bytes kPackage{1, 2, 3};
constexpr milliseconds kQuiet = kRepairQuiet;
constexpr milliseconds kSpread = kRepairSpread;
constexpr milliseconds kTick{1};

TEST(RandomWait, IsBetweenNothingAndTheLongest) {
  EXPECT_EQ(random_wait(shortest, milliseconds(500)), milliseconds(0));
  EXPECT_EQ(random_wait(longest, milliseconds(500)), milliseconds(500));
  crypto::SeededRandom random(1);
  milliseconds sum{};
  for (int i = 0; i < 1000; ++i) {
    const milliseconds wait = random_wait(random, milliseconds(500));
    ASSERT_GE(wait, milliseconds(0));
    ASSERT_LE(wait, milliseconds(500));
    sum += wait;
  }
  EXPECT_NEAR(static_cast<double>(sum.count()) / 1000, 250, 25);
}

// --- PackageShelf --------------------------------------------------------------------------------

TEST(PackageShelf, AnswersOnceAfterAWait) {
  PackageShelf shelf;
  shelf.keep(at(kTick), kFirst, kPackage);
  EXPECT_TRUE(shelf.has(kFirst));
  EXPECT_FALSE(shelf.has(kSecond));
  EXPECT_FALSE(shelf.next_timeout()) << "nobody asked";

  const milliseconds asked = kTick + kQuiet * 3;
  shelf.asked_for(at(asked), longest, kFirst);
  EXPECT_EQ(shelf.next_timeout(), at(asked + kSpread).mono);
  EXPECT_TRUE(shelf.take_due(at(asked + kSpread - kTick)).empty());
  EXPECT_EQ(shelf.take_due(at(asked + kSpread)), std::vector<Bytes>{kPackage});
  EXPECT_TRUE(shelf.take_due(at(asked + kSpread)).empty());
  EXPECT_FALSE(shelf.next_timeout());
}

TEST(PackageShelf, HasNothingForOtherEpochs) {
  PackageShelf shelf;
  shelf.asked_for(at(kTick), shortest, kFirst);
  EXPECT_FALSE(shelf.next_timeout());
  shelf.keep(at(kTick), kFirst, kPackage);
  shelf.asked_for(at(kTick), shortest, kSecond);
  EXPECT_FALSE(shelf.next_timeout());
}

TEST(PackageShelf, AnswersAtMostOnceInTheQuietTime) {
  PackageShelf shelf;
  shelf.keep(at(kTick), kFirst, kPackage);
  // It was on the wire when it was kept.
  shelf.asked_for(at(kTick), shortest, kFirst);
  EXPECT_EQ(shelf.next_timeout(), at(kTick + kQuiet).mono);
  int answers = 0;
  for (milliseconds time = kTick; time < kTick + kQuiet * 20; time += milliseconds(10)) {
    shelf.asked_for(at(time), shortest, kFirst);
    answers += static_cast<int>(shelf.take_due(at(time)).size());
  }
  EXPECT_EQ(answers, 19);
}

TEST(PackageShelf, QuestionsDoNotPutTheAnswerOff) {
  PackageShelf shelf;
  shelf.keep(at(kTick), kFirst, kPackage);
  const milliseconds asked = kQuiet * 5;
  shelf.asked_for(at(asked), shortest, kFirst);
  shelf.asked_for(at(asked), longest, kFirst);
  EXPECT_EQ(shelf.next_timeout(), at(asked).mono);
}

TEST(PackageShelf, WhatAnotherSentNeedsNoAnswer) {
  PackageShelf shelf;
  shelf.keep(at(kTick), kFirst, kPackage);
  const milliseconds asked = kQuiet * 5;
  shelf.asked_for(at(asked), longest, kFirst);
  Bytes similar = kPackage;
  similar.back() ^= 1;
  shelf.seen(at(asked), similar);
  EXPECT_TRUE(shelf.next_timeout()) << "to the octet";
  shelf.seen(at(asked), kPackage);
  EXPECT_FALSE(shelf.next_timeout());
  shelf.asked_for(at(asked), shortest, kFirst);
  EXPECT_EQ(shelf.next_timeout(), at(asked + kQuiet).mono);
}

TEST(PackageShelf, TheOldestMakesRoom) {
  PackageShelf shelf;
  const auto id = [](std::size_t number) { return EpochId{static_cast<std::uint8_t>(number)}; };
  const auto package = [](std::size_t number) {
    return Bytes{static_cast<std::uint8_t>(number), 7};
  };
  for (std::size_t i = 1; i <= kMaxKeptPackages; ++i) shelf.keep(at(kTick), id(i), package(i));
  EXPECT_TRUE(shelf.has(id(1)));
  shelf.keep(at(kTick), id(2), package(99));  // in its own place
  EXPECT_TRUE(shelf.has(id(1)));
  shelf.keep(at(kTick), id(kMaxKeptPackages + 1), package(1));
  EXPECT_FALSE(shelf.has(id(1)));
  for (std::size_t i = 2; i <= kMaxKeptPackages + 1; ++i) EXPECT_TRUE(shelf.has(id(i))) << i;

  const milliseconds asked = kQuiet * 5;
  shelf.asked_for(at(asked), shortest, id(2));
  EXPECT_EQ(shelf.take_due(at(asked)), std::vector<Bytes>{package(99)});
}

TEST(PackageShelf, SeveralAreAnsweredEachAtItsTime) {
  PackageShelf shelf;
  shelf.keep(at(kTick), kFirst, {1});
  shelf.keep(at(kTick), kSecond, {2});
  const milliseconds asked = kQuiet * 5;
  shelf.asked_for(at(asked), longest, kFirst);
  shelf.asked_for(at(asked), shortest, kSecond);
  EXPECT_EQ(shelf.next_timeout(), at(asked).mono);
  EXPECT_EQ(shelf.take_due(at(asked)), std::vector<Bytes>{Bytes{2}});
  EXPECT_EQ(shelf.next_timeout(), at(asked + kSpread).mono);
  EXPECT_EQ(shelf.take_due(at(asked + kSpread)), std::vector<Bytes>{Bytes{1}});
}

// --- RekeyRepeats --------------------------------------------------------------------------------

TEST(RekeyRepeats, SoManyTimesAndSoFarApart) {
  RekeyRepeats repeats;
  EXPECT_FALSE(repeats.next_timeout());
  repeats.start(at(kTick), kPackage, 2, milliseconds(300));
  EXPECT_FALSE(repeats.take_due(at(kTick + milliseconds(299))));
  EXPECT_EQ(repeats.next_timeout(), at(kTick + milliseconds(300)).mono);
  EXPECT_EQ(repeats.take_due(at(kTick + milliseconds(300))), kPackage);
  EXPECT_EQ(repeats.next_timeout(), at(kTick + milliseconds(600)).mono);
  EXPECT_EQ(repeats.take_due(at(kTick + milliseconds(650))), kPackage);
  EXPECT_FALSE(repeats.next_timeout());
  EXPECT_FALSE(repeats.take_due(at(seconds(60))));
}

TEST(RekeyRepeats, StopAndWithoutAny) {
  RekeyRepeats repeats;
  repeats.start(at(kTick), kPackage, 2, milliseconds(300));
  repeats.stop();
  EXPECT_FALSE(repeats.next_timeout());
  EXPECT_FALSE(repeats.take_due(at(seconds(60))));
  repeats.start(at(kTick), kPackage, 0, milliseconds(300));
  EXPECT_FALSE(repeats.next_timeout());
}

// --- RepairClock ---------------------------------------------------------------------------------

TEST(RepairClock, AsksAfterAWaitAndAgainLater) {
  RepairClock clock;
  EXPECT_FALSE(clock.due());
  clock.need(at(kTick), longest);
  EXPECT_EQ(clock.due(), at(kTick + kSpread).mono);
  clock.need(at(kTick), shortest);
  EXPECT_EQ(clock.due(), at(kTick + kSpread).mono) << "it waits already";
  clock.asked(at(kTick + kSpread), longest);
  EXPECT_EQ(clock.due(), at(kTick + kSpread + kRepairAgain + kSpread).mono);
  clock.stop();
  EXPECT_FALSE(clock.due());
}

TEST(RepairClock, AnothersQuestionServesToo) {
  RepairClock clock;
  clock.asked(at(kTick), shortest);
  EXPECT_FALSE(clock.due()) << "this host lacks nothing";
  clock.need(at(kTick), longest);
  clock.asked(at(kTick), shortest);
  EXPECT_EQ(clock.due(), at(kTick + kRepairAgain).mono);
}

}  // namespace
}  // namespace gkmpd::protocol
