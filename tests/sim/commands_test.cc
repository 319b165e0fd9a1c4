// Orders from commanders on hosts of their own: obeyed in any weather, once, and by nobody who
// should not.
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/identity/errors.h"
#include "agent/protocol/errors.h"
#include "tests/sim/scene.h"

namespace gkmpd::sim {
namespace {

constexpr std::size_t kMostHosts = 12;
constexpr std::size_t kCommanderAt = 180;  // its address is that of this host

/// A scene with a group planned, and a commander beside it.
struct Ordered {
  explicit Ordered(std::uint64_t seed) : Ordered(seed, drawn(seed)) {}
  Ordered(std::uint64_t seed, WorldOptions options)
      : scene(Prng(seed ^ 0xabc).log_uniform(2, kMostHosts), std::move(options)),
        plan(scene.plan()),
        commander(scene.world.add_commander(Fleet::shared().commander(kCommanderAt))) {}

  static WorldOptions drawn(std::uint64_t seed) {
    Prng chance(seed + 31);
    return options_of(seed, draw_weather(chance));
  }

  void order(World::OrderOptions options = {}) {
    const auto given = scene.world.order(commander, plan, std::move(options));
    ASSERT_TRUE(given) << given.error().text();
  }
  [[nodiscard]] const protocol::Commander& desk() const { return scene.world.commander(commander); }
  /// The commander sees what there is to be seen.
  [[nodiscard]] bool sees_all_keyed() const {
    const auto& group = desk().group();
    return group && group->state == protocol::GroupState::kActive && group->installed &&
           std::ranges::all_of(group->members, [](const protocol::MemberView& member) {
             return member.state == protocol::MemberState::kKeyed;
           });
  }
  void expect_keyed() {
    scene.settle(plan);
    EXPECT_TRUE(scene.world.run_until([&] { return sees_all_keyed(); }, kSettleLimit))
        << (desk().error() ? desk().error()->text() : "still going");
    scene.expect_clean();
  }
  void wait_for_the_end() {
    EXPECT_TRUE(scene.world.run_until([&] { return desk().error().has_value(); }, kSettleLimit));
  }
  void expect_nothing_done() {
    for (HostIndex host = 0; host < commander; ++host) {
      EXPECT_EQ(scene.world.effects(host).saves, 0U) << host;
      EXPECT_EQ(scene.world.effects(host).installs, 0U) << host;
      EXPECT_TRUE(scene.world.endpoint(host).groups().empty()) << host;
    }
    scene.expect_clean();
  }

  Scene scene;
  GroupPlan plan;
  HostIndex commander;
};

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

/// Every datagram of the run, to every agent, in any order, from where it came and from elsewhere.
void replay_everything(Ordered& ordered) {
  World& world = ordered.scene.world;
  const std::vector<WireRules::Sent> sent = world.wire().sent();
  std::vector<std::tuple<std::size_t, HostIndex, bool>> order;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    for (HostIndex to = 0; to < ordered.commander; ++to) {
      order.emplace_back(i, to, false);
      order.emplace_back(i, to, true);
    }
  }
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[ordered.scene.chance.below(i)]);
  }
  const SocketAddress elsewhere{Fleet::address(kCommanderAt + 1), 9};
  for (const auto& [i, to, moved] : order) {
    world.inject(to, moved ? elsewhere : world.setup(sent[i].host).address, sent[i].octets);
  }
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

}  // namespace
}  // namespace gkmpd::sim
