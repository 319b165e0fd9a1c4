// Hosts that stop and start again with what they have on disk, or are cut off for a while.
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace gkmpd::sim
