#include "xfrm/state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/xfrm/specs.h"

namespace gkmpd::xfrm {
namespace {

using test::demo_group;
using test::ip;
using test::sender;
using test::shared_group;
using test::shared_listener;
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
    EXPECT_EQ((value >> 12) & kMaxSlot, slot);
  }
  EXPECT_FALSE(is_our_reqid(0x46ffffff));
  EXPECT_FALSE(is_our_reqid(0x48000000));
}

TEST(Spec, PolicyIndexesTellSlotKindAndDirection) {
  EXPECT_EQ(policy_index(7, PolicyKind::kGuard), 0x47000709U);
  EXPECT_EQ(policy_index(7, PolicyKind::kInGuard), 0x47000710U);
  EXPECT_EQ(policy_index(7, PolicyKind::kIn), 0x47000720U);
  EXPECT_EQ(policy_index(7, PolicyKind::kMembershipOut), 0x47000729U);
  EXPECT_EQ(policy_index(7, PolicyKind::kMembershipIn), 0x47000730U);
  EXPECT_EQ(policy_index(7, PolicyKind::kPassage), 0x47000739U);
  for (const PolicyKind kind : kPolicyKinds)
    EXPECT_EQ(kind_of_policy_index(policy_index(7, kind)), kind);
  EXPECT_EQ(kind_of_policy_index(0x47000741), std::nullopt);
  EXPECT_EQ(kind_of_policy_index(0x48000709), std::nullopt);
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
  std::vector<PolicyKind> kinds;
  for (const PolicyState& policy : state.policies) kinds.push_back(policy.kind);
  EXPECT_THAT(kinds,
              ElementsAre(PolicyKind::kMembershipOut, PolicyKind::kMembershipIn, PolicyKind::kIn,
                          PolicyKind::kInGuard, PolicyKind::kGuard, PolicyKind::kProtect));
  EXPECT_EQ(state.policies.back().reqid, state.sas[1].reqid);
}

TEST(State, ASharedSaServesBothWaysOnAHostThatSends) {
  const KernelState sending = wanted_state(shared_group());
  ASSERT_THAT(sending.sas, SizeIs(1));
  EXPECT_TRUE(sending.sas[0].shared());
  EXPECT_EQ(sending.sas[0].source, ip("0.0.0.0"));
  EXPECT_EQ(sending.sas[0].replay_window, 0U);
  EXPECT_EQ(sending.sas[0].suite, EspSuite::kAesCbc128HmacSha256);
  EXPECT_EQ(sending.sas[0].reqid, reqid(7, 1, SaDirection::kOut));
  ASSERT_THAT(sending.policies, SizeIs(6));
  EXPECT_EQ(sending.policies[5].source, ip("10.9.0.1"));
  EXPECT_EQ(sending.policies[5].reqid, sending.sas[0].reqid);

  const KernelState listening = wanted_state(shared_listener());
  ASSERT_THAT(listening.sas, SizeIs(1));
  EXPECT_EQ(listening.sas[0].reqid, reqid(7, 1, SaDirection::kIn));
  EXPECT_THAT(listening.policies, SizeIs(5));
}

TEST(State, GroupsOnOneAddressShareItsPoliciesAndNoOther) {
  GroupSpec other = demo_group();
  other.slot = 8;
  other.port = 5001;
  std::size_t shared = 0;
  const KernelState ours = wanted_state(demo_group());
  for (const PolicyState& policy : wanted_state(other).policies) {
    const auto same = std::ranges::find(ours.policies, policy.id(), &PolicyState::id);
    EXPECT_EQ(same != ours.policies.end(), is_of_address(policy.kind));
    if (same == ours.policies.end()) continue;
    EXPECT_EQ(*same, policy);
    ++shared;
  }
  EXPECT_EQ(shared, 4U);
}

