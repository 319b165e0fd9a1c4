// A world of good hosts with one group, or several, and what tests do with it again and again.
#pragma once

#include <gtest/gtest.h>

#include "tests/sim/fleet.h"
#include "tests/sim/seeds.h"

namespace gkmpd::sim {

class Scene {
 public:
  /// `size` good hosts, number 0 being meant as the controller.
  Scene(std::size_t size, WorldOptions options);
  /// The same with weather drawn from the seed.
  Scene(std::size_t size, std::uint64_t seed);

  /// A flawed host, listed by the plans that come later.
  HostIndex add_flawed(Flaw flaw);

  /// A group of all hosts, watched by the rules. Draws what `policy` leaves to chance.
  GroupPlan plan(Fleet::PlanOptions options = {});
  /// The options that list every host but the controller.
  [[nodiscard]] Fleet::PlanOptions everybody() const;

  void begin(const GroupPlan& plan);
  /// Begins, and waits until everybody but `except` is keyed.
  void key(const GroupPlan& plan, const std::set<HostIndex>& except = {});
  void settle(const GroupPlan& plan, const std::set<HostIndex>& except = {});
  /// The run is over, and nothing was wrong with it.
  void expect_clean();

  /// What the controller says of a member.
  [[nodiscard]] protocol::MemberView member(const GroupPlan& plan, HostIndex host) const;
  [[nodiscard]] protocol::GroupState state(HostIndex host, const GroupPlan& plan) const;

  World world;
  Prng chance;

 private:
  std::uint64_t seed_;
  std::set<HostIndex> flawed_;
  std::map<HostIndex, std::string> list_names_;
};

}  // namespace gkmpd::sim
