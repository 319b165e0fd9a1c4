// Groups of 2 to 200 hosts over bad networks: everybody is keyed, and no rule is broken.
#include <gtest/gtest.h>

#include "agent/protocol/limits.h"
#include "tests/sim/fleet.h"
#include "tests/sim/scene.h"
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
        setup.hosts["h" + std::to_string(other)] = {Fleet::address(other),
                                                    Fleet::address_v6(other)};
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
  draw_width(options.policy, chance);
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
      60, [](std::uint64_t seed) { run(seed, Prng(seed ^ 0xabcdef).log_uniform(2, kMaxHosts)); });
}

struct Width {
  const char* name;
  const char* suite;
  const char* sender_mode;
  const char* control_suite;
};

constexpr Width kWidths[] = {
    {"a", "aes-gcm-128", "per-sender", "x25519-sha256"},
    {"b", "aes-gcm-128", "per-sender", "p256-sha256"},
    {"c", "aes-gcm-256", "per-sender", "p384-sha384"},
    {"d", "aes-gcm-256", "per-sender", "x25519-sha384"},
    {"e", "aes-cbc-128-hmac-sha-256", "per-sender", "p256-sha256"},
    {"f", "aes-cbc-128-hmac-sha-256", "shared", "x25519-sha256"},
};

/// Every suite, mode and family at once on the same hosts, each of which controls some of the
/// groups and is a member of the others.
TEST(SimKeying, ManyGroupsOfEveryWidthAtOnce) {
  for_each_seed(4, [](std::uint64_t seed) {
    Scene scene(5, seed);
    std::vector<GroupPlan> plans;
    for (const int family : {4, 6}) {
      for (const Width& width : kWidths) {
        const std::size_t number = plans.size() + 1;
        auto options = scene.everybody();
        options.controller = plans.size() % scene.world.size();
        options.listed.clear();
        for (HostIndex host = 0; host < scene.world.size(); ++host) {
          if (host != options.controller) options.listed.push_back(host);
        }
        test::PolicyOptions& policy = options.policy;
        policy.group = width.name + std::to_string(family);
        const std::string stem = family == 4 ? "239.2." : "ff15::";
        const std::string mark = family == 4 ? "." : ":";
        policy.address = stem + std::to_string(number) + mark + "1";
        policy.control_address = stem + std::to_string(number) + mark + "2";
        policy.suite = width.suite;
        policy.sender_mode = width.sender_mode;
        policy.control_suite = width.control_suite;
        if (policy.sender_mode == "shared") policy.replay_window = 0;
        plans.push_back(scene.plan(options));
      }
    }
    for (const GroupPlan& plan : plans) scene.begin(plan);
    for (const GroupPlan& plan : plans) scene.settle(plan);
    for (const GroupPlan& plan : plans) {
      // Its own, and all that the other sender may send under.
      const std::size_t sas = plan.policy.sender_mode == "shared" ? 1 : 1 + protocol::kSenderRun;
      EXPECT_EQ(scene.world.kernels().sa_count(0, plan.id()), sas) << plan.name();
    }
    scene.expect_clean();
  });
}

/// Two groups that would share an address on a host cannot stand beside each other: whoever has the
/// one refuses the other, before any key is used.
TEST(SimKeying, AGroupOnAnotherGroupsAddressIsRefused) {
  for_each_seed(4, [](std::uint64_t seed) {
    Scene scene(4, seed);
    const GroupPlan first = scene.plan();
    scene.key(first);
    struct Clash {
      const char* data;
      const char* control;
    };
    for (const Clash clash : {Clash{"239.1.1.1", "239.1.1.9"}, Clash{"239.1.1.2", "239.1.1.9"},
                              Clash{"239.1.1.9", "239.1.1.1"}}) {
      auto options = scene.everybody();
      options.policy.group = "second";
      options.policy.address = clash.data;
      options.policy.control_address = clash.control;
      const GroupPlan second = scene.plan(options);
      const auto refused = scene.world.command(second);
      ASSERT_FALSE(refused) << clash.data;
      EXPECT_EQ(refused.error().name(), "protocol.address-taken");
    }
    // A controller that lacks the first group asks hosts that have it.
    const HostIndex other = scene.world.add(Fleet::shared().good(4));
    auto options = scene.everybody();
    options.controller = other;
    options.listed = {1, 2, 3};
    options.policy.group = "second";
    options.policy.control_address = "239.1.1.9";
    const GroupPlan second = scene.plan(options);
    scene.begin(second);
    EXPECT_TRUE(scene.world.run_until(
        [&] { return scene.state(other, second) == protocol::GroupState::kFailed; }, kSettleLimit));
    for (const HostIndex host : options.listed) {
      const auto& counters = scene.world.endpoint(host).counters();
      EXPECT_NE(counters.find("protocol.address-taken"), counters.end()) << host;
    }
    // What came to nothing does not keep its addresses.
    options.policy.group = "third";
    options.policy.control_address = "239.1.1.8";
    EXPECT_TRUE(scene.world.command(scene.plan(options)));
    scene.settle(first);
    scene.expect_clean();
  });
}

/// Each has a port and an SPI prefix of its own.
TEST(SimKeying, TwoGroupsOnOneAddressAreKeyedSideBySide) {
  for_each_seed(4, [](std::uint64_t seed) {
    Scene scene(4, seed);
    const GroupPlan first = scene.plan();
    scene.key(first);
    auto options = scene.everybody();
    options.policy.group = "second";
    options.policy.port += 1;
    const auto refused = scene.world.command(scene.plan(options));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().name(), "protocol.spi-prefix-taken");
    options.policy.spi_prefix += 1;
    const std::uint32_t port = std::exchange(options.policy.port, 0U);
    const auto covered = scene.world.command(scene.plan(options));
    ASSERT_FALSE(covered);
    EXPECT_EQ(covered.error().name(), "protocol.address-taken") << "every port is the first's too";
    options.policy.port = port;
    const GroupPlan second = scene.plan(options);
    scene.key(second);
    scene.settle(first);
    scene.expect_clean();
  });
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