TEST(State, AnXfrmInterfaceIsReachedInClearAndHasPoliciesOfItsOwn) {
  const KernelState state = wanted_state(test::attached(demo_group()));
  const auto find = [&](PolicyKind kind) {
    return *std::ranges::find(state.policies, kind, &PolicyState::kind);
  };
  EXPECT_EQ(find(PolicyKind::kPassage).attachment, (Attachment{.interface = 5}));
  EXPECT_EQ(find(PolicyKind::kPassage).port, 5000);
  const Attachment inside{.interface = 0, .if_id = 7, .mark = 0x2a, .mark_mask = 0xff};
  EXPECT_EQ(find(PolicyKind::kIn).attachment, inside);
  EXPECT_EQ(find(PolicyKind::kProtect).attachment, inside);
  EXPECT_EQ(find(PolicyKind::kGuard).attachment, Attachment{});
  for (const SaState& sa : state.sas) EXPECT_EQ(sa.attachment, inside);
}

TEST(State, ABoundInterfaceIsThePoliciesAffairAlone) {
  const KernelState state = wanted_state(test::on_interface(demo_group()));
  EXPECT_THAT(state.policies, SizeIs(6));
  for (const PolicyState& policy : state.policies)
    EXPECT_EQ(policy.attachment.interface, policy.kind == PolicyKind::kProtect ? 5U : 0U);
  for (const SaState& sa : state.sas) EXPECT_EQ(sa.attachment, Attachment{});
}

TEST(State, NoProtectPolicyBeforeActivation) {
  GroupSpec spec = demo_group();
  spec.active_generation.reset();
  EXPECT_THAT(wanted_state(spec).policies, SizeIs(5));
}

TEST(State, ObjectsOfNamesEachObjectOnce) {
  const IpAddress group = ip("239.1.1.1");
  EXPECT_THAT(objects_of(demo_group()),
              ElementsAre(ObjectId{ObjectKind::kPolicy, group, 0x47000729, 0},
                          ObjectId{ObjectKind::kPolicy, group, 0x47000730, 0},
                          ObjectId{ObjectKind::kPolicy, group, 0x47000720, 0},
                          ObjectId{ObjectKind::kPolicy, group, 0x47000710, 0},
                          ObjectId{ObjectKind::kPolicy, group, 0x47000709, 0},
                          ObjectId{ObjectKind::kPolicy, group, 0x47000719, 0},
                          ObjectId{ObjectKind::kSa, group, 0x0a000002, 0x47007002},
                          ObjectId{ObjectKind::kSa, group, 0x0a000001, 0x47007003}));
  EXPECT_EQ(objects_of(demo_group())[0].text(), "policy 239.1.1.1 index 0x47000729");
  EXPECT_EQ(objects_of(demo_group())[6].text(), "SA 239.1.1.1 spi 0x0a000002");
}

TEST(State, SasAreComparedInAllThatDoesNotChangeByItself) {
  const auto sa = [] { return test::sa_of(demo_group(), 0x0a000001); };
  SaState other = sa();
  other.hard_lifetime_s = 1;
  other.last_received = 1;
  EXPECT_TRUE(sa().same_as(other));
  const std::vector<void (*)(SaState&)> changes = {
      [](SaState& s) { s.spi++; },
      [](SaState& s) { s.source = ip("10.9.0.9"); },
      [](SaState& s) { s.destination = ip("239.1.1.9"); },
      [](SaState& s) { s.reqid ^= 1; },
      [](SaState& s) { s.suite = EspSuite::kAesGcm256; },
      [](SaState& s) { s.replay_window = 64; },
      [](SaState& s) { s.esn = true; },
      [](SaState& s) { s.key = test::counting_key(99); },
      [](SaState& s) { s.regular = false; }};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    SaState changed = sa();
    changes[i](changed);
    EXPECT_FALSE(sa().same_as(changed)) << "change " << i;
  }
}

