// What we install, as an independent reader sees it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kernel/groups.h"
#include "tests/kernel/independent_reader.h"

namespace gkmpd::test {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const std::string kOwnSa =
    "esp 10.9.0.1 > 239.1.1.1 spi 0x0a000001 reqid 0x47007003 mode 0 flags 0 sel 10.9.0.1/32 > "
    "239.1.1.1/32 proto 17 port 5000 aead rfc4106(gcm(aes)) "
    "0a0000010a0000020a0000030a0000040a000005 icv 128 "
    "window 1024 hard 3600";
const std::string kOtherSa =
    "esp 10.9.0.2 > 239.1.1.1 spi 0x0a000002 reqid 0x47007002 mode 0 flags 0 sel 10.9.0.2/32 > "
    "239.1.1.1/32 proto 17 port 5000 aead rfc4106(gcm(aes)) "
    "0a0000020a0000030a0000040a0000050a000006 icv 128 "
    "window 1024 hard 3600";
const std::string kGuard =
    "out 0.0.0.0/0 > 239.1.1.1/32 proto 0 block priority 2000 index 0x47000709";
const std::string kInGuard =
    "in 0.0.0.0/0 > 239.1.1.1/32 proto 0 block priority 2000 index 0x47000710";
const std::string kReportsOut =
    "out 0.0.0.0/0 > 239.1.1.1/32 proto 2 allow priority 500 index 0x47000729";
const std::string kQueriesIn =
    "in 0.0.0.0/0 > 239.1.1.1/32 proto 2 allow priority 500 index 0x47000730";
const std::string kIn =
    "in 0.0.0.0/0 > 239.1.1.1/32 proto 17 port 5000 allow priority 1000 index 0x47000720 tmpl "
    "0.0.0.0 > 239.1.1.1 "
    "proto 50 spi 0x00000000 reqid 0x00000000 mode 0 optional 0 algos "
    "0xffffffff0xffffffff0xffffffff";
const std::string kProtect =
    "out 10.9.0.1/32 > 239.1.1.1/32 proto 17 port 5000 allow priority 1000 index 0x47000719 tmpl "
    "10.9.0.1 > 239.1.1.1 proto 50 spi 0x00000000 reqid 0x47007003 mode 0 optional 0 algos "
    "0xffffffff0xffffffff0xffffffff";

class Install : public ::testing::Test {
 protected:
  [[nodiscard]] static xfrm::GroupSpec both_ways() {
    xfrm::GroupSpec spec = sending("10.9.0.1", 0x0a000001);
    spec.senders.push_back(sender_sa("10.9.0.2", 0x0a000002, 1, false));
    return spec;
  }

  Segment segment_{{"a"}};
  Agent agent_{segment_, "a"};
};

TEST_F(Install, IndependentReaderSeesWhatTheSpecMeans) {
  agent_.apply(both_ways());
  EXPECT_THAT(read_sas(segment_, "a"), UnorderedElementsAre(kOwnSa, kOtherSa));
  EXPECT_THAT(read_policies(segment_, "a"),
              UnorderedElementsAre(kGuard, kInGuard, kReportsOut, kQueriesIn, kIn, kProtect));
}

TEST_F(Install, OurOwnReaderSeesTheSame) {
  agent_.apply(both_ways());
  const auto state = agent_.kernel().read(agent_.record());
  ASSERT_TRUE(state) << state.error().text();
  EXPECT_THAT(xfrm::plan(*state, xfrm::wanted_state(both_ways())), IsEmpty());
}

TEST_F(Install, GuardAloneBeforeActivation) {
  xfrm::GroupSpec spec = both_ways();
  spec.active_generation.reset();
  agent_.apply(spec);
  EXPECT_THAT(read_policies(segment_, "a"),
              UnorderedElementsAre(kGuard, kInGuard, kReportsOut, kQueriesIn, kIn));
}

TEST_F(Install, SmallestAndLargestWindow) {
  for (const std::uint32_t window : {xfrm::kMinReplayWindow, xfrm::kMaxReplayWindow}) {
    xfrm::GroupSpec spec = listening("10.9.0.2", 0x0a000002);
    spec.replay_window = window;
    agent_.apply(spec);
    const auto sas = read_sas(segment_, "a");
    ASSERT_EQ(sas.size(), 1U);
    EXPECT_NE(sas.begin()->find("window " + std::to_string(window) + " "), std::string::npos)
        << *sas.begin();
  }
}

TEST_F(Install, AnyPortWhereTheGroupSaysSo) {
  xfrm::GroupSpec spec = both_ways();
  spec.port = 0;
  agent_.apply(spec);
  std::string protect = kProtect;
  std::string in = kIn;
  for (std::string* policy : {&protect, &in}) policy->erase(policy->find(" port 5000"), 10);
  EXPECT_THAT(read_policies(segment_, "a"),
              UnorderedElementsAre(kGuard, kInGuard, kReportsOut, kQueriesIn, in, protect));
}

TEST_F(Install, MoreSendersThanOneBatchHolds) {
  xfrm::GroupSpec spec = empty_group();
  constexpr std::uint32_t kSenders = 300;
  for (std::uint32_t i = 0; i < kSenders; ++i)
    spec.senders.push_back(sender_sa("10.9.0.2", 0x0a000100 + i, 1, false));
  agent_.apply(spec);
  EXPECT_EQ(read_sas(segment_, "a").size(), kSenders);
  const auto removed = agent_.kernel().remove(agent_.record());
  ASSERT_TRUE(removed) << removed.error().text();
  EXPECT_THAT(read_sas(segment_, "a"), IsEmpty());
  EXPECT_THAT(read_policies(segment_, "a"), IsEmpty());
}

TEST_F(Install, WhatSomebodyElseTookAwayComesBack) {
  agent_.apply(both_ways());
  segment_.ip("a", "xfrm state flush");
  segment_.ip("a", "xfrm policy delete src 0.0.0.0/0 dst 239.1.1.1/32 dir out");
  agent_.apply(both_ways());
  EXPECT_THAT(read_sas(segment_, "a"), UnorderedElementsAre(kOwnSa, kOtherSa));
  EXPECT_THAT(read_policies(segment_, "a"),
              UnorderedElementsAre(kGuard, kInGuard, kReportsOut, kQueriesIn, kIn, kProtect));
}

TEST_F(Install, WhatSomebodyElseChangedIsPutRight) {
  agent_.apply(both_ways());
  segment_.ip("a",
              "xfrm policy update src 0.0.0.0/0 dst 239.1.1.1/32 dir out priority 3000 "
              "action allow");
  agent_.apply(both_ways());
  EXPECT_THAT(read_policies(segment_, "a"),
              UnorderedElementsAre(kGuard, kInGuard, kReportsOut, kQueriesIn, kIn, kProtect));
}

TEST_F(Install, AnSaOfOursWithAnotherKeyIsReplaced) {
  xfrm::GroupSpec spec = both_ways();
  spec.senders[1].key = Secret(xfrm::key_material_size(spec.suite));
  agent_.apply(spec);
  agent_.apply(both_ways());
  EXPECT_THAT(read_sas(segment_, "a"), UnorderedElementsAre(kOwnSa, kOtherSa));
}

}  // namespace
}  // namespace gkmpd::test
