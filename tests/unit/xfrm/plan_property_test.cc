// Random plans run on a model of the kernel: they end where they should, and no step on the way
// lets cleartext out or names an outbound SA that is not there.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/unit/xfrm/specs.h"
#include "xfrm/plan.h"

namespace gkmpd::xfrm {
namespace {

/// Holds what the kernel holds and refuses what it refuses; on top, refuses what is unsafe.
class ModelKernel {
 public:
  ModelKernel(KernelState state, const KernelState& wanted) : state_(std::move(state)) {
    wanted_ = !wanted.policies.empty();
    if (wanted_) place_ = wanted.policies.front().destination;
    guard_stood_ = find(state_, PolicyKind::kGuard, place_) != nullptr;
  }

  /// What is wrong with the operation; empty if nothing.
  std::string run(const Operation& operation) {
    std::string wrong = std::visit([this](const auto& op) { return apply(op); }, operation);
    if (wrong.empty() && guard_went()) wrong = "guard is gone";
    return wrong;
  }

  [[nodiscard]] const KernelState& state() const { return state_; }

 private:
  [[nodiscard]] static const PolicyState* find(const KernelState& state, PolicyKind kind,
                                               const IpAddress& destination) {
    for (const PolicyState& policy : state.policies)
      if (policy.kind == kind && policy.destination == destination) return &policy;
    return nullptr;
  }
  /// The guard of the wanted place stood once and does not any more.
  [[nodiscard]] bool guard_went() {
    const bool stands = find(state_, PolicyKind::kGuard, place_) != nullptr;
    const bool went = guard_stood_ && !stands;
    guard_stood_ = stands;
    return went;
  }
  [[nodiscard]] bool covered(const IpAddress& destination) const {
    const PolicyState* guard = find(state_, PolicyKind::kGuard, destination);
    const PolicyState* in = find(state_, PolicyKind::kIn, destination);
    const PolicyState* in_guard = find(state_, PolicyKind::kInGuard, destination);
    return guard != nullptr && guard->regular && in != nullptr && in->regular &&
           in_guard != nullptr && in_guard->regular;
  }
  [[nodiscard]] bool outbound_stands(std::uint32_t reqid) const {
    return std::ranges::any_of(state_.sas,
                               [reqid](const SaState& sa) { return sa.reqid == reqid; });
  }

  std::string apply(const AddSa& op) {
    for (const SaState& sa : state_.sas)
      if (sa.spi == op.sa.spi && sa.destination == op.sa.destination) return "EEXIST";
    if (!covered(op.sa.destination)) return "SA before its guard and in policy";
    state_.sas.push_back(op.sa.clone());
    return {};
  }

  std::string apply(const DeleteSa& op) {
    const auto found = std::ranges::find_if(state_.sas, [&op](const SaState& sa) {
      return sa.id() == op.id && sa.source == op.source;
    });
    if (found == state_.sas.end()) return "ESRCH";
    const std::uint32_t reqid = found->reqid;
    state_.sas.erase(found);
    for (const PolicyState& policy : state_.policies)
      if (policy.kind == PolicyKind::kProtect && policy.reqid == reqid && !outbound_stands(reqid))
        return "a protect policy names the deleted SA";
    return {};
  }

  std::string apply(const PutPolicy& op) {
    if (op.policy.kind == PolicyKind::kProtect) {
      if (!outbound_stands(op.policy.reqid)) return "protect policy before its SA";
      if (!covered(op.policy.destination)) return "protect policy before the guard";
    }
    const auto same = std::ranges::find_if(state_.policies, [&op](const PolicyState& policy) {
      return policy.same_selector(op.policy);
    });
    if (op.replace) {
      if (same == state_.policies.end() || same->index != op.policy.index)
        return "UPDPOLICY of a policy that is not there";
      *same = op.policy;
      return {};
    }
    if (same != state_.policies.end()) return "EEXIST";
    for (const PolicyState& policy : state_.policies)
      if (policy.index == op.policy.index) return "index in use";
    state_.policies.push_back(op.policy);
    return {};
  }

