#include "xfrm/plan.h"

#include <algorithm>
#include <utility>

namespace gkmpd::xfrm {
namespace {

const PolicyState* find_policy(const KernelState& state, const ObjectId& id) {
  const auto found = std::find_if(state.policies.begin(), state.policies.end(),
                                  [&id](const PolicyState& policy) { return policy.id() == id; });
  return found == state.policies.end() ? nullptr : &*found;
}

const PolicyState* find_policy(const KernelState& state, PolicyKind kind) {
  const auto found =
      std::find_if(state.policies.begin(), state.policies.end(),
                   [kind](const PolicyState& policy) { return policy.kind == kind; });
  return found == state.policies.end() ? nullptr : &*found;
}

/// The SA that the kernel holds at the destination and SPI of `sa`: it has room for one only.
const SaState* find_sa_at(const KernelState& state, const SaState& sa) {
  const auto found =
      std::find_if(state.sas.begin(), state.sas.end(), [&sa](const SaState& candidate) {
        return candidate.spi == sa.spi && candidate.destination == sa.destination;
      });
  return found == state.sas.end() ? nullptr : &*found;
}

/// Builds the stages from top to bottom.
class Planner {
 public:
  Planner(const KernelState& installed, const KernelState& wanted, Earlier earlier)
      : installed_(installed), wanted_(wanted), earlier_(earlier) {}

  std::vector<Stage> run() {
    remove_other_destinations();
    put_standing_policies();
    withdraw_protection();
    for (const bool outbound : {false, true}) {
      clear_places(outbound);
      add_sas(outbound);
    }
    put_protection();
    remove_sas();
    remove_standing_policies();
    return std::move(stages_);
  }

 private:
  void add(Operation operation) { current_.operations.push_back(std::move(operation)); }
  void end_stage() {
    if (!current_.operations.empty()) stages_.push_back(std::exchange(current_, {}));
  }

  [[nodiscard]] bool same_place(const IpAddress& destination) const {
    return wanted_.policies.empty() || wanted_.policies.front().destination == destination;
  }

  /// A group that moved: indexes are by slot, so the policies of the former address must go before
  /// those of the new one can come.
  void remove_other_destinations() {
    for (const PolicyState& policy : installed_.policies)
      if (policy.kind == PolicyKind::kProtect && !same_place(policy.destination))
        add(DeletePolicy{policy});
    end_stage();
    for (const SaState& sa : installed_.sas)
      if (!same_place(sa.destination)) add(DeleteSa{sa.id(), sa.source, sa.attachment});
    end_stage();
    for (const PolicyState& policy : installed_.policies)
      if (policy.kind != PolicyKind::kProtect && !same_place(policy.destination))
        add(DeletePolicy{policy});
    end_stage();
  }

  /// Everything but the protect policy. What has its selector already is changed in place, without
  /// a moment when it is not there; of the others the guards take the place meanwhile.
  void put_standing_policies() {
    for (const PolicyState& standing : installed_.policies)
      if (standing.kind != PolicyKind::kProtect && is_in_the_way(standing))
        add(DeletePolicy{standing});
    end_stage();
    // In one stage: whatever is refused of it, the guards are tried.
    for (const PolicyState& wanted : wanted_.policies)
      if (wanted.kind != PolicyKind::kProtect) put(wanted);
    end_stage();
  }

  /// The kernel has room for one policy of an index, and for one of a selector.
  [[nodiscard]] bool is_in_the_way(const PolicyState& standing) const {
    return std::ranges::any_of(wanted_.policies, [&](const PolicyState& wanted) {
      return (standing.id() == wanted.id()) != standing.same_selector(wanted);
    });
  }

  void put(const PolicyState& wanted) {
    const PolicyState* standing = find_policy(installed_, wanted.id());
    const bool replace = standing != nullptr && standing->same_selector(wanted);
    if (!replace || *standing != wanted) add(PutPolicy{wanted, replace});
  }

  /// A protect policy goes before anything else where it is not wanted, cannot be changed in place,
  /// or names an SA that is missing or has to be replaced under it. The guard blocks meanwhile.
  void withdraw_protection() {
    const PolicyState* wanted = find_policy(wanted_, PolicyKind::kProtect);
    for (const PolicyState& standing : installed_.policies) {
      if (standing.kind != PolicyKind::kProtect || !same_place(standing.destination)) continue;
      const bool stays = wanted == nullptr
                             ? named_sa_is_kept(standing.reqid)
                             : standing.id() == wanted->id() && standing.same_selector(*wanted) &&
                                   named_sa_stays(standing.reqid);
      if (stays && standing.regular)
        standing_protection_ = &standing;
      else
        add(DeletePolicy{standing});
    }
    end_stage();
  }

