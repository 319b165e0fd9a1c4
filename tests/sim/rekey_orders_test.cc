// Orders to rekey: each is followed by an epoch, whatever the weather and whenever it comes.
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/protocol/errors.h"
#include "tests/sim/ordered.h"

namespace gkmpd::sim {
namespace {

World::OrderOptions to_rekey(std::uint64_t counter) {
  return {.counter = counter,
          .controller = {},
          .change = {},
          .action = identity::CommandAction::kRekey};
}

/// A group that is keyed and may be rekeyed, though not by itself so soon.
struct Living : Ordered {
  explicit Living(std::uint64_t seed, const std::vector<std::string>& actions = {"create", "rekey"})
      : Living(drawn(seed), actions) {}
  explicit Living(const WorldOptions& options,
                  const std::vector<std::string>& actions = {"create", "rekey"})
      : Ordered(options.seed, options, actions) {
    scene.key(plan);
    first = epoch_at(0);
  }

  [[nodiscard]] std::uint32_t epoch_at(HostIndex host) const {
    const auto view = scene.world.view(host, plan);
    return view && view->tuple ? view->tuple->epoch : 0;
  }
  [[nodiscard]] bool is_ordered() const { return scene.world.view(0, plan)->rekey_ordered; }
  Result<GroupId> order_here(const World::OrderOptions& options) {
    return scene.world.order_here(0, Fleet::shared().commander(kCommanderAt), plan, options);
  }
  void take_here(std::uint64_t counter) {
    const auto taken = order_here(to_rekey(counter));
    ASSERT_TRUE(taken) << taken.error().text();
  }
  /// The controller has done all that was ordered, and everybody has come along.
  void expect_all_at(std::uint32_t epoch) {
    const auto there = [&](HostIndex host) { return epoch_at(host) == epoch; };
    EXPECT_TRUE(scene.world.run_until(
        [&] { return !is_ordered() && std::ranges::all_of(plan.entitled, there); }, kSettleLimit))
        << "the controller is at " << epoch_at(0) << " and not everybody at " << epoch;
  }
  /// Nothing more comes of what was ordered.
  void expect_stays() {
    const std::uint32_t epoch = epoch_at(0);
    scene.world.run_for(seconds(90));
    EXPECT_EQ(epoch_at(0), epoch);
    scene.settle(plan);
    scene.expect_clean();
  }

