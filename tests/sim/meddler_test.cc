// Somebody on the path, at every step of figures 1 and 2: nothing is accepted that was not meant,
// and everybody is keyed by retransmission once it stops.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/sim/on_path.h"
#include "tests/sim/scene.h"

namespace gkmpd::sim {
namespace {

using meddler::Action;
using meddler::all_steps;
using meddler::kAllActions;
using meddler::Meddler;
using meddler::Order;
using meddler::Step;
using testing::Contains;
using testing::Key;

/// Before a first member would be given up, and before another is asked again: what is keyed in
/// this time was keyed by the exchange that was meddled with.
constexpr milliseconds kRetransmissionsAlone{10'000};
/// A member has forgotten every exchange by then.
constexpr milliseconds kForgotten{65'000};
constexpr std::size_t kHosts = 3;

meddler::Options draws_of(std::uint64_t seed) {
  return {.draw = [chance = Prng(seed + 91)](std::size_t bound) mutable {
    return static_cast<std::size_t>(chance.below(bound));
  }};
}

/// What must stay as it is whatever arrives after the exchanges.
struct Standing {
  std::optional<EpochId> held;
  std::uint64_t saves = 0;
  std::uint64_t installs = 0;
  friend bool operator==(const Standing&, const Standing&) = default;
};

std::vector<Standing> standing(const World& world, const std::vector<GroupPlan>& plans) {
  std::vector<Standing> all;
  for (HostIndex host = 0; host < world.size(); ++host) {
    const auto& effects = world.effects(host);
    for (const GroupPlan& plan : plans) {
      const auto held = world.endpoint(host).held_keys(plan.id());
      all.push_back(
          {held ? std::optional(held->epoch_id) : std::nullopt, effects.saves, effects.installs});
    }
  }
  return all;
}

/// A group of all hosts, number `number` of the scene, with addresses and a prefix of its own; of a
/// width drawn from the scene.
GroupPlan plan_group(Scene& scene, std::size_t number, HostIndex controller) {
  auto wanted = scene.everybody();
  draw_width(wanted.policy, scene.chance);
  const std::string text = std::to_string(number);
  const std::string stem =
      wanted.policy.address.starts_with("ff") ? "ff15::" + text + ":" : "239.1." + text + ".";
  wanted.policy.group = "g" + text;
  wanted.policy.address = stem + "1";
  wanted.policy.control_address = stem + "2";
  wanted.policy.spi_prefix = static_cast<std::uint32_t>(number);
  // Each is a signature, and a check at each host.
  wanted.policy.heartbeat_interval_ms = 3000;
  wanted.controller = controller;
  wanted.listed.clear();
  for (HostIndex host = 0; host < scene.world.size(); ++host) {
    if (host != controller) wanted.listed.push_back(host);
  }
  return scene.plan(wanted);
}

/// A world with a meddler on its paths. The meddler gets its orders when the groups have ids.
class Meddled {
 public:
  Meddled(std::size_t size, WorldOptions options, OnPath::Mislabel mislabel = {})
      : seed_(options.seed),
        on_path_(meddler_, std::move(mislabel)),
        scene_(size, on_path_.into(std::move(options))) {
    on_path_.attach(scene_.world);
  }

  void add_group(HostIndex controller) {
    plans_.push_back(plan_group(scene_, plans_.size() + 1, controller));
  }
  void order(std::vector<Order> orders) { meddler_ = Meddler(std::move(orders), draws_of(seed_)); }

  void key() {
    for (const GroupPlan& plan : plans_) scene_.begin(plan);
    for (const GroupPlan& plan : plans_) scene_.settle(plan);
  }

  /// What the meddler still has comes now, and changes nothing.
  void expect_release_changes_nothing() {
    scene_.world.run_for(seconds(2));
    const auto before = standing(scene_.world, plans_);
    on_path_.release();
    scene_.world.run_for(seconds(2));
    EXPECT_EQ(standing(scene_.world, plans_), before);
  }

  [[nodiscard]] Scene& scene() { return scene_; }
  [[nodiscard]] World& world() { return scene_.world; }
  [[nodiscard]] const std::vector<GroupPlan>& plans() const { return plans_; }
  [[nodiscard]] const Meddler& meddler() const { return meddler_; }
  [[nodiscard]] const OnPath& on_path() const { return on_path_; }

 private:
  std::uint64_t seed_;
  Meddler meddler_{{}, {}};
  OnPath on_path_;
  Scene scene_;
  std::vector<GroupPlan> plans_;
};

unsigned delivered(const meddler::Outcome& outcome) {
  return std::accumulate(outcome.deliveries.begin(), outcome.deliveries.end(), 0U,
                         [](unsigned sum, const auto& entry) { return sum + entry.second; });
}

/// How many deliveries come of one datagram, for all actions but a tampering and a truncation,
/// whose copies depend on the message.
unsigned deliveries_of(Action action) {
  switch (action) {
    case Action::kReflect:
    case Action::kHoldBack:
    case Action::kDelay:
      return 1;
    case Action::kReplay:
      return 3;
    case Action::kSwap:
      return 4;
    default:
      return 0;
  }
}

using Drops = std::map<std::string_view, std::uint64_t>;

/// One thing done to one step in one of two groups of the same hosts.
void meddle(std::uint64_t seed, Step step, Action action, Drops& drops) {
  SCOPED_TRACE(step.text() + " " + std::string(to_text(action)));
  WorldOptions options;
  options.seed = seed;
  Meddled run(kHosts, options);
  run.add_group(0);
  run.add_group(run.scene().chance.below(kHosts));
  // What is replayed arrives, so that there may be no second of it.
  const unsigned times =
      action == Action::kReplay ? 1 : static_cast<unsigned>(1 + Prng(seed).below(2));
  run.order({{run.plans()[0].id(), step, action, 1, times}});

  const MonoTime start = run.world().now();
  run.key();
  EXPECT_LT(run.world().now() - start, kRetransmissionsAlone);
  EXPECT_TRUE(run.meddler().finished());
  run.expect_release_changes_nothing();
  if (action == Action::kReplay) {
    run.world().run_for(kForgotten);
    run.expect_release_changes_nothing();
  }

  const meddler::Outcome& outcome = run.meddler().outcomes()[0];
  EXPECT_EQ(outcome.done, times);
  EXPECT_GE(delivered(outcome), times * deliveries_of(action));
  const bool alters = action == Action::kTamper || action == Action::kTruncate ||
                      action == Action::kReflect || action == Action::kSwap;
  EXPECT_EQ(run.on_path().altered() > 0, alters);
  for (const auto& [name, count] : run.on_path().drops()) drops[name] += count;
  run.scene().expect_clean();
}

TEST(SimMeddler, EveryActionAtEveryStepIsHarmless) {
  Drops drops;
  for_each_seed(1, [&](std::uint64_t seed) {
    std::uint64_t run = seed * 1000;
    for (const Step step : all_steps()) {
      for (const Action action : kAllActions) meddle(++run, step, action, drops);
    }
  });
  for (const auto& [name, count] : drops) {
    RecordProperty(std::string(name), std::to_string(count));
  }
  // Each region of a datagram has an error of its own.
  for (const char* name :
       {"wire.truncated", "wire.bad-magic", "wire.unknown-version", "wire.unknown-suite",
        "wire.unknown-type", "wire.unknown-role", "wire.unknown-flag", "wire.bad-fragment",
        "protocol.own-group", "protocol.unknown-exchange", "protocol.unknown-group",
        "protocol.stale-retransmission", "crypto.bad-seal", "crypto.bad-signature"}) {
    EXPECT_THAT(drops, Contains(Key(name)));
  }
}

Order draw_order(Prng& chance, const GroupPlan& plan) {
  const auto steps = all_steps();
  return {plan.id(), steps[chance.below(steps.size())],
          kAllActions[chance.below(kAllActions.size())],
          static_cast<unsigned>(chance.between(1, 3)), static_cast<unsigned>(chance.between(1, 3))};
}

/// Several groups, several orders in each, bad weather.
TEST(SimMeddler, ManyOrdersAtOnceAreHarmless) {
  std::uint64_t done = 0;
  for_each_seed(16, [&](std::uint64_t seed) {
    Prng chance(seed + 7);
    Meddled run(chance.log_uniform(2, 6), options_of(seed, draw_weather(chance)));
    const auto groups = static_cast<std::size_t>(chance.between(1, 3));
    std::vector<Order> orders;
    for (std::size_t i = 0; i < groups; ++i) {
      run.add_group(chance.below(run.world().size()));
      for (std::uint64_t left = chance.below(8); left > 0; --left) {
        orders.push_back(draw_order(chance, run.plans().back()));
      }
    }
    run.order(std::move(orders));
    run.key();
    run.expect_release_changes_nothing();
    for (const meddler::Outcome& outcome : run.meddler().outcomes()) done += outcome.done;
    run.scene().expect_clean();
  });
  EXPECT_GT(done, 0U);
}

// --- Canaries: what the rules for a meddler have to notice --------------------------------------

/// Messages that are called altered, and are not.
TEST(SimMeddler, WhatIsTakenThoughItCountsAsAlteredIsNoticed) {
  WorldOptions options;
  options.seed = 1;
  Meddled run(2, options, [](meddler::Delivery& delivery) {
    delivery.nature = meddler::Delivery::Nature::kAltered;
  });
  run.add_group(0);
  run.scene().begin(run.plans()[0]);
  EXPECT_FALSE(run.world().run_until([] { return false; }, seconds(1)));
  EXPECT_TRUE(run.world().findings().has("altered-taken"));
  EXPECT_TRUE(run.world().findings().has("altered-uncounted"));
}

/// It stands on every path, and what it does to a message matters.
TEST(SimMeddler, AMeddlerThatDoesNotStopKeepsAGroupFromItsKeys) {
  for (const Action action : kAllActions) {
    if (action == Action::kReplay || action == Action::kHoldBack) continue;  // let messages through
    WorldOptions options;
    options.seed = 1;
    Meddled run(2, options);
    run.add_group(0);
    run.order({{run.plans()[0].id(), {1, 4}, action, 1, 1000}});
    run.scene().begin(run.plans()[0]);
    run.world().run_for(seconds(300));
    EXPECT_EQ(run.scene().state(0, run.plans()[0]), protocol::GroupState::kFailed);
    EXPECT_FALSE(run.world().holds_keys(1, run.plans()[0]));
    run.scene().expect_clean();
  }
}

}  // namespace
}  // namespace gkmpd::sim
