// Groups of 2 to 200 hosts over bad networks: everybody is keyed, and no rule is broken.
#include <gtest/gtest.h>

#include "tests/sim/fleet.h"
#include "tests/sim/seeds.h"

namespace gkmpd::sim {
namespace {

constexpr std::size_t kMaxSenders = 8;

/// A group of `size` hosts with all that a seed decides.
GroupPlan make_group(World& world, std::uint64_t seed, std::size_t size) {
  Prng chance(seed + 77);
  Fleet::PlanOptions options;
  options.with_addresses = chance.chance(700);
  for (std::size_t i = 0; i < size; ++i) {
    HostSetup setup = Fleet::shared().good(i);
    if (i == 0 && !options.with_addresses) {
      for (std::size_t other = 0; other < size; ++other) {
        setup.hosts["h" + std::to_string(other)] = Fleet::address(other);
      }
    }
    world.add(setup);
    if (i != 0) options.listed.push_back(i);
  }
  options.sender_count = chance.log_uniform(1, kMaxSenders);
  options.policy.activation_delay_ms = static_cast<std::uint32_t>(chance.between(0, 3000));
  // Each heartbeat is a signature check at each host: fewer of them in large groups.
  options.policy.heartbeat_interval_ms =
      static_cast<std::uint32_t>(1000 + 40 * size + chance.below(1000));
  GroupPlan plan = Fleet::shared().plan(seed, world, std::move(options));
  world.watch(plan);
  return plan;
}

struct Outcome {
  Digest trace{};
  std::uint64_t steps = 0;
};

Outcome run(std::uint64_t seed, std::size_t size) {
  Prng chance(seed);
  World world(options_of(seed, draw_weather(chance)));
  const GroupPlan plan = make_group(world, seed, size);
  auto started = world.command(plan);
  EXPECT_TRUE(started) << (started ? "" : started.error().text());
  EXPECT_TRUE(world.run_until([&] { return world.is_settled(plan); }, kSettleLimit))
      << size << " hosts were not all keyed in time";
  world.finish();
  EXPECT_TRUE(world.findings().none()) << world.findings().text();
  return {world.trace(), world.steps()};
}

TEST(SimKeying, EverybodyIsKeyed) {
  for_each_seed(
      100, [](std::uint64_t seed) { run(seed, Prng(seed ^ 0xabcdef).log_uniform(2, kMaxHosts)); });
}

TEST(SimKeying, TheSameSeedGivesTheSameRun) {
  for_each_seed(5, [](std::uint64_t seed) {
    const Outcome first = run(seed, 6);
    const Outcome second = run(seed, 6);
    EXPECT_EQ(first.trace, second.trace);
    EXPECT_EQ(first.steps, second.steps);
    EXPECT_NE(first.trace, run(seed + 1, 6).trace);
  });
}

}  // namespace
}  // namespace gkmpd::sim
