// Hosts that ask to be keyed: groups that receivers initiate, and members that have lost what they
// held.
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/identity/errors.h"
#include "agent/protocol/errors.h"
#include "agent/protocol/limits.h"
#include "agent/wire/header.h"
#include "tests/sim/scene.h"

namespace gkmpd::sim {
namespace {

using protocol::GroupState;

constexpr std::size_t kMostHosts = 30;

std::size_t size_of(std::uint64_t seed) { return Prng(seed).log_uniform(3, kMostHosts); }

/// Nobody but the controller is listed, and all others are to ask.
Fleet::PlanOptions receiver_initiated(const Scene& scene) {
  Fleet::PlanOptions options = scene.everybody();
  options.joiners = {options.listed.begin(), options.listed.end()};
  options.listed.clear();
  options.sender_count = 1;
  options.policy.joins = "permitted";
  return options;
}

std::uint64_t count(const World& world, HostIndex host, ErrorKind kind) {
  const auto& counters = world.endpoint(host).counters();
  const auto found = counters.find(kind.name());
  return found == counters.end() ? 0 : found->second;
}

void join(Scene& scene, HostIndex host, const GroupPlan& plan) {
  const auto asked = scene.world.join(host, plan);
  EXPECT_TRUE(asked) << (asked ? "" : asked.error().text());
}

/// The first to make contact makes the keys with the controller (readings 16).
TEST(SimJoins, AGroupBeginsWithTheFirstWhoAsks) {
  for_each_seed(10, [](std::uint64_t seed) {
    Scene scene(size_of(seed), seed);
    const GroupPlan plan = scene.plan(receiver_initiated(scene));
    scene.begin(plan);
    scene.world.run_for(seconds(100));
    EXPECT_EQ(scene.state(0, plan), GroupState::kCreating);
    for (HostIndex host = 1; host < scene.world.size(); ++host) {
      scene.world.after(milliseconds(scene.chance.log_uniform(1, 20'000)),
                        [&, host] { join(scene, host, plan); });
    }
    scene.world.run_for(seconds(20));
    scene.settle(plan);
    EXPECT_EQ(scene.world.view(0, plan)->members.size(), scene.world.size() - 1);
    scene.expect_clean();
  });
}

TEST(SimJoins, WhoMayNotJoinIsTold) {
  for_each_seed(6, [](std::uint64_t seed) {
    Scene scene(4, seed);
    const HostIndex low = scene.add_flawed(Flaw::kLowLevel);
    const HostIndex revoked = scene.add_flawed(Flaw::kRevoked);
    const HostIndex strange = scene.add_flawed(Flaw::kStranger);
    auto options = receiver_initiated(scene);
    for (const HostIndex host : {low, revoked, strange}) options.joiners.erase(host);
    const GroupPlan plan = scene.plan(options);
    scene.begin(plan);
    for (HostIndex host = 1; host < scene.world.size(); ++host) {
      if (host != strange) join(scene, host, plan);
    }
    // Of another security manager: it knows the group under another id, and nobody answers.
    join(scene, strange, plan);
    scene.settle(plan);
    // A refusal is sent once, and may be lost: then the host asks again.
    for (const HostIndex host : {low, revoked}) {
      EXPECT_TRUE(scene.world.run_until(
          [&] { return scene.state(host, plan) == GroupState::kFailed; }, seconds(600)));
    }
    EXPECT_GE(count(scene.world, low, identity::kLevelTooLow), 1U) << "it sees so by itself";
    EXPECT_GE(count(scene.world, 0, identity::kRevoked), 1U);
    EXPECT_GE(count(scene.world, revoked, protocol::kRefusedByPeer), 1U);
    EXPECT_EQ(count(scene.world, strange, protocol::kRefusedByPeer), 0U);
    scene.expect_clean();
  });
}

TEST(SimJoins, OnlyWhomTheTokenLets) {
  for_each_seed(3, [](std::uint64_t seed) {
    for (const char* joins : {"listed", "none"}) {
      Scene scene(4, seed);
      auto options = scene.everybody();
      options.policy.joins = joins;
      options.listed = {1, 2};
      const GroupPlan plan = scene.plan(options);
      scene.key(plan);
      join(scene, 3, plan);
      scene.world.run_for(seconds(60));
      const bool open = std::string(joins) == "listed";
      EXPECT_EQ(count(scene.world, 0, protocol::kJoinNotListed) > 0, open) << joins;
      EXPECT_EQ(count(scene.world, 0, protocol::kJoinsClosed) > 0, !open) << joins;
      EXPECT_EQ(count(scene.world, 3, protocol::kRefusedByPeer) > 0, open) << joins;
      EXPECT_EQ(scene.state(3, plan), open ? GroupState::kFailed : GroupState::kJoining) << joins;
      scene.expect_clean();
    }
  });
}

/// An agent that is started again has its SAs in the kernel and no keys: it asks for them.
TEST(SimJoins, AMemberThatStartsAgainIsKeyedAgain) {
  for_each_seed(10, [](std::uint64_t seed) {
    Scene scene(size_of(seed), seed);
    const GroupPlan plan = scene.plan();
    scene.key(plan);
    for (HostIndex host = 1; host < scene.world.size(); ++host) {
      if (!scene.chance.chance(500)) continue;
      scene.world.kill(host);
      scene.world.start(host);
    }
    scene.settle(plan);
    scene.expect_clean();
  });
}

/// Nobody is on its list, and nobody asks for an order: members that hear nothing ask.
TEST(SimJoins, AGroupWithoutAListComesBackWithItsController) {
  for_each_seed(4, [](std::uint64_t seed) {
    Scene scene(size_of(seed), seed);
    const GroupPlan plan = scene.plan(receiver_initiated(scene));
    scene.begin(plan);
    for (HostIndex host = 1; host < scene.world.size(); ++host) join(scene, host, plan);
    scene.settle(plan);
    scene.world.crash(0);
    scene.world.start(0);
    scene.key(plan);
    EXPECT_EQ(scene.world.view(0, plan)->members.size(), scene.world.size() - 1);
    scene.expect_clean();
  });
}

/// A host that was away for more rekeys than anybody keeps is keyed by the controller itself.
TEST(SimJoins, WhoMissedTooManyRekeysIsKeyedByTheController) {
  for_each_seed(3, [](std::uint64_t seed) {
    Scene scene(4, seed);
    auto options = scene.everybody();
    options.policy.actions = {"create", "rekey"};
    options.policy.rekey_interval_s = 60;
    options.policy.token_grace_s = 3600;
    const GroupPlan plan = scene.plan(options);
    scene.key(plan);
    scene.world.network().isolate(2);
    scene.world.run_for(seconds(60 * (protocol::kMaxKeptPackages + 3)));
    scene.world.network().reconnect(2);
    EXPECT_TRUE(scene.world.run_until(
        [&] { return scene.world.view(2, plan)->tuple == scene.world.view(0, plan)->tuple; },
        seconds(60)));
    EXPECT_GE(scene.world.wire().count(wire::MessageType::kRequestGroupJoin), 2U);
    scene.settle(plan);
    scene.expect_clean();
  });
}

/// Requests without the cookie cost a hash each, and change nothing.
TEST(SimJoins, AFloodFromInventedAddressesKeepsNothing) {
  for_each_seed(3, [](std::uint64_t seed) {
    Scene scene(5, seed);
    const GroupPlan plan = scene.plan(receiver_initiated(scene));
    scene.begin(plan);
    join(scene, 1, plan);
    scene.world.run_for(seconds(10));
    Bytes request;
    for (const auto& sent : scene.world.wire().sent()) {
      const auto datagram = wire::decode_datagram(sent.octets);
      if (datagram && datagram->header.type == wire::MessageType::kRequestGroupJoin) {
        request = sent.octets;
      }
    }
    ASSERT_FALSE(request.empty());
    const auto effects = scene.world.effects(0);
    for (int i = 0; i < 500; ++i) {
      const SocketAddress invented{Fleet::address(190), static_cast<std::uint16_t>(1000 + i)};
      scene.world.inject(0, invented, request);
    }
    EXPECT_EQ(scene.world.effects(0).saves, effects.saves);
    EXPECT_EQ(scene.world.effects(0).transmits, effects.transmits + 500) << "a cookie each";
    EXPECT_GE(count(scene.world, 0, protocol::kCookieWanted), 500U);
    for (HostIndex host = 2; host < scene.world.size(); ++host) join(scene, host, plan);
    scene.settle(plan);
    scene.expect_clean();
  });
}

}  // namespace
}  // namespace gkmpd::sim
