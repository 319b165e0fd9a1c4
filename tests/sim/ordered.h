// A group that a commander on another host orders, and what tests ask of it again and again.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/sim/scene.h"

namespace gkmpd::sim {

inline constexpr std::size_t kMostHosts = 12;
inline constexpr std::size_t kCommanderAt = 180;  // its address is that of this host

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

/// Every datagram of the run, to every agent, in any order, from where it came and from elsewhere.
inline void replay_everything(Ordered& ordered) {
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

}  // namespace gkmpd::sim
