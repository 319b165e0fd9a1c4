// Orders from commanders on hosts of their own: obeyed in any weather, once, and by nobody who
// should not.
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/identity/errors.h"
#include "agent/protocol/errors.h"
#include "tests/sim/ordered.h"

namespace gkmpd::sim {
namespace {

TEST(SimCommands, AreObeyedInAnyWeather) {
  for_each_seed(25, [](std::uint64_t seed) {
    Ordered ordered(seed);
    ordered.order();
    ordered.expect_keyed();
  });
}

TEST(SimCommands, AreObeyedThoughBitsFlip) {
  for_each_seed(8, [](std::uint64_t seed) {
    WorldOptions options = Ordered::drawn(seed);
    options.network.flip_permille = 150;
    Ordered ordered(seed, options);
    ordered.order();
    ordered.expect_keyed();
  });
}

TEST(SimCommands, AReplayOfAllThatWasSentChangesNothing) {
  for_each_seed(4, [](std::uint64_t seed) {
    Ordered ordered(seed);
    World& world = ordered.scene.world;
    ordered.order();
    ordered.scene.settle(ordered.plan);
    // Also to a controller that remembers nothing but its disk.
    for (const bool restarted : {false, true}) {
      if (restarted) {
        world.run_for(seconds(70));
        world.crash(0);
        world.start(0);
      }
      const auto floor = world.floor(0, ordered.plan.id());
      const auto saves = world.effects(0).saves;
      const auto shown = world.endpoint(0).groups().size();
      replay_everything(ordered);
      world.run_for(seconds(30));
      EXPECT_EQ(world.floor(0, ordered.plan.id()), floor);
      EXPECT_EQ(world.effects(0).saves, saves);
      EXPECT_EQ(world.endpoint(0).groups().size(), shown);
    }
    ordered.scene.expect_clean();
  });
}

TEST(SimCommands, NoDatagramIsTakenWithABitFlipped) {
  for_each_seed(6, [](std::uint64_t seed) {
    World* world = nullptr;
    Prng flips(seed + 5);
    std::uint64_t tried = 0;
    WorldOptions options = Ordered::drawn(seed);
    options.intruder = [&](HostIndex to, const SocketAddress& from, const Bytes& octets) {
      if (world == nullptr) return;
      Bytes flipped = octets;
      flip_bits(flipped, flips);
      const auto before = world->effects(to);
      const auto timeout = world->endpoint(to).poll_timeout();
      world->inject(to, from, flipped);
      EXPECT_EQ(world->effects(to), before) << to_hex(flipped);
      EXPECT_EQ(world->endpoint(to).poll_timeout(), timeout);
      ++tried;
    };
    Ordered ordered(seed, options);
    world = &ordered.scene.world;
    ordered.order();
    ordered.expect_keyed();
    EXPECT_GT(tried, 0U);
  });
}

// --- Refused -------------------------------------------------------------------------------------

struct BadOrder {
  std::string name;
  std::function<void(identity::CommandText&)> change;
  ErrorKind error;
};

class SimRefusedOrder : public testing::TestWithParam<BadOrder> {};

TEST_P(SimRefusedOrder, ChangesNothingAndIsNamed) {
  for_each_seed(4, [](std::uint64_t seed) {
    Ordered ordered(seed);
    ordered.order({.counter = 1, .controller = {}, .change = GetParam().change});
    ordered.wait_for_the_end();
    // The refusal is sent once more for each repeated request, so it arrives.
    EXPECT_EQ(ordered.desk().refused_as(), GetParam().error.name());
    ordered.expect_nothing_done();
  });
}

INSTANTIATE_TEST_SUITE_P(
    Orders, SimRefusedOrder,
    testing::Values(
        BadOrder{"WrongTarget", [](identity::CommandText& text) { text.controller = "h1"; },
                 protocol::kCommandTarget},
        BadOrder{"RekeyWithList",
                 [](identity::CommandText& text) { text.action = identity::CommandAction::kRekey; },
                 protocol::kCommandList},
        BadOrder{"WrongToken", [](identity::CommandText& text) { text.token_hash[3] ^= 1; },
                 protocol::kCommandToken},
        BadOrder{"TooOld", [](identity::CommandText& text) { text.not_after -= seconds(1300); },
                 protocol::kCommandExpired},
        BadOrder{"TooLong", [](identity::CommandText& text) { text.not_after += seconds(4000); },
                 protocol::kCommandValidTooLong}),
    [](const auto& param) { return param.param.name; });

TEST(SimCommands, AControllerThatTheTokenDoesNotListObeysNobody) {
  for_each_seed(4, [](std::uint64_t seed) {
    Ordered ordered(seed);
    ordered.order({.counter = 1, .controller = ordered.scene.world.setup(1).address, .change = {}});
    ordered.wait_for_the_end();
    EXPECT_EQ(ordered.desk().refused_as(), protocol::kControllerNotListed.name());
    ordered.expect_nothing_done();
  });
}

TEST(SimCommands, ARevokedCommanderMeetsSilence) {
  for_each_seed(4, [](std::uint64_t seed) {
    Ordered ordered(seed);
    World& world = ordered.scene.world;
    const HostIndex revoked =
        world.add_commander(Fleet::shared().revoked_commander(kCommanderAt + 1));
    ASSERT_TRUE(world.order(revoked, ordered.plan, {}));
    EXPECT_TRUE(world.run_until([&] { return world.commander(revoked).error().has_value(); },
                                kSettleLimit));
    EXPECT_EQ(world.commander(revoked).error()->kind, protocol::kTimeout);
    EXPECT_EQ(world.commander(revoked).refused_as(), "");
    EXPECT_GE(world.endpoint(0).counters().at(identity::kRevoked.name()), 1U);
    ordered.expect_nothing_done();
  });
}

TEST(SimCommands, OnesOfNoCommanderOrTooLongAreNotEvenGiven) {
  Ordered ordered(1);
  World& world = ordered.scene.world;
  const HostIndex plain = world.add_commander(Fleet::shared().good(kCommanderAt + 1));
  EXPECT_EQ(world.order(plain, ordered.plan, {}).error().kind, identity::kNotCommander);
  GroupPlan longer = ordered.plan;
  longer.member_list.resize(wire::kMaxMemberListOctets + 1, '\n');
  EXPECT_EQ(world.order(ordered.commander, longer, {}).error().kind, protocol::kMemberListTooLong);
  ordered.expect_nothing_done();
}

// --- Once only -----------------------------------------------------------------------------------

/// The controller crashes with the group made: the order's counter is used, and the next one makes
/// the group anew.
TEST(SimCommands, AUsedCounterIsRefusedByAControllerThatHasRestarted) {
  for_each_seed(6, [](std::uint64_t seed) {
    Ordered ordered(seed);
    World& world = ordered.scene.world;
    ordered.order({.counter = 7, .controller = {}, .change = {}});
    ordered.scene.settle(ordered.plan);
    world.crash(0);
    world.start(0);
    for (const std::uint64_t used : {7U, 6U}) {
      ordered.order({.counter = used, .controller = {}, .change = {}});
      ordered.wait_for_the_end();
      EXPECT_EQ(ordered.desk().refused_as(), protocol::kCommandStale.name());
    }
    EXPECT_TRUE(world.endpoint(0).groups().empty());
    ordered.order({.counter = 8, .controller = {}, .change = {}});
    ordered.expect_keyed();
  });
}

TEST(SimCommands, OfTwoAtOnceOneIsObeyed) {
  for_each_seed(6, [](std::uint64_t seed) {
    Ordered ordered(seed);
    World& world = ordered.scene.world;
    const HostIndex second = world.add_commander(Fleet::shared().commander(kCommanderAt + 1));
    ordered.order();
    ASSERT_TRUE(world.order(second, ordered.plan, {.counter = 2, .controller = {}, .change = {}}));
    ordered.scene.settle(ordered.plan);
    const auto ended = [&](HostIndex host) {
      return world.commander(host).error() || world.commander(host).group();
    };
    EXPECT_TRUE(
        world.run_until([&] { return ended(ordered.commander) && ended(second); }, kSettleLimit));
    const bool first_obeyed = world.commander(ordered.commander).group().has_value();
    EXPECT_NE(first_obeyed, world.commander(second).group().has_value());
    const HostIndex refused = first_obeyed ? second : ordered.commander;
    // The second may have been obeyed first, and be of the same commander with a higher counter.
    const std::string& why = world.commander(refused).refused_as();
    EXPECT_TRUE(why == protocol::kGroupExists.name() || why == protocol::kCommandStale.name())
        << why;
    ordered.scene.expect_clean();
  });
}

// --- To rekey ------------------------------------------------------------------------------------

}  // namespace
}  // namespace gkmpd::sim
