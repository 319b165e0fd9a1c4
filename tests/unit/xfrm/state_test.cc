#include "xfrm/state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/xfrm/specs.h"

namespace gkmpd::xfrm {
namespace {

using test::demo_group;
using test::ip;
using test::sender;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(Spec, ReqidsTellSlotGenerationAndDirection) {
  EXPECT_EQ(reqid(0, 0, SaDirection::kIn), 0x47000000U);
  EXPECT_EQ(reqid(7, 1, SaDirection::kOut), 0x47007003U);
  EXPECT_EQ(reqid(kMaxSlot, kMaxGeneration, SaDirection::kOut), 0x47ffffffU);
  for (const int number : {0, 1, 7, 0x800, 0xfff}) {
    const auto slot = static_cast<GroupSlot>(number);
    const std::uint32_t value = reqid(slot, kMaxGeneration, SaDirection::kIn);
    EXPECT_TRUE(is_our_reqid(value));
    EXPECT_EQ(slot_of_reqid(value), slot);
  }
  EXPECT_FALSE(is_our_reqid(0x46ffffff));
  EXPECT_FALSE(is_our_reqid(0x48000000));
}

TEST(Spec, PolicyIndexesTellSlotKindAndDirection) {
  EXPECT_EQ(policy_index(7, PolicyKind::kGuard), 0x47000709U);
  EXPECT_EQ(policy_index(7, PolicyKind::kIn), 0x47000710U);
  EXPECT_EQ(policy_index(7, PolicyKind::kProtect), 0x47000719U);
  EXPECT_EQ(policy_index(kMaxSlot, PolicyKind::kProtect), 0x470fff19U);
  EXPECT_EQ(slot_of_policy_index(policy_index(kMaxSlot, PolicyKind::kIn)), kMaxSlot);
  EXPECT_TRUE(is_our_policy_index(0x47000709));
  EXPECT_FALSE(is_our_policy_index(0x09));
}

TEST(Spec, TheGuardIsTheLastResort) { EXPECT_GT(kGuardPriority, kProtectPriority); }

TEST(State, WantedStateHasInboundBeforeOutbound) {
  const KernelState state = wanted_state(demo_group());
  ASSERT_THAT(state.sas, SizeIs(2));
  EXPECT_EQ(state.sas[0].reqid, reqid(7, 1, SaDirection::kIn));
  EXPECT_EQ(state.sas[0].source, ip("10.9.0.2"));
  EXPECT_EQ(state.sas[1].reqid, reqid(7, 1, SaDirection::kOut));
  EXPECT_TRUE(state.sas[1].outbound());
  ASSERT_THAT(state.policies, SizeIs(3));
  EXPECT_EQ(state.policies[0].kind, PolicyKind::kGuard);
  EXPECT_EQ(state.policies[1].kind, PolicyKind::kIn);
  EXPECT_EQ(state.policies[2].kind, PolicyKind::kProtect);
  EXPECT_EQ(state.policies[2].reqid, state.sas[1].reqid);
}

TEST(State, NoProtectPolicyBeforeActivation) {
  GroupSpec spec = demo_group();
  spec.active_generation.reset();
  EXPECT_THAT(wanted_state(spec).policies, SizeIs(2));
}

TEST(State, ObjectsOfNamesEachObjectOnce) {
  const IpAddress group = ip("239.1.1.1");
  EXPECT_THAT(objects_of(demo_group()),
              ElementsAre(ObjectId{ObjectKind::kPolicy, group, 0x47000709, 0},
                          ObjectId{ObjectKind::kPolicy, group, 0x47000710, 0},
                          ObjectId{ObjectKind::kPolicy, group, 0x47000719, 0},
                          ObjectId{ObjectKind::kSa, group, 0x0a000002, 0x47007002},
                          ObjectId{ObjectKind::kSa, group, 0x0a000001, 0x47007003}));
  EXPECT_EQ(objects_of(demo_group())[0].text(), "policy 239.1.1.1 index 0x47000709");
  EXPECT_EQ(objects_of(demo_group())[3].text(), "SA 239.1.1.1 spi 0x0a000002");
}

TEST(State, SasAreComparedInEverythingButTheLifetime) {
  const auto sa = [] { return test::sa_of(demo_group(), 0x0a000001); };
  SaState other = sa();
  other.hard_lifetime_s = 1;
  EXPECT_TRUE(sa().same_as(other));
  const std::vector<void (*)(SaState&)> changes = {
      [](SaState& s) { s.spi++; },
      [](SaState& s) { s.source = ip("10.9.0.9"); },
      [](SaState& s) { s.destination = ip("239.1.1.9"); },
      [](SaState& s) { s.reqid ^= 1; },
      [](SaState& s) { s.replay_window = 64; },
      [](SaState& s) { s.key = test::counting_key(99); },
      [](SaState& s) { s.regular = false; }};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    SaState changed = sa();
    changes[i](changed);
    EXPECT_FALSE(sa().same_as(changed)) << "change " << i;
  }
}

TEST(Check, AcceptsAGroup) {
  EXPECT_TRUE(check(demo_group()));
  GroupSpec rollover = demo_group();
  rollover.senders.push_back(sender(0x0a010001, "10.9.0.1", true, 2));
  EXPECT_TRUE(check(rollover));
}

TEST(Check, RefusesWhatMustNotReachTheKernel) {
  const std::vector<std::pair<void (*)(GroupSpec&), std::string>> cases = {
      {[](GroupSpec& s) { s.destination = ip("10.9.0.9"); }, "no multicast group"},
      {[](GroupSpec& s) { s.destination = ip("224.0.0.22"); }, "link-scope"},
      {[](GroupSpec& s) { s.destination = ip("ff05::1"); }, "other family"},
      {[](GroupSpec& s) { s.slot = kMaxSlot + 1; }, "slot"},
      {[](GroupSpec& s) { s.replay_window = kMinReplayWindow - 1; }, "replay window of 31"},
      {[](GroupSpec& s) { s.replay_window = kMaxReplayWindow + 1; }, "replay window of 4097"},
      {[](GroupSpec& s) { s.ip_protocol = 0; }, "port but no protocol"},
      {[](GroupSpec& s) { s.own_source.reset(); }, "no source address"},
      {[](GroupSpec& s) { s.active_generation = 2; }, "no outbound SA"},
      {[](GroupSpec& s) { s.senders[0].spi = 255; }, "reserved"},
      {[](GroupSpec& s) { s.senders[1].spi = s.senders[0].spi; }, "twice"},
      {[](GroupSpec& s) { s.senders[1].source = ip("fd09::2"); }, "other family"},
      {[](GroupSpec& s) { s.senders[1].source = ip("239.1.1.1"); }, "no host's address"},
      {[](GroupSpec& s) { s.senders[1].source = ip("0.0.0.0"); }, "no host's address"},
      {[](GroupSpec& s) { s.senders[1].key = Secret(16); }, "key material of 16 octets"},
      {[](GroupSpec& s) { s.senders[1].hard_lifetime_s = 0; }, "no lifetime"},
      {[](GroupSpec& s) { s.senders[1].generation = kMaxGeneration + 1; }, "generation"},
      {[](GroupSpec& s) { s.senders[1].outbound = true; }, "not from this host's"},
      {[](GroupSpec& s) { s.senders.push_back(sender(0x0a000003, "10.9.0.1", true)); },
       "two outbound SAs"}};
  for (const auto& [spoil, words] : cases) {
    GroupSpec spec = demo_group();
    spoil(spec);
    const auto checked = check(spec);
    ASSERT_FALSE(checked) << words;
    EXPECT_EQ(checked.error().kind, kBadSpec);
    EXPECT_THAT(checked.error().detail, HasSubstr("group demo: "));
    EXPECT_THAT(checked.error().detail, HasSubstr(words));
  }
}

}  // namespace
}  // namespace gkmpd::xfrm
