// Datagrams that are replayed, damaged or put where they do not belong.
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/wire/header.h"
#include "tests/sim/scene.h"

namespace gkmpd::sim {
namespace {

constexpr std::size_t kMostHosts = 8;
constexpr std::size_t kExchangeAt = 8;  // offsets in the header
constexpr std::size_t kGroupAt = 16;

std::size_t size_of(std::uint64_t seed) { return Prng(seed).log_uniform(2, kMostHosts); }

/// All of a host that a datagram without right must not change.
struct Standing {
  std::optional<EpochId> held;
  std::optional<protocol::GroupFloor> floor;
  std::uint64_t saves = 0;
  std::uint64_t installs = 0;
  friend bool operator==(const Standing&, const Standing&) = default;
};

Standing standing(const World& world, HostIndex host, const GroupPlan& plan) {
  const auto held = world.endpoint(host).held_keys(plan.id());
  return {held ? std::optional(held->epoch_id) : std::nullopt, world.floor(host, plan.id()),
          world.effects(host).saves, world.effects(host).installs};
}

/// Every datagram that was ever sent, to every host, in any order.
void replay_everything(Scene& scene) {
  World& world = scene.world;
  const std::vector<WireRules::Sent> sent = world.wire().sent();
  std::vector<std::pair<std::size_t, HostIndex>> order;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    for (HostIndex to = 0; to < world.size(); ++to) order.emplace_back(i, to);
  }
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[scene.chance.below(i)]);
  }
  for (const auto& [i, to] : order) {
    world.inject(to, world.setup(sent[i].host).address, sent[i].octets);
  }
}

void expect_replay_changes_nothing(Scene& scene, const GroupPlan& plan) {
  std::vector<Standing> before;
  for (HostIndex host = 0; host < scene.world.size(); ++host) {
    before.push_back(standing(scene.world, host, plan));
  }
  replay_everything(scene);
  scene.world.run_for(seconds(30));
  for (HostIndex host = 0; host < scene.world.size(); ++host) {
    EXPECT_EQ(standing(scene.world, host, plan), before[host]) << "host " << host;
  }
}

TEST(SimAttacks, AReplayOfAllThatWasSentChangesNothing) {
  for_each_seed(4, [](std::uint64_t seed) {
    Scene scene(size_of(seed), seed);
    const GroupPlan plan = scene.plan();
    scene.key(plan);
    scene.world.run_for(seconds(5));
    expect_replay_changes_nothing(scene, plan);
    // The slots that the replayed requests took come free again.
    scene.world.run_for(seconds(70));
    scene.world.crash(0);
    scene.world.start(0);
    scene.key(plan);
    scene.world.run_for(seconds(5));
    expect_replay_changes_nothing(scene, plan);
    scene.expect_clean();
  });
}

/// Without losses: one that a host never got would be new to it.
TEST(SimAttacks, OldHeartbeatsDoNotHideASilentController) {
  for_each_seed(10, [](std::uint64_t seed) {
    WorldOptions options;
    options.seed = seed;
    Scene scene(size_of(seed), options);
    World& world = scene.world;
    const GroupPlan plan = scene.plan();
    scene.key(plan);
    world.run_for(seconds(3));
    const std::vector<WireRules::Sent> sent = world.wire().sent();
    world.network().mute_multicast(0);
    world.run_for(milliseconds(4 * plan.policy.heartbeat_interval_ms));
    for (HostIndex host = 1; host < world.size(); ++host) {
      ASSERT_EQ(scene.state(host, plan), protocol::GroupState::kSilent);
      for (const WireRules::Sent& old : sent) {
        if (old.to.ip.is_multicast()) world.inject(host, world.setup(0).address, old.octets);
      }
      EXPECT_EQ(scene.state(host, plan), protocol::GroupState::kSilent) << "host " << host;
    }
    scene.expect_clean();
  });
}

TEST(SimAttacks, GroupsAreKeyedThoughBitsFlip) {
  for_each_seed(10, [](std::uint64_t seed) {
    Prng chance(seed);
    WorldOptions options = options_of(seed, draw_weather(chance));
    options.network.flip_permille = 200;
    Scene scene(size_of(seed), options);
    const GroupPlan plan = scene.plan();
    scene.key(plan);
    scene.expect_clean();
  });
}

