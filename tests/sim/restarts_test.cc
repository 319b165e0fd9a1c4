// Hosts that stop and start again with what they have on disk, or are cut off for a while.
#include <gtest/gtest.h>

#include "agent/wire/header.h"
#include "tests/sim/scene.h"

namespace gkmpd::sim {
namespace {

constexpr std::size_t kMostHosts = 40;

std::size_t size_of(std::uint64_t seed) { return Prng(seed).log_uniform(3, kMostHosts); }

/// Stops at any moment from the command on, between writing and being told of it too.
TEST(SimRestarts, AControllerStartsANewTerm) {
  for_each_seed(10, [](std::uint64_t seed) {
    Scene scene(size_of(seed), seed);
    const GroupPlan plan = scene.plan();
    scene.begin(plan);
    scene.world.run_for(milliseconds(scene.chance.log_uniform(1, 20'000)));
    const auto before = scene.world.view(0, plan)->tuple;
    scene.world.crash(0);
    scene.world.run_for(milliseconds(scene.chance.log_uniform(1, 10'000)));
    scene.world.start(0);
    scene.key(plan);
    const auto after = scene.world.view(0, plan)->tuple;
    ASSERT_TRUE(after);
    EXPECT_TRUE(!before || after->term > before->term) << after->text();
    scene.expect_clean();
  });
}

/// A member that loses its keys is a newcomer at the controller's next epoch, and one that was
/// stopped before it had them is asked again.
TEST(SimRestarts, MembersComeBackWithTheirFloors) {
  for_each_seed(8, [](std::uint64_t seed) {
    Scene scene(size_of(seed), seed);
    const GroupPlan plan = scene.plan();
    scene.begin(plan);
    for (HostIndex host = 1; host < scene.world.size(); ++host) {
      if (!scene.chance.chance(300)) continue;
      const milliseconds stop(scene.chance.log_uniform(1, 4000));
      scene.world.after(stop, [&world = scene.world, host] { world.crash(host); });
      scene.world.after(stop + milliseconds(scene.chance.log_uniform(1, 20'000)),
                        [&world = scene.world, host] { world.start(host); });
    }
    scene.world.run_for(seconds(60));
    scene.world.crash(0);
    scene.world.start(0);
    scene.key(plan);
    scene.expect_clean();
  });
}

/// Cut off at any moment of the exchange, with all that it holds of it.
TEST(SimRestarts, MembersThatWereCutOffAreKeyed) {
  for_each_seed(10, [](std::uint64_t seed) {
    Scene scene(size_of(seed), seed);
    const GroupPlan plan = scene.plan();
    scene.begin(plan);
    for (HostIndex host = 1; host < scene.world.size(); ++host) {
      if (!scene.chance.chance(400)) continue;
      Network& network = scene.world.network();
      const milliseconds cut(scene.chance.log_uniform(1, 3000));
      scene.world.after(cut, [&network, host] { network.isolate(host); });
      scene.world.after(cut + milliseconds(scene.chance.log_uniform(1000, 120'000)),
                        [&network, host] { network.reconnect(host); });
    }
    scene.settle(plan);
    scene.expect_clean();
  });
}

/// SAs and outbound protection of every host.
std::vector<std::pair<std::size_t, bool>> kernels_of(const Scene& scene, const GroupPlan& plan) {
  std::vector<std::pair<std::size_t, bool>> out;
  for (HostIndex host = 0; host < scene.world.size(); ++host) {
    out.emplace_back(scene.world.kernels().sa_count(host, plan.id()),
                     scene.world.kernels().protects(host, plan.id()));
  }
  return out;
}

/// Agents end without a word, the kernels go on; the next creation takes them over, and senders
/// are never without an SA to send under.
TEST(SimRestarts, WhatAKilledAgentLeavesIsAdoptedAndKeyedAgain) {
  for_each_seed(10, [](std::uint64_t seed) {
    Scene scene(size_of(seed), seed);
    const GroupPlan plan = scene.plan();
    scene.key(plan);
    const auto before = *scene.world.view(0, plan)->tuple;
    const auto standing = kernels_of(scene, plan);
    std::set<HostIndex> killed{0};
    for (HostIndex host = 1; host < scene.world.size(); ++host) {
      if (scene.chance.chance(500)) killed.insert(host);
    }
    for (const HostIndex host : killed) scene.world.kill(host);
    scene.world.run_for(milliseconds(scene.chance.log_uniform(1, 10'000)));
    for (const HostIndex host : killed) scene.world.start(host);
    scene.world.run_for(milliseconds(scene.chance.log_uniform(1, 10'000)));
    for (const HostIndex host : killed) {
      EXPECT_EQ(scene.state(host, plan), protocol::GroupState::kAdopted) << host;
      EXPECT_FALSE(scene.world.holds_keys(host, plan)) << host;
    }
    EXPECT_EQ(kernels_of(scene, plan), standing);

    scene.begin(plan);
    EXPECT_TRUE(scene.world.run_until(
        [&] {
          for (const HostIndex host : plan.senders) {
            EXPECT_TRUE(scene.world.kernels().protects(host, plan.id())) << host;
          }
          return scene.world.is_settled(plan);
        },
        kSettleLimit));
    EXPECT_GT(scene.world.view(0, plan)->tuple->term, before.term);
    // The deactivation delay of the last one keyed.
    scene.world.run_for(milliseconds(plan.policy.deactivation_delay_ms + 1000));
    EXPECT_EQ(kernels_of(scene, plan), standing);
    scene.expect_clean();
  });
}

/// Killed at any moment, and more than once: between writing, installing and being told of it too.
TEST(SimRestarts, AgentsMayBeKilledAtAnyMoment) {
  for_each_seed(10, [](std::uint64_t seed) {
    Scene scene(size_of(seed), seed);
    const GroupPlan plan = scene.plan();
    scene.begin(plan);
    for (HostIndex host = 1; host < scene.world.size(); ++host) {
      for (int times = 0; times < 2; ++times) {
        scene.world.after(milliseconds(scene.chance.log_uniform(1, 8000)),
                          [&world = scene.world, host] {
                            if (world.is_up(host)) world.kill(host);
                          });
      }
      scene.world.after(milliseconds(scene.chance.log_uniform(8000, 20'000)),
                        [&world = scene.world, host] {
                          if (!world.is_up(host)) world.start(host);
                        });
    }
    scene.world.run_for(seconds(60));
    scene.world.kill(0);
    scene.world.start(0);
    scene.key(plan);
    scene.expect_clean();
  });
}

TEST(SimRestarts, WhatWasAdoptedEndsWithItsEpoch) {
  for_each_seed(6, [](std::uint64_t seed) {
    WorldOptions options;
    options.seed = seed;
    options.clock_error = seconds(5);
    Scene scene(size_of(seed), options);
    auto wanted = scene.everybody();
    wanted.policy.rekey_interval_s = 60;
    wanted.policy.token_grace_s = 60;
    const GroupPlan plan = scene.plan(wanted);
    scene.key(plan);
    for (HostIndex host = 0; host < scene.world.size(); ++host) {
      scene.world.kill(host);
      scene.world.start(host);
    }
    scene.world.run_for(seconds(30));
    EXPECT_EQ(scene.state(1, plan), protocol::GroupState::kAdopted);
    scene.world.run_for(seconds(110));
    for (HostIndex host = 0; host < scene.world.size(); ++host) {
      EXPECT_EQ(scene.state(host, plan), protocol::GroupState::kExpired) << host;
      EXPECT_FALSE(scene.world.view(host, plan)->sending) << host;
    }
    scene.key(plan);
    scene.expect_clean();
  });
}

/// The same epoch comes again to a host whose acknowledgement was lost: what stands of it is kept,
/// and a host that lost its kernel sends on under another key (the rule outbound-twice sees that).
TEST(SimRestarts, TheEpochThatStandsIsKeptWhenItComesAgain) {
  for (const bool kernel_lost : {false, true}) {
    bool mute = true;
    WorldOptions options;
    options.tampering.transmit = [&mute](HostIndex host, protocol::Transmit& transmit) {
      constexpr auto kAck = static_cast<std::uint8_t>(wire::MessageType::kKeyDownloadAck);
      if (mute && host == 1 && transmit.octets[4] == kAck) transmit.octets.back() ^= 1;
    };
    Scene scene(4, options);
    const GroupPlan plan = scene.plan();
    scene.begin(plan);
    ASSERT_TRUE(scene.world.run_until([&] { return scene.world.kernels().protects(1, plan.id()); },
                                      kSettleLimit));
    const auto epoch = scene.world.view(1, plan)->epoch_id;
    mute = false;
    kernel_lost ? scene.world.crash(1) : scene.world.kill(1);
    scene.world.start(1);
    EXPECT_TRUE(scene.world.run_until(
        [&] {
          EXPECT_TRUE(kernel_lost || scene.world.kernels().protects(1, plan.id()));
          return scene.world.was_active(1, plan);
        },
        kSettleLimit));
    scene.world.run_for(seconds(10));
    const auto view = scene.world.view(1, plan);
    EXPECT_EQ(view->epoch_id, epoch);
    EXPECT_TRUE(view->sending);
    EXPECT_EQ(view->install_error, "");
    scene.expect_clean();
  }
}

}  // namespace
}  // namespace gkmpd::sim