TEST(Check, AcceptsASequenceNumberToGoOnFrom) {
  GroupSpec spec = demo_group();
  spec.senders[1].last_received = 0xffffffff;
  EXPECT_TRUE(check(spec));
  spec.esn = true;
  spec.senders[1].last_received = 0x100000000;
  EXPECT_TRUE(check(spec));
  EXPECT_EQ(test::sa_of(spec, spec.senders[1].spi).last_received, 0x100000000U);
  EXPECT_EQ(spec.senders[1].clone().last_received, 0x100000000U);
}

// Shared mode is for the suites that no repeated IV can break.
TEST(Check, AcceptsASharedSaOfEverySuiteThatIsNoCounterMode) {
  int accepted = 0;
  for (const EspSuite suite : kEspSuites) {
    const GroupSpec spec = test::with_suite(shared_group(), suite);
    EXPECT_EQ(check(spec).has_value(), !is_counter_mode(suite)) << static_cast<int>(suite);
    accepted += check(spec).has_value();
  }
  EXPECT_EQ(accepted, 6);
}

TEST(Check, AcceptsAGroup) {
  for (const GroupSpec& spec : test::groups_of_all_kinds()) EXPECT_TRUE(check(spec));
  EXPECT_TRUE(check(shared_listener()));
  GroupSpec rollover = demo_group();
  rollover.senders.push_back(sender(0x0a010001, "10.9.0.1", true, 2));
  EXPECT_TRUE(check(rollover));
  GroupSpec shared_rollover = shared_group();
  shared_rollover.senders.push_back(test::shared_sa(0x0a010003, "0.0.0.0", true, 2));
  EXPECT_TRUE(check(shared_rollover));
}

void expect_refusal(const GroupSpec& spec, const std::string& words) {
  const auto checked = check(spec);
  ASSERT_FALSE(checked) << words;
  EXPECT_EQ(checked.error().kind, kBadSpec);
  EXPECT_THAT(checked.error().detail, HasSubstr("group demo: "));
  EXPECT_THAT(checked.error().detail, HasSubstr(words));
}

TEST(Check, RefusesWhatMustNotReachTheKernel) {
  const std::vector<std::pair<void (*)(GroupSpec&), std::string>> cases = {
      {[](GroupSpec& s) { s.destination = ip("10.9.0.9"); }, "no multicast group"},
      {[](GroupSpec& s) { s.destination = ip("224.0.0.22"); }, "link-scope"},
      {[](GroupSpec& s) { s.destination = ip("ff05::1"); }, "other family"},
      {[](GroupSpec& s) { s.slot = kMaxGroupSlot + 1; }, "slot"},
      {[](GroupSpec& s) { s.replay_window = kMinReplayWindow - 1; }, "replay window of 31"},
      {[](GroupSpec& s) { s.replay_window = kMaxReplayWindow + 1; }, "replay window of 4097"},
      {[](GroupSpec& s) {
         s.esn = true;
         s.replay_window = 0;
       },
       "replay window of 0"},
      {[](GroupSpec& s) { s.senders[0].last_received = 1; }, "no window is to start from it"},
      {[](GroupSpec& s) { s.senders[1].last_received = 0x100000000; }, "more than 32 bits"},
      {[](GroupSpec& s) { s.ip_protocol = 0; }, "protocol 0"},
      {[](GroupSpec& s) {
         s.ip_protocol = 2;
         s.port = 0;
       },
       "protocol 2"},
      {[](GroupSpec& s) { s.ip_protocol = 89; }, "protocol 89 with a port"},
      {[](GroupSpec& s) { s.attachment.mark = 0x100; }, "a mark beyond its mask"},
      {[](GroupSpec& s) { s.attachment.if_id = 7; }, "no interface"},
      {[](GroupSpec& s) { s.address_slot = kMaxAddressSlot + 1; }, "slot"},
      {[](GroupSpec& s) { s.replay_window = 0; }, "replay window of 0"},
      {[](GroupSpec& s) { s.own_source.reset(); }, "no source address"},
      {[](GroupSpec& s) { s.own_source = ip("fd09::1"); }, "own source fd09::1 is of the other"},
      {[](GroupSpec& s) { s.own_source = ip("239.1.1.1"); }, "own source 239.1.1.1 is no host's"},
      {[](GroupSpec& s) { s.own_source = ip("0.0.0.0"); }, "own source 0.0.0.0 is no host's"},
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
    expect_refusal(spec, words);
  }
}