/// Injects `octets` and expects that the host does nothing at all but count a drop.
void expect_dropped(World& world, HostIndex to, const SocketAddress& from, const Bytes& octets) {
  const auto before = world.effects(to);
  const auto timeout = world.endpoint(to).poll_timeout();
  world.inject(to, from, octets);
  EXPECT_EQ(world.effects(to), before) << "host " << to << " took " << to_hex(octets);
  EXPECT_EQ(world.endpoint(to).poll_timeout(), timeout) << "host " << to;
}

TEST(SimAttacks, NoDatagramIsTakenWithABitFlipped) {
  for_each_seed(10, [](std::uint64_t seed) {
    Prng chance(seed);
    World* world = nullptr;
    Prng flips(seed + 5);
    std::uint64_t tried = 0;
    WorldOptions options = options_of(seed, draw_weather(chance));
    options.intruder = [&](HostIndex to, const SocketAddress& from, const Bytes& octets) {
      Bytes flipped = octets;
      flip_bits(flipped, flips);
      expect_dropped(*world, to, from, flipped);
      ++tried;
    };
    Scene scene(size_of(seed), options);
    world = &scene.world;
    const GroupPlan plan = scene.plan();
    scene.key(plan);
    EXPECT_GT(tried, 0U);
    scene.expect_clean();
  });
}

/// The header's group or exchange is replaced by one of another group's exchanges.
TEST(SimAttacks, NoDatagramIsTakenInAnotherGroupOrExchange) {
  for_each_seed(10, [](std::uint64_t seed) {
    Prng chance(seed);
    World* world = nullptr;
    Prng picks(seed + 5);
    std::vector<Bytes> seen;  // headers
    std::uint64_t tried = 0;
    WorldOptions options = options_of(seed, draw_weather(chance));
    options.intruder = [&](HostIndex to, const SocketAddress& from, const Bytes& octets) {
      seen.emplace_back(octets.begin(), octets.begin() + wire::kHeaderSize);
      const Bytes& other = seen[picks.below(seen.size())];
      Bytes changed = octets;
      const std::size_t first = picks.chance(500) ? kExchangeAt : kGroupAt;
      const std::size_t last = picks.chance(500) ? kGroupAt : kGroupAt + GroupId{}.size();
      std::copy(other.begin() + static_cast<std::ptrdiff_t>(std::min(first, last)),
                other.begin() + static_cast<std::ptrdiff_t>(last),
                changed.begin() + static_cast<std::ptrdiff_t>(std::min(first, last)));
      if (changed == octets) return;
      expect_dropped(*world, to, from, changed);
      ++tried;
    };
    Scene scene(size_of(seed) + 1, options);
    world = &scene.world;
    auto wanted = scene.everybody();
    const GroupPlan first = scene.plan(wanted);
    wanted.controller = 1;
    wanted.listed.front() = 0;
    wanted.policy.group = "other";
    wanted.policy.address = "239.1.1.3";
    wanted.policy.spi_prefix = 11;
    const GroupPlan second = scene.plan(wanted);
    scene.begin(first);
    scene.begin(second);
    scene.settle(first);
    scene.settle(second);
    EXPECT_GT(tried, 0U);
    scene.expect_clean();
  });
}

/// Whole datagrams reach hosts that they were not sent to.
TEST(SimAttacks, ADatagramAtTheWrongHostKeysNobody) {
  for_each_seed(10, [](std::uint64_t seed) {
    Prng chance(seed);
    World* world = nullptr;
    Prng picks(seed + 5);
    WorldOptions options = options_of(seed, draw_weather(chance));
    options.intruder = [&](HostIndex to, const SocketAddress& from, const Bytes& octets) {
      const HostIndex other = picks.below(world->size());
      const bool heartbeat = octets[4] == static_cast<std::uint8_t>(wire::MessageType::kHeartbeat);
      if (other == to || heartbeat) return;
      const auto before = world->effects(other);
      world->inject(other, from, octets);
      EXPECT_EQ(world->effects(other).saves, before.saves);
      EXPECT_EQ(world->effects(other).installs, before.installs);
    };
    Scene scene(size_of(seed) + 1, options);
    world = &scene.world;
    const GroupPlan plan = scene.plan();
    scene.key(plan);
    scene.expect_clean();
  });
}

}  // namespace
}  // namespace gkmpd::sim
