#include "tests/sim/scene.h"

#include <algorithm>
#include <cstdlib>

namespace gkmpd::sim {
namespace {

WorldOptions drawn(std::uint64_t seed) {
  Prng chance(seed + 31);
  return options_of(seed, draw_weather(chance));
}

}  // namespace

Scene::Scene(std::size_t size, WorldOptions options)
    : world(options), chance(options.seed + 17), seed_(options.seed) {
  for (std::size_t i = 0; i < size; ++i) world.add(Fleet::shared().good(i));
}

Scene::Scene(std::size_t size, std::uint64_t seed) : Scene(size, drawn(seed)) {}

HostIndex Scene::add_flawed(Flaw flaw) {
  const HostIndex host = world.add(Fleet::shared().flawed(flaw, world.size()));
  flawed_.insert(host);
  if (flaw == Flaw::kOtherName) list_names_[host] = Fleet::kAbsentName;
  return host;
}

Fleet::PlanOptions Scene::everybody() const {
  Fleet::PlanOptions options;
  options.policy.activation_delay_ms = 500;
  options.sender_count = 2;
  options.refused = flawed_;
  options.list_names = list_names_;
  for (HostIndex host = 1; host < world.size(); ++host) options.listed.push_back(host);
  return options;
}

GroupPlan Scene::plan(Fleet::PlanOptions options) {
  if (options.listed.empty() && options.joiners.empty()) options = everybody();
  GroupPlan plan = Fleet::shared().plan(seed_ + chance.next(), world, std::move(options));
  world.watch(plan);
  return plan;
}

void Scene::begin(const GroupPlan& plan) {
  const auto started = world.command(plan);
  EXPECT_TRUE(started) << (started ? "" : started.error().text());
}

void Scene::key(const GroupPlan& plan, const std::set<HostIndex>& except) {
  begin(plan);
  settle(plan, except);
}

void Scene::settle(const GroupPlan& plan, const std::set<HostIndex>& except) {
  EXPECT_TRUE(world.run_until([&] { return world.is_settled(plan, except); }, kSettleLimit))
      << "not everybody was keyed in time\n"
      << world.findings().text();
}

void Scene::expect_clean() {
  world.finish();
  EXPECT_TRUE(world.findings().none()) << world.findings().text();
}

protocol::MemberView Scene::member(const GroupPlan& plan, HostIndex host) const {
  const auto view = world.view(plan.controller, plan);
  for (const auto& [name, index] : plan.facts.members) {
    if (index != host || !view) continue;
    const auto found = std::ranges::find(view->members, name, &protocol::MemberView::name);
    if (found != view->members.end()) return *found;
  }
  ADD_FAILURE() << "the controller does not show host " << host;
  return {};
}

protocol::GroupState Scene::state(HostIndex host, const GroupPlan& plan) const {
  const auto view = world.view(host, plan);
  if (!view) ADD_FAILURE() << "host " << host << " does not show the group";
  return view ? view->state : protocol::GroupState::kFailed;
}

}  // namespace gkmpd::sim
