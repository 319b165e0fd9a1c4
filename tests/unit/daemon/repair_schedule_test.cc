// When groups are compared with the kernel: coalescing, back-off and the regular check.
#include "agent/daemon/repair_schedule.h"

#include <gtest/gtest.h>

namespace gkmpd::daemon {
namespace {

const IpAddress kA = *IpAddress::parse("239.1.1.1");
const IpAddress kB = *IpAddress::parse("239.1.1.2");
const std::vector<IpAddress> kBoth{kA, kB};
constexpr MonoTime kStart{milliseconds(5000)};

class Schedule : public testing::Test {
 protected:
  /// Lets time pass to the next comparison of `kA`, which finds something; how long that took.
  milliseconds repair_after_a_change() {
    const MonoTime changed = now_;
    (void)schedule_.note(kA, now_, Urgency::kMayWait);
    for (auto due = schedule_.take_due(kBoth, now_); due != kA;
         due = schedule_.take_due(kBoth, now_)) {
      if (!due) now_ = schedule_.next();
    }
    schedule_.repaired(kA, now_);
    return now_ - changed;
  }

  MonoTime now_ = kStart;
  RepairSchedule schedule_{kStart};
};

TEST_F(Schedule, ThousandsOfEventsAreOneComparison) {
  for (int i = 0; i < 2000; ++i)
    EXPECT_EQ(schedule_.note(kA, kStart + milliseconds(i % 9), Urgency::kMayWait), std::nullopt);
  EXPECT_EQ(schedule_.next(), kStart + kRepairSettle);
  EXPECT_EQ(schedule_.take_due(kBoth, kStart + kRepairSettle - milliseconds(1)), std::nullopt);
  EXPECT_EQ(schedule_.take_due(kBoth, kStart + kRepairSettle), kA);
  EXPECT_EQ(schedule_.take_due(kBoth, kStart + kRepairSettle), std::nullopt);
}

TEST_F(Schedule, EachAddressHasItsTurn) {
  (void)schedule_.note(kA, kStart, Urgency::kMayWait);
  (void)schedule_.note(kB, kStart, Urgency::kMayWait);
  EXPECT_EQ(schedule_.take_due(kBoth, kStart + kRepairSettle), kA);
  EXPECT_EQ(schedule_.take_due(kBoth, kStart + kRepairSettle), kB);
  EXPECT_EQ(schedule_.take_due(kBoth, kStart + kRepairSettle), std::nullopt);
}

TEST_F(Schedule, RepairsThatDoNotLastComeSlowerAndSlower) {
  EXPECT_EQ(repair_after_a_change(), kRepairSettle);
  milliseconds wait = kRepairWaitFirst;
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(repair_after_a_change(), wait) << i;
    wait = std::min(wait * 2, kRepairWaitMax);
  }
  EXPECT_EQ(wait, kRepairWaitMax);
  now_ += kRepairCalm;
  while (schedule_.take_due(kBoth, now_)) continue;  // the regular check finds nothing
  EXPECT_EQ(repair_after_a_change(), kCompareSpacing) << "after a calm time";
  EXPECT_EQ(repair_after_a_change(), kRepairWaitFirst) << "and from the beginning";
}

TEST_F(Schedule, AWaitIsToldOnce) {
  schedule_.repaired(kA, kStart);
  EXPECT_EQ(schedule_.note(kA, kStart + milliseconds(40), Urgency::kMayWait),
            kRepairWaitFirst - milliseconds(40));
  EXPECT_EQ(schedule_.note(kA, kStart + milliseconds(41), Urgency::kMayWait), std::nullopt);
  EXPECT_EQ(schedule_.note(kB, kStart + milliseconds(41), Urgency::kMayWait), std::nullopt)
      << "others do not wait";
  EXPECT_EQ(schedule_.take_due(kBoth, kStart + kRepairWaitFirst), kB);
  EXPECT_EQ(schedule_.take_due(kBoth, kStart + kRepairWaitFirst), kA);
}

TEST_F(Schedule, WhatMayOpenAnAddressIsNeverHeldBack) {
  for (int i = 0; i < 9; ++i) (void)repair_after_a_change();
  EXPECT_EQ(schedule_.note(kA, now_, Urgency::kMayWait), kRepairWaitMax);
  EXPECT_EQ(schedule_.note(kA, now_, Urgency::kAtOnce), std::nullopt);
  EXPECT_EQ(schedule_.next(), now_ + kCompareSpacing);
  EXPECT_EQ(schedule_.take_due(kBoth, now_ + kCompareSpacing), kA);
}

TEST_F(Schedule, ComparisonsThatFindNothingAreApartAndTakeTurns) {
  (void)schedule_.note(kA, kStart, Urgency::kAtOnce);
  const MonoTime first = kStart + kRepairSettle;
  EXPECT_EQ(schedule_.take_due(kBoth, first), kA);
  (void)schedule_.note(kA, first, Urgency::kAtOnce);
  EXPECT_EQ(schedule_.next(), first + kCompareSpacing);
  (void)schedule_.note(kB, first, Urgency::kAtOnce);
  EXPECT_EQ(schedule_.take_due(kBoth, first + kCompareSpacing), kB) << "due for longer";
  EXPECT_EQ(schedule_.take_due(kBoth, first + kCompareSpacing), kA);
}

TEST_F(Schedule, WithoutEventsEverythingIsComparedNowAndThen) {
  for (int i = 1; i <= 3; ++i) {
    const MonoTime at = kStart + i * kCheckInterval;
    EXPECT_EQ(schedule_.next(), at);
    EXPECT_EQ(schedule_.take_due(kBoth, at - milliseconds(1)), std::nullopt);
    EXPECT_EQ(schedule_.take_due(kBoth, at), kA);
    EXPECT_EQ(schedule_.take_due(kBoth, at), kB);
    EXPECT_EQ(schedule_.take_due(kBoth, at), std::nullopt);
  }
}

TEST_F(Schedule, AGroupThatIsGoneIsForgotten) {
  (void)schedule_.note(kA, kStart, Urgency::kMayWait);
  EXPECT_EQ(schedule_.take_due({kB}, kStart + kRepairSettle), std::nullopt);
  EXPECT_EQ(schedule_.next(), kStart + kCheckInterval);
}

}  // namespace
}  // namespace gkmpd::daemon
