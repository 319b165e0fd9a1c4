// Rekeys over bad networks: everybody comes along, whoever misses one repairs it, and no rule is
// broken.
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/wire/header.h"
#include "tests/sim/scene.h"

namespace gkmpd::sim {
namespace {

constexpr std::uint32_t kInterval_s = 60;
/// After a rekey every live member that can be reached is on the new epoch within this.
constexpr milliseconds kRepairBound{60'000};

Fleet::PlanOptions rekeyed(const Scene& scene) {
  Fleet::PlanOptions options = scene.everybody();
  options.policy.actions = {"create", "rekey"};
  options.policy.rekey_interval_s = kInterval_s;
  options.policy.heartbeat_interval_ms =
      static_cast<std::uint32_t>(1000 + 20 * options.listed.size());
  return options;
}

std::uint32_t epoch_at(const World& world, HostIndex host, const GroupPlan& plan) {
  const auto view = world.view(host, plan);
  return view && view->tuple ? view->tuple->epoch : 0;
}

/// Waits until the controller has come to that epoch.
void wait_for_epoch(Scene& scene, const GroupPlan& plan, std::uint32_t epoch) {
  ASSERT_TRUE(
      scene.world.run_until([&] { return epoch_at(scene.world, plan.controller, plan) >= epoch; },
                            seconds(3 * kInterval_s)))
      << "the controller did not come to epoch " << epoch;
}

/// Everybody but `except` has the controller's epoch within the bound.
void expect_all_follow(Scene& scene, const GroupPlan& plan,
                       const std::set<HostIndex>& except = {}) {
  const std::uint32_t epoch = epoch_at(scene.world, plan.controller, plan);
  EXPECT_TRUE(scene.world.run_until(
      [&] {
        return std::ranges::all_of(plan.entitled, [&](HostIndex host) {
          return except.contains(host) || epoch_at(scene.world, host, plan) >= epoch;
        });
      },
      kRepairBound))
      << "not everybody came to epoch " << epoch;
}

TEST(SimRekey, EverybodyComesAlong) {
  for_each_seed(12, [](std::uint64_t seed) {
    Scene scene(Prng(seed ^ 0x5eed).log_uniform(2, kMaxHosts), seed);
    const GroupPlan plan = scene.plan(rekeyed(scene));
    scene.key(plan);
    const std::uint32_t first = epoch_at(scene.world, plan.controller, plan);
    for (std::uint32_t epoch = first + 1; epoch <= first + 3; ++epoch) {
      wait_for_epoch(scene, plan, epoch);
      expect_all_follow(scene, plan);
    }
    scene.settle(plan);
    scene.expect_clean();
  });
}

/// What a host misses by multicast it asks for, one epoch after the other, and anybody answers.
TEST(SimRekey, WhoMissedSeveralIsBroughtOnByTheGroup) {
  for_each_seed(6, [](std::uint64_t seed) {
    Scene scene(6, seed);
    const GroupPlan plan = scene.plan(rekeyed(scene));
    scene.key(plan);
    const std::uint32_t first = epoch_at(scene.world, 0, plan);
    constexpr HostIndex kAway = 3;
    scene.world.network().isolate(kAway);
    wait_for_epoch(scene, plan, first + 2);
    expect_all_follow(scene, plan, {kAway});
    EXPECT_EQ(epoch_at(scene.world, kAway, plan), first);
    scene.world.network().reconnect(kAway);
    expect_all_follow(scene, plan);
    scene.settle(plan);
    scene.expect_clean();
  });
}

/// The rekey reaches nobody while the controller's multicast is lost; its heartbeats, once they are
/// heard again, tell everybody at once, and few ask.
TEST(SimRekey, ManyWhoMissedOneAskSeldom) {
  for_each_seed(3, [](std::uint64_t seed) {
    WorldOptions options = options_of(seed, {});
    std::uint64_t asked = 0;
    std::uint64_t answered = 0;
    Scene scene(100, options);
    const GroupPlan plan = scene.plan(rekeyed(scene));
    scene.key(plan);
    const std::uint32_t first = epoch_at(scene.world, 0, plan);
    scene.world.network().mute_multicast(0);
    wait_for_epoch(scene, plan, first + 1);
    scene.world.run_for(seconds(3));
    const auto sent_before = scene.world.wire().count(wire::MessageType::kRepairRequest);
    const auto answers_before = scene.world.wire().count(wire::MessageType::kRekeyMulticast);
    scene.world.network().unmute_multicast(0);
    expect_all_follow(scene, plan);
    asked = scene.world.wire().count(wire::MessageType::kRepairRequest) - sent_before;
    answered = scene.world.wire().count(wire::MessageType::kRekeyMulticast) - answers_before;
    EXPECT_LE(asked, 20U);
    EXPECT_LE(answered, 20U);
    scene.settle(plan);
    scene.expect_clean();
  });
}

/// No first member answers: the controller makes the keys alone, and nobody is held up.
TEST(SimRekey, GoesOnWithoutAFirstMember) {
  for_each_seed(4, [](std::uint64_t seed) {
    Scene scene(5, seed);
    const GroupPlan plan = scene.plan(rekeyed(scene));
    scene.key(plan);
    const std::uint32_t first = epoch_at(scene.world, 0, plan);
    for (HostIndex host = 1; host < 5; ++host) scene.world.network().isolate(host);
    wait_for_epoch(scene, plan, first + 1);
    for (HostIndex host = 1; host < 5; ++host) scene.world.network().reconnect(host);
    expect_all_follow(scene, plan);
    scene.settle(plan);
    scene.expect_clean();
  });
}

/// Orders in quick succession, while whoever is being keyed dies and comes back.
TEST(SimRekey, ManyOrdersWhileMembersDie) {
  for_each_seed(6, [](std::uint64_t seed) {
    Scene scene(5, seed);
    auto options = rekeyed(scene);
    options.policy.deactivation_delay_ms = 600;
    const GroupPlan plan = scene.plan(options);
    scene.begin(plan);
    ASSERT_TRUE(
        scene.world.run_until([&] { return epoch_at(scene.world, 0, plan) != 0; }, seconds(60)));
    for (std::uint64_t counter = 1; counter <= 30; ++counter) {
      const auto made = scene.world.view(0, plan);
      const auto first = std::ranges::find(made->members, protocol::MemberState::kDownloading,
                                           &protocol::MemberView::state);
      if (first != made->members.end()) scene.world.crash(plan.facts.members.at(first->name));
      World::OrderOptions order;
      order.counter = counter;
      order.action = identity::CommandAction::kRekey;
      (void)scene.world.order_here(0, Fleet::shared().commander(150), plan, order);
      scene.world.run_for(milliseconds(700));
      for (HostIndex host = 1; host < scene.world.size(); ++host) {
        if (!scene.world.is_up(host)) scene.world.start(host);
      }
    }
    scene.settle(plan);
    scene.expect_clean();
  });
}

/// Without the action the token's epochs end as they always did.
TEST(SimRekey, IsNotDoneWithoutTheAction) {
  for_each_seed(2, [](std::uint64_t seed) {
    Scene scene(3, seed);
    auto options = rekeyed(scene);
    options.policy.actions = {"create"};
    options.policy.token_grace_s = 60;
    const GroupPlan plan = scene.plan(options);
    scene.key(plan);
    EXPECT_FALSE(scene.world.view(0, plan)->rekey_at);
    EXPECT_TRUE(scene.world.run_until(
        [&] { return scene.state(0, plan) == protocol::GroupState::kExpired; }, seconds(200)));
    EXPECT_EQ(scene.world.wire().count(wire::MessageType::kRekeyMulticast), 0U);
    scene.expect_clean();
  });
}

/// Seventeen epochs: the epoch field of SPIs comes round, and stores that fail now and then put a
/// rekey off without ending anything.
TEST(SimRekey, GoesOnForLong) {
  for_each_seed(2, [](std::uint64_t seed) {
    Scene scene(4, seed);
    const GroupPlan plan = scene.plan(rekeyed(scene));
    scene.key(plan);
    const std::uint32_t first = epoch_at(scene.world, 0, plan);
    for (HostIndex host = 0; host < 4; ++host) scene.world.break_store(host, 100);
    for (std::uint32_t epoch = first + 1; epoch <= first + 18; ++epoch) {
      wait_for_epoch(scene, plan, epoch);
      expect_all_follow(scene, plan);
    }
    for (HostIndex host = 0; host < 4; ++host) scene.world.break_store(host, 0);
    scene.settle(plan);
    scene.expect_clean();
  });
}

}  // namespace
}  // namespace gkmpd::sim
