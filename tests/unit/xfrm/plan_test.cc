// Plans of the situations that have a name.
#include "xfrm/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/xfrm/specs.h"

namespace gkmpd::xfrm {
namespace {

using test::demo_group;
using test::sender;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const char* name_of(PolicyKind kind) {
  switch (kind) {
    case PolicyKind::kGuard:
      return "guard";
    case PolicyKind::kIn:
      return "in";
    case PolicyKind::kProtect:
      return "protect";
    case PolicyKind::kInGuard:
      return "in-guard";
    case PolicyKind::kMembershipOut:
      return "told";
    case PolicyKind::kMembershipIn:
      return "asked";
    case PolicyKind::kPassage:
      return "passage";
  }
  return "";
}

struct Teller {
  std::string operator()(const AddSa& op) const { return "+sa " + spi(op.sa.spi); }
  std::string operator()(const DeleteSa& op) const { return "-sa " + spi(op.id.spi_or_index); }
  std::string operator()(const PutPolicy& op) const {
    std::string text = std::string(op.replace ? "=" : "+") + name_of(op.policy.kind);
    if (op.policy.kind == PolicyKind::kProtect)
      text += " " + std::to_string((op.policy.reqid >> 1) & kMaxGeneration);
    return text;
  }
  std::string operator()(const DeletePolicy& op) const {
    return std::string("-") + name_of(op.policy.kind);
  }
  static std::string spi(std::uint32_t value) { return std::to_string(value & 0xffffff); }
};

/// One line a stage.
std::vector<std::string> tell(const std::vector<Stage>& stages) {
  std::vector<std::string> lines;
  for (const Stage& stage : stages) {
    std::string line;
    for (const Operation& operation : stage.operations)
      line += (line.empty() ? "" : ", ") + std::visit(Teller{}, operation);
    lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> plan_between(const KernelState& installed, const GroupSpec& wanted) {
  EXPECT_TRUE(check(wanted));
  return tell(plan(installed, wanted_state(wanted), wanted.earlier));
}

/// Generation 2 of the demo group, before its activation, over whatever stands.
GroupSpec second_epoch() {
  GroupSpec next = demo_group();
  next.senders.clear();
  next.senders.push_back(sender(0x0a010001, "10.9.0.1", true, 2));
  next.senders.push_back(sender(0x0a010002, "10.9.0.2", false, 2));
  next.active_generation.reset();
  next.earlier = Earlier::kKeep;
  return next;
}

std::vector<PolicyState>::iterator policy_in(KernelState& state, PolicyKind kind) {
  return std::ranges::find(state.policies, kind, &PolicyState::kind);
}

TEST(Plan, FromNothing) {
  EXPECT_THAT(plan_between({}, demo_group()),
              ElementsAre("+told, +asked, +in, +in-guard, +guard", "+sa 2", "+sa 1", "+protect 1"));
}

TEST(Plan, FromEqualIsEmpty) {
  EXPECT_THAT(plan_between(wanted_state(demo_group()), demo_group()), IsEmpty());
}

TEST(Plan, ToNothing) {
  EXPECT_THAT(tell(plan(wanted_state(demo_group()), {})),
              ElementsAre("-protect", "-sa 2, -sa 1", "-told, -asked, -in, -in-guard, -guard"));
}

TEST(Plan, ActivationAfterTheDelay) {
  GroupSpec waiting = demo_group();
  waiting.active_generation.reset();
  EXPECT_THAT(plan_between({}, waiting),
              ElementsAre("+told, +asked, +in, +in-guard, +guard", "+sa 2", "+sa 1"));
  EXPECT_THAT(plan_between(wanted_state(waiting), demo_group()), ElementsAre("+protect 1"));
}

TEST(Plan, RolloverInThreeSteps) {
  GroupSpec both = demo_group();
  both.senders.push_back(sender(0x0a010001, "10.9.0.1", true, 2));
  both.senders.push_back(sender(0x0a010002, "10.9.0.2", false, 2));
  EXPECT_THAT(plan_between(wanted_state(demo_group()), both),
              ElementsAre("+sa 65538", "+sa 65537"));

  GroupSpec switched = test::copy_of(both);
  switched.active_generation = 2;
  EXPECT_THAT(plan_between(wanted_state(both), switched), ElementsAre("=protect 2"));

  GroupSpec after = test::copy_of(switched);
  after.senders.erase(after.senders.begin(), after.senders.begin() + 2);
  EXPECT_THAT(plan_between(wanted_state(switched), after), ElementsAre("-sa 2, -sa 1"));
}

TEST(Plan, RolloverInOneStepIsStillInOrder) {
  GroupSpec next = demo_group();
  next.senders.clear();
  next.senders.push_back(sender(0x0a010001, "10.9.0.1", true, 2));
  next.senders.push_back(sender(0x0a010002, "10.9.0.2", false, 2));
  next.active_generation = 2;
  EXPECT_THAT(plan_between(wanted_state(demo_group()), next),
              ElementsAre("+sa 65538", "+sa 65537", "=protect 2", "-sa 2, -sa 1"));
}

TEST(Plan, AnEarlierEpochOfUnknownKeysServesUntilTheSwitchAndIsHeardUntilTheEnd) {
  KernelState kernel = wanted_state(demo_group());
  GroupSpec next = second_epoch();
  EXPECT_THAT(plan_between(kernel, next), ElementsAre("+sa 65538", "+sa 65537"));
  for (SaState& sa : wanted_state(next).sas) kernel.sas.push_back(std::move(sa));
  EXPECT_THAT(plan_between(kernel, next), IsEmpty());

  next.active_generation = 2;
  EXPECT_THAT(plan_between(kernel, next), ElementsAre("=protect 2"));
  kernel.policies = wanted_state(next).policies;
  EXPECT_THAT(plan_between(kernel, next), IsEmpty());

  next.earlier = Earlier::kRemove;
  EXPECT_THAT(plan_between(kernel, next), ElementsAre("-sa 2, -sa 1"));
}

TEST(Plan, TheSameEpochOverItselfTouchesNothingBeforeItsActivationAgain) {
  GroupSpec again = demo_group();
  again.active_generation.reset();
  again.earlier = Earlier::kKeep;
  EXPECT_THAT(plan_between(wanted_state(demo_group()), again), IsEmpty());
  again.earlier = Earlier::kRemove;
  EXPECT_THAT(plan_between(wanted_state(demo_group()), again), ElementsAre("-protect"));
}

TEST(Plan, ProtectionIsNotKeptForAnOutboundSaThatGoes) {
  GroupSpec without = demo_group();
  without.senders.erase(without.senders.begin());
  without.active_generation.reset();
  without.earlier = Earlier::kKeep;
  EXPECT_THAT(plan_between(wanted_state(demo_group()), without), ElementsAre("-protect", "-sa 1"));
  KernelState lost = wanted_state(demo_group());
  lost.sas.pop_back();
  EXPECT_THAT(plan_between(lost, second_epoch()),
              ElementsAre("-protect", "+sa 65538", "+sa 65537"));
}

TEST(Plan, ALostOutboundSaWithdrawsTheProtectPolicyUntilItIsBack) {
  KernelState installed = wanted_state(demo_group());
  installed.sas.pop_back();
  EXPECT_THAT(plan_between(installed, demo_group()),
              ElementsAre("-protect", "+sa 1", "+protect 1"));
}

TEST(Plan, AnotherKeyAtTheSamePlaceIsReplaced) {
  KernelState installed = wanted_state(demo_group());
  installed.sas[0].key = test::counting_key(77);
  EXPECT_THAT(plan_between(installed, demo_group()), ElementsAre("-sa 2", "+sa 2"));
  installed = wanted_state(demo_group());
  installed.sas[1].key = test::counting_key(77);
  EXPECT_THAT(plan_between(installed, demo_group()),
              ElementsAre("-protect", "-sa 1", "+sa 1", "+protect 1"));
}

TEST(Plan, ATamperedGuardIsPutRightInPlace) {
  KernelState installed = wanted_state(demo_group());
  policy_in(installed, PolicyKind::kGuard)->regular = false;
  EXPECT_THAT(plan_between(installed, demo_group()), ElementsAre("=guard"));
}

TEST(Plan, ALostGuardComesFirst) {
  KernelState installed = wanted_state(demo_group());
  installed.policies.erase(policy_in(installed, PolicyKind::kGuard));
  installed.sas.erase(installed.sas.begin());
  EXPECT_THAT(plan_between(installed, demo_group()), ElementsAre("+guard", "+sa 2"));
}

TEST(Plan, AnotherPortMeansOtherPoliciesAndSas) {
  GroupSpec spec = demo_group();
  spec.port = 6000;
  EXPECT_THAT(
      plan_between(wanted_state(demo_group()), spec),
      ElementsAre("-in", "+in", "-protect", "-sa 2", "+sa 2", "-sa 1", "+sa 1", "+protect 1"));
}

TEST(Plan, AnSaThatCannotBeReadSaysNothingOfWhatWasReceived) {
  KernelState installed = wanted_state(demo_group());
  installed.sas[0].key = Secret();
  installed.sas[0].regular = false;
  installed.sas[0].last_received = 7000;
  const std::vector<Stage> stages = plan(installed, wanted_state(demo_group()));
  ASSERT_EQ(tell(stages), (std::vector<std::string>{"-sa 2", "+sa 2"}));
  EXPECT_EQ(std::get<AddSa>(stages[1].operations[0]).sa.last_received, 0U);
}

TEST(Plan, APolicyOfOursWithTheSelectorUnderAnotherIndexMakesRoom) {
  KernelState installed = wanted_state(demo_group());
  for (PolicyState& policy : installed.policies)
    if (is_guard(policy.kind)) policy.index = policy_index(9, policy.kind);
  EXPECT_THAT(plan_between(installed, demo_group()),
              ElementsAre("-in-guard, -guard", "+in-guard, +guard"));
}

TEST(Plan, AnotherInterfaceMovesTheProtectPolicyAndNoSa) {
  GroupSpec moved = test::on_interface(demo_group());
  moved.attachment.interface = 6;
  EXPECT_THAT(plan_between(wanted_state(test::on_interface(demo_group())), moved),
              ElementsAre("-protect", "+protect 1"));
}

// Version 0.1 had an inbound policy over the whole address where the inbound guard is now.
TEST(Plan, TheInboundPolicyOfAFormerVersionBecomesTheGuardOnceTheNewOneStands) {
  KernelState former = wanted_state(demo_group());
  std::erase_if(former.policies, [](const PolicyState& policy) {
    return policy.kind != PolicyKind::kInGuard && policy.kind != PolicyKind::kGuard &&
           policy.kind != PolicyKind::kProtect;
  });
  policy_in(former, PolicyKind::kInGuard)->regular = false;
  EXPECT_THAT(plan_between(former, demo_group()), ElementsAre("+told, +asked, +in, =in-guard"));
}

TEST(Plan, ANoLongerSendingHostKeepsTheGuard) {
  GroupSpec spec = demo_group();
  spec.own_source.reset();
  spec.active_generation.reset();
  spec.senders.erase(spec.senders.begin());
  EXPECT_THAT(plan_between(wanted_state(demo_group()), spec), ElementsAre("-protect", "-sa 1"));
}

TEST(Plan, AGroupThatMovesIsTakenDownFirst) {
  GroupSpec moved = demo_group();
  moved.destination = test::ip("239.1.1.99");
  EXPECT_THAT(plan_between(wanted_state(demo_group()), moved),
              ElementsAre("-protect", "-sa 2, -sa 1", "-told, -asked, -in, -in-guard, -guard",
                          "+told, +asked, +in, +in-guard, +guard", "+sa 2", "+sa 1", "+protect 1"));
}

TEST(Plan, ASharedGroupFromNothing) {
  EXPECT_THAT(plan_between({}, test::shared_group()),
              ElementsAre("+told, +asked, +in, +in-guard, +guard", "+sa 3", "+protect 1"));
  EXPECT_THAT(plan_between({}, test::shared_listener()),
              ElementsAre("+told, +asked, +in, +in-guard, +guard", "+sa 3"));
}

TEST(Plan, RolloverOfASharedSa) {
  GroupSpec both = test::shared_group();
  both.senders.push_back(test::shared_sa(0x0a010003, "0.0.0.0", true, 2));
  EXPECT_THAT(plan_between(wanted_state(test::shared_group()), both), ElementsAre("+sa 65539"));
  GroupSpec after = test::copy_of(both);
  after.active_generation = 2;
  after.senders.erase(after.senders.begin());
  EXPECT_THAT(plan_between(wanted_state(both), after), ElementsAre("=protect 2", "-sa 3"));
}

// The one object changes its reqid, and UPDSA does not: it goes and comes, never under a policy.
TEST(Plan, AListenerOfASharedSaThatBecomesASenderAndBack) {
  EXPECT_THAT(plan_between(wanted_state(test::shared_listener()), test::shared_group()),
              ElementsAre("-sa 3", "+sa 3", "+protect 1"));
  EXPECT_THAT(plan_between(wanted_state(test::shared_group()), test::shared_listener()),
              ElementsAre("-protect", "-sa 3", "+sa 3"));
}

TEST(Plan, AGroupThatMovesToTheOtherFamily) {
  EXPECT_THAT(plan_between(wanted_state(demo_group()), test::ipv6_group()),
              ElementsAre("-protect", "-sa 2, -sa 1", "-told, -asked, -in, -in-guard, -guard",
                          "+told, +asked, +in, +in-guard, +guard", "+sa 2", "+sa 1", "+protect 1"));
}

TEST(Plan, AnotherSuiteIsAnotherSaAtTheSamePlace) {
  EXPECT_THAT(plan_between(wanted_state(demo_group()),
                           test::with_suite(demo_group(), EspSuite::kAesGcm256)),
              ElementsAre("-protect", "-sa 2", "+sa 2", "-sa 1", "+sa 1", "+protect 1"));
}

TEST(Plan, NewOutboundSpisAreThoseThatMustBeBurnt) {
  EXPECT_THAT(new_outbound_spis(plan({}, wanted_state(demo_group()))), ElementsAre(0x0a000001));
  EXPECT_THAT(new_outbound_spis(plan(wanted_state(demo_group()), wanted_state(demo_group()))),
              IsEmpty());
}

TEST(Plan, ASharedSaIsNotBurntButOneOfASenderIsWhateverItsSuite) {
  EXPECT_THAT(new_outbound_spis(plan({}, wanted_state(test::shared_group()))), IsEmpty());
  for (const EspSuite suite : kEspSuites) {
    const GroupSpec spec = test::with_suite(demo_group(), suite);
    EXPECT_THAT(new_outbound_spis(plan({}, wanted_state(spec))), ElementsAre(0x0a000001));
  }
}

/// What the plan puts in for 0x0a000002 where `standing` is; it must be replaced.
SaState put_back(const KernelState& standing, const GroupSpec& wanted) {
  const std::vector<Stage> stages = plan(standing, wanted_state(wanted));
  for (const Stage& stage : stages) {
    for (const Operation& operation : stage.operations) {
      const auto* add = std::get_if<AddSa>(&operation);
      if (add != nullptr && add->sa.spi == 0x0a000002) return add->sa.clone();
    }
  }
  ADD_FAILURE() << "nothing put back";
  return {};
}

KernelState having_received(std::uint64_t last, const GroupSpec& spec) {
  KernelState state = wanted_state(spec);
  for (SaState& sa : state.sas) sa.last_received = last;
  return state;
}

TEST(Plan, AnInboundSaOfTheSameKeyGoesOnFromWhatWasReceived) {
  KernelState irregular = having_received(700, demo_group());
  for (SaState& sa : irregular.sas) sa.regular = false;
  EXPECT_EQ(put_back(irregular, demo_group()).last_received, 700U);

  GroupSpec wider = demo_group();
  wider.replay_window = kMaxReplayWindow;
  EXPECT_EQ(put_back(having_received(700, demo_group()), wider).last_received, 700U);
  // The higher of two things known.
  wider.senders[1].last_received = 900;
  EXPECT_EQ(put_back(having_received(700, demo_group()), wider).last_received, 900U);
  EXPECT_EQ(put_back(having_received(901, demo_group()), wider).last_received, 901U);
}

TEST(Plan, WhatAnotherKeyReceivedSaysNothing) {
  GroupSpec other_key = demo_group();
  other_key.senders[1].key = test::counting_key(99);
  EXPECT_EQ(put_back(having_received(700, demo_group()), other_key).last_received, 0U);
  EXPECT_EQ(put_back(having_received(700, demo_group()),
                     test::with_suite(demo_group(), EspSuite::kAesGmac128))
                .last_received,
            0U);
  // Without ESN the numbers are others; the ICV covers that.
  EXPECT_EQ(
      put_back(having_received(700, test::with_esn(demo_group())), demo_group()).last_received, 0U);
}

TEST(Plan, AnOutboundSaGoesOnFromNothing) {
  GroupSpec wider = demo_group();
  wider.replay_window = kMaxReplayWindow;
  int sending = 0;
  for (const Stage& stage : plan(having_received(700, demo_group()), wanted_state(wider))) {
    for (const Operation& operation : stage.operations) {
      const auto* add = std::get_if<AddSa>(&operation);
      if (add == nullptr || !add->sa.outbound()) continue;
      ++sending;
      EXPECT_EQ(add->sa.last_received, 0U);
    }
  }
  EXPECT_EQ(sending, 1);
}

// An SA that stands is not touched because of what it has received meanwhile.
TEST(Plan, ReceivingChangesNothing) {
  EXPECT_THAT(plan_between(having_received(700, demo_group()), demo_group()), IsEmpty());
}

}  // namespace
}  // namespace gkmpd::xfrm
