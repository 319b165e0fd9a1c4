// Rules about who holds which keys, and about what was on disk before.
#pragma once

#include "agent/protocol/endpoint.h"
#include "tests/sim/findings.h"

namespace gkmpd::sim {

/// An epoch as the first host that held it showed it.
struct EpochFacts {
  GroupId group{};
  EpochTuple tuple;
  Bytes gtek;
  Bytes gkek;
};

/// keys-only-to-members: a host that is not entitled to a group never holds its keys.
/// same-tuple-same-keys: one tuple of a group has one epoch id, one GTEK and one GKEK everywhere.
/// epoch-went-back: the tuple that a host holds never falls, restarts included.
/// keys-before-save: a tuple was saved at a host before it holds that tuple's keys.
/// floor-fell: what a host asks to save is never below what it knows to be on disk.
/// keyed-without-keys: whom a controller calls keyed has held an epoch of the group.
class KeyRules {
 public:
  explicit KeyRules(Findings& findings) : findings_(findings) {}

  void watch(const GroupFacts& facts) { groups_[facts.id] = facts; }
  [[nodiscard]] const GroupFacts* facts(const GroupId& group) const;

  void on_save_wanted(MonoTime now, HostIndex host, const protocol::SaveFloor& save);
  /// The endpoint is told that `floor` is on disk: after a save, or at its start.
  void on_saved(HostIndex host, const GroupId& group, const protocol::GroupFloor& floor);
  void after_step(MonoTime now, HostIndex host, const protocol::Endpoint& endpoint);
  /// For what is too dear at each step.
  void sweep(MonoTime now, HostIndex host, const std::vector<protocol::GroupView>& views);

  /// Nothing if no host has shown the epoch yet.
  [[nodiscard]] const EpochFacts* epoch(const EpochId& id) const;
  [[nodiscard]] const std::map<EpochId, EpochFacts>& epochs() const { return epochs_; }
  [[nodiscard]] bool was_saved(HostIndex host, const GroupId& group, const EpochTuple& tuple) const;
  [[nodiscard]] bool has_held_any(HostIndex host, const GroupId& group) const;

 private:
  using HostGroup = std::pair<HostIndex, GroupId>;

  void on_keys(MonoTime now, HostIndex host, const GroupFacts& facts,
               const protocol::Endpoint& endpoint, const protocol::Endpoint::HeldKeys& held);

  Findings& findings_;
  std::map<GroupId, GroupFacts> groups_;
  std::map<EpochId, EpochFacts> epochs_;
  std::map<std::pair<GroupId, EpochTuple>, EpochId> by_tuple_;
  std::map<HostGroup, EpochId> held_;
  std::map<HostGroup, EpochTuple> held_tuple_;
  std::map<HostGroup, std::set<EpochTuple>> saved_;
  std::map<HostGroup, protocol::GroupFloor> floors_;  // the last of them
};

}  // namespace gkmpd::sim