  std::uint32_t first = 0;
};

TEST(SimRekeyOrders, AreObeyedOverTheNetworkInAnyWeather) {
  for_each_seed(15, [](std::uint64_t seed) {
    Living living(seed);
    living.order(to_rekey(1));
    living.expect_all_at(living.first + 1);
    EXPECT_TRUE(living.scene.world.run_until(
        [&] {
          const auto& group = living.desk().group();
          return group && !group->rekey_ordered && group->installed;
        },
        kSettleLimit));
    ASSERT_FALSE(living.desk().error()) << living.desk().error()->text();
    EXPECT_EQ(living.desk().group()->tuple->epoch, living.first + 1);
    living.expect_stays();
  });
}

TEST(SimRekeyOrders, AreObeyedOnTheControllersHost) {
  for_each_seed(8, [](std::uint64_t seed) {
    Living living(seed);
    living.take_here(1);
    living.expect_all_at(living.first + 1);
    living.expect_stays();
  });
}

/// The order comes while members are still being keyed for the first time.
TEST(SimRekeyOrders, AreObeyedWhileMembersAreKeyed) {
  for_each_seed(8, [](std::uint64_t seed) {
    Ordered ordered(seed, Ordered::drawn(seed), {"create", "rekey"});
    World& world = ordered.scene.world;
    ordered.scene.begin(ordered.plan);
    const auto tuple = [&] { return world.view(0, ordered.plan)->tuple; };
    ASSERT_TRUE(world.run_until([&] { return tuple().has_value(); }, kSettleLimit));
    const std::uint32_t first = tuple()->epoch;
    ASSERT_TRUE(
        world.order_here(0, Fleet::shared().commander(kCommanderAt), ordered.plan, to_rekey(1)));
    EXPECT_TRUE(world.run_until([&] { return tuple()->epoch == first + 1; }, kSettleLimit));
    ordered.scene.settle(ordered.plan);
    ordered.scene.expect_clean();
  });
}

TEST(SimRekeyOrders, AReplayOfAllThatWasSentChangesNothing) {
  for_each_seed(3, [](std::uint64_t seed) {
    Living living(seed);
    World& world = living.scene.world;
    living.order(to_rekey(7));
    living.expect_all_at(living.first + 1);
    living.scene.settle(living.plan);
    world.run_for(seconds(70));  // the session is forgotten
    const auto floor = world.floor(0, living.plan.id());
    replay_everything(living);
    world.run_for(seconds(30));
    EXPECT_EQ(world.floor(0, living.plan.id()), floor);
    living.expect_stays();
  });
}

TEST(SimRekeyOrders, AUsedCounterIsRefused) {
  for_each_seed(4, [](std::uint64_t seed) {
    Living living(seed);
    living.order(to_rekey(7));
    living.expect_all_at(living.first + 1);
    for (const std::uint64_t used : {7U, 6U}) {
      EXPECT_EQ(living.order_here(to_rekey(used)).error().kind, protocol::kCommandStale);
      living.order(to_rekey(used));
      living.wait_for_the_end();
      EXPECT_EQ(living.desk().refused_as(), protocol::kCommandStale.name());
    }
    living.expect_stays();
  });
}

TEST(SimRekeyOrders, WantTheActionInTheToken) {
  for_each_seed(4, [](std::uint64_t seed) {
    Living living(seed, {"create"});
    EXPECT_EQ(living.order_here(to_rekey(1)).error().kind, protocol::kActionMissing);
    living.order(to_rekey(1));
    living.wait_for_the_end();
    EXPECT_EQ(living.desk().refused_as(), protocol::kActionMissing.name());
    EXPECT_EQ(living.scene.world.floor(0, living.plan.id())->marks, protocol::CommandMarks{});
    living.expect_stays();
  });
}

TEST(SimRekeyOrders, WantAGroupThatLives) {
  for_each_seed(4, [](std::uint64_t seed) {
    Ordered ordered(seed, Ordered::drawn(seed), {"create", "rekey"});
    ordered.order(to_rekey(1));
    ordered.wait_for_the_end();
    EXPECT_EQ(ordered.desk().refused_as(), protocol::kGroupNotLive.name());
    ordered.expect_nothing_done();
  });
}

TEST(SimRekeyOrders, WantTheTokenThatTheGroupLivesUnder) {
  for_each_seed(4, [](std::uint64_t seed) {
    Living living(seed);
    Fleet::PlanOptions options = living.scene.everybody();
    options.policy = living.plan.policy;
    options.policy.version += 1;
    const GroupPlan newer = Fleet::shared().plan(seed, living.scene.world, std::move(options));
    ASSERT_TRUE(living.scene.world.order(living.commander, newer, to_rekey(1)));
    living.wait_for_the_end();
    EXPECT_EQ(living.desk().refused_as(), protocol::kTokenNotInForce.name());
    living.expect_stays();
  });
}

/// Two epochs of a sender always fit, three need not: the next one waits until the one before the
/// last is done with.
TEST(SimRekeyOrders, ArePutOffDuringAnOverlapAndNotLost) {
  for_each_seed(8, [](std::uint64_t seed) {
    Living living(seed);
    World& world = living.scene.world;
    living.take_here(1);
    ASSERT_TRUE(world.run_until([&] { return living.epoch_at(0) > living.first; }, kSettleLimit));
    living.take_here(2);
    EXPECT_TRUE(living.is_ordered());
    world.run_for(milliseconds(living.plan.policy.deactivation_delay_ms) - seconds(1));
    EXPECT_EQ(living.epoch_at(0), living.first + 1);
    living.expect_all_at(living.first + 2);
    living.expect_stays();
  });
}

/// Orders at any time, over a store that fails now and then: each is followed by an epoch, and no
/// epoch comes without one.
TEST(SimRekeyOrders, AtAnyTimeAreEachFollowedByAnEpoch) {
  for_each_seed(6, [](std::uint64_t seed) {
    std::uint32_t epochs = 0;
    WorldOptions options = Ordered::drawn(seed);
    options.listener = [&](HostIndex host, const protocol::Report& report) {
      if (host == 0 && report.what == "epoch-created") ++epochs;
    };
    Living living(options);
    World& world = living.scene.world;
    world.break_store(0, 200);
    constexpr std::uint32_t kOrders = 6;
    std::uint32_t at_the_last = 0;
    epochs = 0;
    for (std::uint32_t counter = 1; counter <= kOrders; ++counter) {
      at_the_last = living.epoch_at(0);
      living.take_here(counter);
      world.run_for(milliseconds(living.scene.chance.between(0, 8000)));
    }
    EXPECT_TRUE(world.run_until([&] { return !living.is_ordered(); }, kSettleLimit));
    world.break_store(0, 0);
    EXPECT_GT(living.epoch_at(0), at_the_last);
    EXPECT_LE(epochs, kOrders);
    EXPECT_TRUE(living.scene.world.view(0, living.plan)->rekey_error.empty());
    living.expect_all_at(living.epoch_at(0));
    living.expect_stays();
  });
}

/// The commander's host is gone at any moment of the session; what it had ordered is done, and its
/// next order is another one.
TEST(SimRekeyOrders, SurviveACrashOfTheCommander) {
  for_each_seed(10, [](std::uint64_t seed) {
    Living living(seed);
    living.order(to_rekey(1));
    living.scene.world.run_for(milliseconds(living.scene.chance.between(0, 3000)));
    living.order(to_rekey(2));
    EXPECT_TRUE(living.scene.world.run_until(
        [&] {
          const auto& group = living.desk().group();
          return group && !group->rekey_ordered;
        },
        kSettleLimit));
    EXPECT_GT(living.epoch_at(0), living.first);
    EXPECT_LE(living.epoch_at(0), living.first + 2);
    living.expect_all_at(living.epoch_at(0));
    living.expect_stays();
  });
}

/// Whatever the controller had on disk when it ended: the order's counter is used if, and only if,
/// the tuple is that of the epoch that it was for.
TEST(SimRekeyOrders, AreUsedUpWithTheirTuple) {
  for_each_seed(12, [](std::uint64_t seed) {
    Living living(seed);
    World& world = living.scene.world;
    living.take_here(1);
    world.run_for(milliseconds(living.scene.chance.between(0, 30)));
    world.kill(0);
    const auto floor = *world.floor(0, living.plan.id());
    const std::uint64_t used = floor.marks.last_of(identity::name_hash(
        world.setup(0).trust->anchor_key_hash(), world.setup(living.commander).identity->name));
    EXPECT_EQ(used, floor.tuple.epoch - living.first);
    world.start(0);
    EXPECT_EQ(living.order_here(to_rekey(1)).error().kind,
              used == 1 ? protocol::kCommandStale : protocol::kGroupNotLive);
    EXPECT_TRUE(world.findings().none()) << world.findings().text();
  });
}

}  // namespace
}  // namespace gkmpd::sim
