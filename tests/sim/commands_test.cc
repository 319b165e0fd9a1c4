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
  Ordered(std::uint64_t seed, WorldOptions options,
          const std::vector<std::string>& actions = {"create"})
      : scene(Prng(seed ^ 0xabc).log_uniform(2, kMostHosts), std::move(options)),
        plan(plan_with(scene, actions)),
        commander(scene.world.add_commander(Fleet::shared().commander(kCommanderAt))) {}

  static GroupPlan plan_with(Scene& scene, const std::vector<std::string>& actions) {
    Fleet::PlanOptions options = scene.everybody();
    options.policy.actions = actions;
    return scene.plan(std::move(options));
  }

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