  /// The SA of that reqid stands until the protect policy has been switched.
  [[nodiscard]] bool named_sa_stays(std::uint32_t reqid) const {
    return std::any_of(installed_.sas.begin(), installed_.sas.end(), [&](const SaState& sa) {
      if (sa.reqid != reqid || !same_place(sa.destination)) return false;
      const SaState* wanted = find_sa_at(wanted_, sa);
      return wanted == nullptr || wanted->same_as(sa);
    });
  }

  /// The SA of that reqid stands when all is done, although no protect policy is wanted.
  [[nodiscard]] bool named_sa_is_kept(std::uint32_t reqid) const {
    if (earlier_ == Earlier::kRemove) return false;
    return std::ranges::any_of(installed_.sas, [&](const SaState& sa) {
      if (sa.reqid != reqid || !same_place(sa.destination)) return false;
      const SaState* wanted = find_sa_at(wanted_, sa);
      return wanted == nullptr ? is_kept(sa) : wanted->same_as(sa);
    });
  }

  /// Takes out what stands at the place of a wanted SA but differs from it: UPDSA changes no keys.
  void clear_places(bool outbound) {
    for (const SaState& wanted : wanted_.sas) {
      if (wanted.outbound() != outbound) continue;
      const SaState* standing = find_sa_at(installed_, wanted);
      if (standing != nullptr && !standing->same_as(wanted))
        add(DeleteSa{standing->id(), standing->source, standing->attachment});
    }
    end_stage();
  }

  void add_sas(bool outbound) {
    for (const SaState& wanted : wanted_.sas) {
      if (wanted.outbound() != outbound) continue;
      const SaState* standing = find_sa_at(installed_, wanted);
      if (standing == nullptr || !standing->same_as(wanted))
        add(AddSa{going_on_from(standing, wanted)});
    }
    end_stage();
  }

  /// What stood under the same key tells what must not be received again (profile S16).
  [[nodiscard]] static SaState going_on_from(const SaState* standing, const SaState& wanted) {
    SaState sa = wanted.clone();
    const bool same_key = standing != nullptr && standing->suite == sa.suite &&
                          standing->esn == sa.esn && standing->may_have_key(sa.key) &&
                          (standing->regular || !standing->key.empty());
    if (same_key && !sa.outbound() && sa.replay_window != 0)
      sa.last_received = std::max(sa.last_received, standing->last_received);
    return sa;
  }

  void put_protection() {
    const PolicyState* wanted = find_policy(wanted_, PolicyKind::kProtect);
    if (wanted == nullptr) return;
    if (standing_protection_ != nullptr && *standing_protection_ == *wanted) return;
    add(PutPolicy{*wanted, standing_protection_ != nullptr});
    end_stage();
  }

  void remove_sas() {
    for (const SaState& sa : installed_.sas)
      if (same_place(sa.destination) && find_sa_at(wanted_, sa) == nullptr && !is_kept(sa))
        add(DeleteSa{sa.id(), sa.source, sa.attachment});
    end_stage();
  }

  [[nodiscard]] bool is_kept(const SaState& sa) const {
    const auto same_generation = [&sa](const SaState& wanted) {
      return generation_of_reqid(wanted.reqid) == generation_of_reqid(sa.reqid);
    };
    return earlier_ == Earlier::kKeep && std::ranges::none_of(wanted_.sas, same_generation);
  }

  void remove_standing_policies() {
    for (const PolicyState& policy : installed_.policies)
      if (policy.kind != PolicyKind::kProtect && same_place(policy.destination) &&
          find_policy(wanted_, policy.id()) == nullptr && !is_in_the_way(policy))
        add(DeletePolicy{policy});
    end_stage();
  }

  const KernelState& installed_;
  const KernelState& wanted_;
  Earlier earlier_;
  const PolicyState* standing_protection_ = nullptr;
  Stage current_;
  std::vector<Stage> stages_;
};

}  // namespace

std::vector<Stage> plan(const KernelState& installed, const KernelState& wanted, Earlier earlier) {
  return Planner(installed, wanted, earlier).run();
}

std::vector<std::uint32_t> new_outbound_spis(const std::vector<Stage>& stages) {
  std::vector<std::uint32_t> spis;
  for (const Stage& stage : stages) {
    for (const Operation& operation : stage.operations) {
      const auto* added = std::get_if<AddSa>(&operation);
      if (added != nullptr && added->sa.outbound() && !added->sa.shared())
        spis.push_back(added->sa.spi);
    }
  }
  return spis;
}

}  // namespace gkmpd::xfrm
