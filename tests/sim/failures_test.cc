// Hosts that are dead, unfit or broken: the rest is keyed all the same, and nobody else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/scene.h"

namespace gkmpd::sim {
namespace {

using protocol::GroupState;
using protocol::MemberState;
using testing::HasSubstr;

constexpr std::size_t kMostHosts = 40;

std::size_t size_of(std::uint64_t seed) { return Prng(seed).log_uniform(3, kMostHosts); }

TEST(SimFailures, AnotherFirstMemberIsChosenIfOneIsDead) {
  for_each_seed(12, [](std::uint64_t seed) {
    Scene scene(size_of(seed), seed);
    const GroupPlan plan = scene.plan();
    scene.world.crash(1);
    scene.key(plan, {1});
    ASSERT_TRUE(scene.world.run_until(
        [&] { return scene.member(plan, 1).state == MemberState::kFailed; }, kSettleLimit));
    EXPECT_THAT(scene.member(plan, 1).why, HasSubstr("protocol.timeout"));
    EXPECT_EQ(scene.state(0, plan), GroupState::kActive);
    scene.expect_clean();
  });
}

TEST(SimFailures, AMemberThatComesBackIsKeyed) {
  for_each_seed(12, [](std::uint64_t seed) {
    Scene scene(size_of(seed), seed);
    const GroupPlan plan = scene.plan();
    const HostIndex away = 1 + scene.chance.below(scene.world.size() - 1);
    scene.world.crash(away);
    scene.key(plan, {away});
    EXPECT_FALSE(scene.world.holds_keys(away, plan));
    scene.world.start(away);
    scene.settle(plan);
    EXPECT_EQ(scene.member(plan, away).state, MemberState::kKeyed);
    scene.expect_clean();
  });
}

/// What the controller is to say of a host with `flaw`.
const char* reason(Flaw flaw) {
  switch (flaw) {
    case Flaw::kLowLevel:
      return "identity.level-too-low";
    case Flaw::kNoCategory:
      return "identity.category-missing";
    case Flaw::kNoRole:
      return "protocol.no-member-role";
    case Flaw::kRevoked:
      return "identity.revoked";
    case Flaw::kStranger:
      return "protocol.timeout";
    case Flaw::kOldCrl:
      return "protocol.crl-older-than-required";
    case Flaw::kOtherName:
      return "protocol.wrong-host";
  }
  return "";
}

TEST(SimFailures, UnfitMembersGetNoKeysAndTheRestDoes) {
  for_each_seed(14, [](std::uint64_t seed) {
    Scene scene(size_of(seed), seed);
    const auto flaw = static_cast<Flaw>(seed % kFlawCount);
    const HostIndex unfit = scene.add_flawed(flaw);
    auto options = scene.everybody();
    // Every other time the unfit one is asked first.
    if (seed % 2 == 0) std::swap(options.listed.front(), options.listed.back());
    const GroupPlan plan = scene.plan(options);
    scene.key(plan);
    ASSERT_TRUE(scene.world.run_until(
        [&] { return scene.member(plan, unfit).state == MemberState::kFailed; }, kSettleLimit))
        << scene.world.findings().text();
    EXPECT_THAT(scene.member(plan, unfit).why, HasSubstr(reason(flaw)));
    EXPECT_FALSE(scene.world.holds_keys(unfit, plan));
    EXPECT_EQ(scene.world.effects(unfit).installs, 0U);
    scene.expect_clean();
  });
}

TEST(SimFailures, AMemberThatCannotSaveTakesNoKeys) {
  for_each_seed(8, [](std::uint64_t seed) {
    Scene scene(size_of(seed), seed);
    const GroupPlan plan = scene.plan();
    const HostIndex broken = 1 + scene.chance.below(scene.world.size() - 1);
    scene.world.break_store(broken, kPermille);
    scene.key(plan, {broken});
    // The refusal may be lost, and the controller hear nothing more.
    ASSERT_TRUE(scene.world.run_until(
        [&] { return scene.member(plan, broken).state == MemberState::kFailed; }, kSettleLimit));
    EXPECT_FALSE(scene.world.holds_keys(broken, plan));
    EXPECT_FALSE(scene.world.floor(broken, plan.id()).has_value());
    EXPECT_EQ(scene.world.effects(broken).installs, 0U);
    scene.expect_clean();
  });
}

TEST(SimFailures, AControllerThatCannotSaveSendsNothingUntilItCan) {
  for_each_seed(8, [](std::uint64_t seed) {
    Scene scene(size_of(seed), seed);
    const GroupPlan plan = scene.plan();
    scene.world.break_store(0, kPermille);
    scene.begin(plan);
    scene.world.run_for(milliseconds(1000));
    EXPECT_EQ(scene.state(0, plan), GroupState::kFailed);
    EXPECT_EQ(scene.world.effects(0).transmits, 0U);
    scene.world.break_store(0, 0);
    scene.key(plan);
    scene.expect_clean();
  });
}

TEST(SimFailures, AKernelThatRefusesIsShownAndHarmsNobodyElse) {
  for_each_seed(8, [](std::uint64_t seed) {
    Scene scene(size_of(seed), seed);
    const GroupPlan plan = scene.plan();
    const HostIndex broken = scene.chance.below(scene.world.size());
    scene.world.break_kernel(broken, kPermille);
    scene.key(plan, {broken});
    ASSERT_TRUE(
        scene.world.run_until([&] { return scene.world.was_active(broken, plan); }, kSettleLimit));
    const auto view = scene.world.view(broken, plan);
    ASSERT_TRUE(view);
    EXPECT_FALSE(view->installed);
    EXPECT_FALSE(view->sending);
    EXPECT_THAT(view->install_error, HasSubstr("sim.kernel-broken"));
    scene.expect_clean();
  });
}

TEST(SimFailures, AnEpochEndsAndTheGroupCanBeCreatedAgain) {
  for_each_seed(8, [](std::uint64_t seed) {
    WorldOptions options;
    options.seed = seed;
    options.network.loss_permille = 100;
    options.clock_error = seconds(5);
    Scene scene(size_of(seed), options);
    auto wanted = scene.everybody();
    wanted.policy.rekey_interval_s = 60;
    wanted.policy.token_grace_s = 60;
    const GroupPlan plan = scene.plan(wanted);
    scene.key(plan);
    const auto first = scene.world.view(0, plan)->tuple;
    scene.world.run_for(seconds(140));
    for (HostIndex host = 0; host < scene.world.size(); ++host) {
      EXPECT_EQ(scene.state(host, plan), GroupState::kExpired) << host;
      EXPECT_EQ(scene.world.kernels().sa_count(host, plan.id()), 0U) << host;
      EXPECT_FALSE(scene.world.kernels().protects(host, plan.id())) << host;
    }
    scene.key(plan);
    EXPECT_GT(scene.world.view(0, plan)->tuple, first);
    scene.expect_clean();
  });
}

TEST(SimFailures, ASilentControllerIsNoticedAndHeardAgain) {
  for_each_seed(8, [](std::uint64_t seed) {
    Scene scene(size_of(seed), seed);
    const GroupPlan plan = scene.plan();
    scene.key(plan);
    scene.world.network().mute_multicast(0);
    scene.world.run_for(milliseconds(4 * plan.policy.heartbeat_interval_ms));
    for (HostIndex host = 1; host < scene.world.size(); ++host) {
      EXPECT_EQ(scene.state(host, plan), GroupState::kSilent) << host;
      EXPECT_TRUE(scene.world.holds_keys(host, plan)) << host;
    }
    scene.world.network().unmute_multicast(0);
    std::set<HostIndex> heard;
    EXPECT_TRUE(scene.world.run_until(
        [&] {
          for (HostIndex host = 1; host < scene.world.size(); ++host) {
            if (scene.state(host, plan) == GroupState::kActive) heard.insert(host);
          }
          return heard.size() + 1 == scene.world.size();
        },
        kSettleLimit));
    scene.expect_clean();
  });
}

/// They share their control address.
TEST(SimFailures, TwoGroupsAtOnceDoNotDisturbEachOther) {
  for_each_seed(10, [](std::uint64_t seed) {
    Scene scene(size_of(seed) + 1, seed);
    auto options = scene.everybody();
    const GroupPlan first = scene.plan(options);
    options.controller = 1;
    options.listed.front() = 0;
    options.policy.group = "other";
    options.policy.address = "239.1.1.3";
    options.policy.spi_prefix = 11;
    options.sender_count = 3;
    const GroupPlan second = scene.plan(options);
    scene.begin(first);
    scene.begin(second);
    scene.settle(first);
    scene.settle(second);
    EXPECT_TRUE(scene.world.is_settled(first));
    scene.expect_clean();
  });
}

/// Both are in the token and are told to create the group at once: the better rank wins with all
/// but the other one, which keeps to its own epoch.
TEST(SimFailures, OfTwoControllersAtOnceTheBetterRankWins) {
  for_each_seed(8, [](std::uint64_t seed) {
    Scene scene(size_of(seed), seed);
    auto options = scene.everybody();
    options.other_controllers = {1};
    const GroupPlan plan = scene.plan(options);
    scene.begin(plan);
    const auto second = scene.world.command(1, plan);
    ASSERT_TRUE(second) << second.error().text();
    scene.settle(plan, {1});
    scene.world.run_for(seconds(60));
    EXPECT_TRUE(scene.world.is_settled(plan, {1}));
    scene.expect_clean();
  });
}

}  // namespace
}  // namespace gkmpd::sim