  std::string apply(const DeletePolicy& op) {
    const auto found = std::ranges::find_if(state_.policies, [&op](const PolicyState& policy) {
      return policy.id() == op.policy.id();
    });
    if (found == state_.policies.end()) return "ENOENT";
    const bool goes = place_ != found->destination || !wanted_;
    if (found->kind != PolicyKind::kProtect && goes) {
      for (const SaState& sa : state_.sas)
        if (sa.destination == found->destination) return "guard or in policy before the last SA";
      if (find(state_, PolicyKind::kProtect, found->destination) != nullptr)
        return "guard or in policy before the protect policy";
    }
    state_.policies.erase(found);
    return {};
  }

  KernelState state_;
  IpAddress place_;
  bool wanted_ = false;  // something is to stand there in the end
  bool guard_stood_ = false;
};

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  std::uint32_t below(std::uint32_t limit) {
    return std::uniform_int_distribution<std::uint32_t>(0, limit - 1)(engine_);
  }
  bool chance(std::uint32_t one_in) { return below(one_in) == 0; }
  template <typename T>
  void shuffle(std::vector<T>& items) {
    std::ranges::shuffle(items, engine_);
  }

 private:
  std::mt19937_64 engine_;
};

/// The addresses of a family; hosts are `net` and a number.
struct Addresses {
  std::string group;
  std::string other_group;
  std::string net;
  std::string any;
};
const Addresses kIpv4{"239.1.1.1", "239.1.1.2", "10.9.0.", "0.0.0.0"};
const Addresses kIpv6{"ff05::1111", "ff05::1112", "fd09::", "::"};

void choose_suite(Dice& dice, GroupSpec& spec) {
  if (dice.chance(3)) {
    spec.sender_mode = SenderMode::kShared;
    spec.suite = dice.chance(2) ? EspSuite::kAesCbc128HmacSha256 : EspSuite::kNullHmacSha512;
    spec.replay_window = 0;
  } else {
    if (dice.chance(4)) spec.suite = kEspSuites[dice.below(kEspSuites.size())];
    spec.esn = dice.chance(4);
    spec.replay_window = dice.chance(8) ? 64 : kDefaultReplayWindow;
  }
}

SenderSa random_sa(Dice& dice, const GroupSpec& spec, const Addresses& addresses) {
  SenderSa sa = test::sender(0x100 + dice.below(8), addresses.net + "1", false,
                             static_cast<Generation>(dice.below(3)));
  sa.outbound = spec.own_source && dice.chance(2);
  if (!sa.outbound) sa.source = test::ip(addresses.net + std::to_string(2 + dice.below(3)));
  if (spec.sender_mode == SenderMode::kShared) sa.source = test::ip(addresses.any);
  sa.key = test::counting_key(dice.chance(6) ? 200 : static_cast<std::uint8_t>(sa.spi), spec.suite);
  return sa;
}

/// Few SPIs, sources and generations, so that two specs often clash.
GroupSpec random_spec(Dice& dice) {
  const Addresses& addresses = dice.chance(5) ? kIpv6 : kIpv4;
  GroupSpec spec;
  spec.group_name = "random";
  spec.slot = 3;
  spec.destination = test::ip(dice.chance(8) ? addresses.other_group : addresses.group);
  spec.port = dice.chance(6) ? 0 : 5000;
  if (dice.chance(6)) spec.attachment = {.interface = 5, .if_id = 7};
  if (dice.chance(6)) spec.attachment = {.interface = 6};
  choose_suite(dice, spec);
  if (!dice.chance(3)) spec.own_source = test::ip(addresses.net + "1");
  const std::uint32_t count = dice.below(7);
  for (std::uint32_t i = 0; i < count; ++i) {
    spec.senders.push_back(random_sa(dice, spec, addresses));
    if (!check(spec)) spec.senders.pop_back();
    if (!spec.senders.empty() && spec.senders.back().outbound && !dice.chance(3))
      spec.active_generation = spec.senders.back().generation;
  }
  return spec;
}

/// What others may have done to ours meanwhile.
void damage(Dice& dice, KernelState& state) {
  std::erase_if(state.sas, [&dice](const SaState&) { return dice.chance(5); });
  std::erase_if(state.policies, [&dice](const PolicyState&) { return dice.chance(5); });
  for (SaState& sa : state.sas)
    if (dice.chance(6)) sa.regular = false;
  for (PolicyState& policy : state.policies)
    if (dice.chance(6)) policy.regular = false;
  dice.shuffle(state.policies);
}

void expect_state(const KernelState& actual, const KernelState& wanted) {
  ASSERT_EQ(actual.sas.size(), wanted.sas.size());
  for (const SaState& sa : wanted.sas)
    EXPECT_TRUE(std::ranges::any_of(actual.sas, [&sa](const SaState& other) {
      return other.same_as(sa);
    })) << sa.id().text();
  ASSERT_EQ(actual.policies.size(), wanted.policies.size());
  for (const PolicyState& policy : wanted.policies)
    EXPECT_TRUE(std::ranges::find(actual.policies, policy) != actual.policies.end())
        << policy.id().text();
}

/// Each outbound SA that is installed has been burnt, unless all senders share it.
void expect_outbound_to_be_burnt(const std::vector<Stage>& stages) {
  const std::vector<std::uint32_t> burnt = new_outbound_spis(stages);
  std::size_t due = 0;
  for (const Stage& stage : stages) {
    for (const Operation& operation : stage.operations) {
      const auto* add = std::get_if<AddSa>(&operation);
      if (add == nullptr || !add->sa.outbound() || add->sa.source.is_unspecified()) continue;
      ++due;
      EXPECT_TRUE(std::ranges::find(burnt, add->sa.spi) != burnt.end()) << add->sa.id().text();
    }
  }
  EXPECT_EQ(burnt.size(), due);
}

const PolicyState* protection_of(const KernelState& state) {
  const auto found = std::ranges::find(state.policies, PolicyKind::kProtect, &PolicyState::kind);
  return found == state.policies.end() ? nullptr : &*found;
}

/// What stands in the end if the generations before are kept: `wanted`, the installed SAs at its
/// address whose generation and place it does not use, and a protect policy under one of those SAs
/// if it wants none.
KernelState with_kept(const KernelState& installed, const KernelState& wanted) {
  const IpAddress& place = wanted.policies.front().destination;
  KernelState out = wanted.clone();
  for (const SaState& sa : installed.sas) {
    const bool used = std::ranges::any_of(wanted.sas, [&sa](const SaState& other) {
      return other.spi == sa.spi ||
             generation_of_reqid(other.reqid) == generation_of_reqid(sa.reqid);
    });
    if (sa.destination == place && !used) out.sas.push_back(sa.clone());
  }
  const PolicyState* protection = protection_of(installed);
  if (protection != nullptr && protection_of(wanted) == nullptr && protection->regular &&
      protection->destination == place && std::ranges::any_of(out.sas, [&](const SaState& sa) {
        return sa.reqid == protection->reqid &&
               std::ranges::any_of(installed.sas,
                                   [&](const auto& other) { return other.same_as(sa); });
      }))
    out.policies.push_back(*protection);
  return out;
}

void run_once(std::uint64_t seed) {
  Dice dice(seed);
  KernelState installed = dice.chance(5) ? KernelState{} : wanted_state(random_spec(dice));
  const bool damaged = dice.chance(2);
  if (damaged) damage(dice, installed);
  const KernelState wanted = dice.chance(6) ? KernelState{} : wanted_state(random_spec(dice));

  ModelKernel kernel(installed.clone(), wanted);
  const Earlier earlier = !wanted.empty() && dice.chance(2) ? Earlier::kKeep : Earlier::kRemove;
  std::vector<Stage> stages = plan(installed, wanted, earlier);
  expect_outbound_to_be_burnt(stages);
  for (Stage& stage : stages) {
    ASSERT_FALSE(stage.operations.empty());
    // Within a stage the order must not matter.
    dice.shuffle(stage.operations);
    for (const Operation& operation : stage.operations) ASSERT_EQ(kernel.run(operation), "");
  }
  expect_state(kernel.state(),
               earlier == Earlier::kKeep ? with_kept(installed, wanted) : wanted.clone());
  EXPECT_TRUE(plan(kernel.state(), wanted, earlier).empty());
}

TEST(PlanProperty, EveryPlanIsSafeAtEachStepAndEndsAsWanted) {
  constexpr std::uint64_t kRuns = 20000;
  for (std::uint64_t seed = 1; seed <= kRuns; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    run_once(seed);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace gkmpd::xfrm