TEST(Check, RefusesKeysOfAnotherSuite) {
  for (const EspSuite suite : kEspSuites) {
    for (const EspSuite other : kEspSuites) {
      GroupSpec spec = test::with_suite(demo_group(), suite);
      spec.senders[1].key = test::counting_key(1, other);
      if (key_material_size(suite) == key_material_size(other))
        EXPECT_TRUE(check(spec));
      else
        expect_refusal(spec, "key material of " + std::to_string(key_material_size(other)));
    }
  }
}

TEST(Check, RefusesASharedSaThatIsNotSafe) {
  const std::vector<std::pair<void (*)(GroupSpec&), std::string>> cases = {
      {[](GroupSpec& s) { s.suite = EspSuite::kAesGcm128; }, "counter mode"},
      {[](GroupSpec& s) { s.suite = EspSuite::kAesGcm256; }, "RFC 6054"},
      {[](GroupSpec& s) { s.suite = EspSuite::kAesGcm192; }, "counter mode"},
      {[](GroupSpec& s) { s.suite = EspSuite::kChaCha20Poly1305; }, "counter mode"},
      {[](GroupSpec& s) { s.suite = EspSuite::kAesGmac128; }, "counter mode"},
      {[](GroupSpec& s) { s.suite = EspSuite::kAesGmac256; }, "counter mode"},
      {[](GroupSpec& s) { s.esn = true; }, "shared SA with extended sequence numbers"},
      {[](GroupSpec& s) {
         s.senders[0].outbound = false;
         s.senders[0].last_received = 1;
         s.own_source.reset();
         s.active_generation.reset();
       },
       "no window is to start"},
      {[](GroupSpec& s) { s.replay_window = 32; }, "shared SA with a replay window of 32"},
      {[](GroupSpec& s) { s.mode = IpsecMode::kTunnel; }, "shared SA in tunnel mode"},
      {[](GroupSpec& s) { s.replay_window = kDefaultReplayWindow; }, "replay window of 1024"},
      {[](GroupSpec& s) { s.senders[0].source = ip("10.9.0.1"); }, "which is any sender's"},
      {[](GroupSpec& s) { s.senders[0].source = ip("::"); }, "other family"},
      {[](GroupSpec& s) {
         s.own_source.reset();
         s.active_generation.reset();
       },
       "this host has no source address"},
      {[](GroupSpec& s) { s.own_source = ip("fd09::1"); }, "own source fd09::1 is of the other"},
      {[](GroupSpec& s) { s.senders[0].outbound = false; }, "no outbound SA"},
      {[](GroupSpec& s) { s.senders.push_back(test::shared_sa(0x0a000004, "0.0.0.0", false)); },
       "two shared SAs of generation 1"},
      {[](GroupSpec& s) { s.sender_mode = SenderMode::kPerSender; }, "replay window of 0"},
      {[](GroupSpec& s) {
         s.sender_mode = SenderMode::kPerSender;
         s.replay_window = kDefaultReplayWindow;
       },
       "no host's address"}};
  for (const auto& [spoil, words] : cases) {
    GroupSpec spec = shared_group();
    spoil(spec);
    expect_refusal(spec, words);
  }
  // Not even with one sender.
  GroupSpec single = demo_group();
  single.sender_mode = SenderMode::kShared;
  expect_refusal(single, "counter mode");
}

}  // namespace
}  // namespace gkmpd::xfrm
