#include "tests/sim/key_rules.h"

namespace gkmpd::sim {

const GroupFacts* KeyRules::facts(const GroupId& group) const {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : &found->second;
}

const EpochFacts* KeyRules::epoch(const EpochId& id) const {
  const auto found = epochs_.find(id);
  return found == epochs_.end() ? nullptr : &found->second;
}

bool KeyRules::was_saved(HostIndex host, const GroupId& group, const EpochTuple& tuple) const {
  const auto saved = saved_.find({host, group});
  return saved != saved_.end() && saved->second.contains(tuple);
}

bool KeyRules::has_held_any(HostIndex host, const GroupId& group) const {
  return held_.contains({host, group});
}

void KeyRules::on_save_wanted(MonoTime now, HostIndex host, const protocol::SaveFloor& save) {
  const auto last = floors_.find({host, save.group});
  if (last == floors_.end()) return;
  const protocol::GroupFloor& held = last->second;
  if (save.floor.tuple < held.tuple || save.floor.token.version < held.token.version) {
    findings_.add(now, host, "floor-fell", save.floor.tuple.text() + " after " + held.tuple.text());
  }
}

void KeyRules::on_saved(HostIndex host, const GroupId& group, const protocol::GroupFloor& floor) {
  saved_[{host, group}].insert(floor.tuple);
  floors_[{host, group}] = floor;
}

void KeyRules::after_step(MonoTime now, HostIndex host, const protocol::Endpoint& endpoint) {
  for (const auto& [id, facts] : groups_) {
    const auto held = endpoint.held_keys(id);
    if (!held) continue;
    const auto before = held_.find({host, id});
    if (before == held_.end() || before->second != held->epoch_id) {
      on_keys(now, host, facts, endpoint, *held);
      continue;
    }
    const EpochFacts& first = epochs_.at(held->epoch_id);
    if (!equal(first.gtek, held->gtek.expose()) || !equal(first.gkek, held->gkek.expose())) {
      findings_.add(now, host, "same-tuple-same-keys", "the keys of an epoch changed");
    }
  }
}

void KeyRules::on_keys(MonoTime now, HostIndex host, const GroupFacts& facts,
                       const protocol::Endpoint& endpoint,
                       const protocol::Endpoint::HeldKeys& held) {
  const HostGroup place{host, facts.id};
  held_[place] = held.epoch_id;
  if (!facts.entitled.contains(host)) {
    findings_.add(now, host, "keys-only-to-members", "holds keys of " + facts.name);
  }
  const auto view = endpoint.group(facts.name);
  if (!view || !view->tuple || view->epoch_id != held.epoch_id) {
    findings_.add(now, host, "same-tuple-same-keys", "the view shows another epoch than is held");
    return;
  }
  const EpochTuple tuple = *view->tuple;
  const auto [last, first_ever] = held_tuple_.try_emplace(place, tuple);
  if (!first_ever && tuple < last->second) {
    findings_.add(now, host, "epoch-went-back",
                  tuple.text() + " after " + last->second.text() + " of " + facts.name);
  }
  last->second = tuple;
  if (!was_saved(host, facts.id, tuple)) {
    findings_.add(now, host, "keys-before-save", tuple.text() + " of " + facts.name);
  }

  const auto [named, fresh_tuple] = by_tuple_.try_emplace({facts.id, tuple}, held.epoch_id);
  const auto [epoch, fresh_epoch] = epochs_.try_emplace(
      held.epoch_id,
      EpochFacts{facts.id, tuple, to_bytes(held.gtek.expose()), to_bytes(held.gkek.expose())});
  if (named->second != held.epoch_id || epoch->second.group != facts.id ||
      epoch->second.tuple != tuple || !equal(epoch->second.gtek, held.gtek.expose()) ||
      !equal(epoch->second.gkek, held.gkek.expose())) {
    findings_.add(now, host, "same-tuple-same-keys",
                  "another epoch or other keys for " + tuple.text() + " of " + facts.name);
  }
}

void KeyRules::sweep(MonoTime now, HostIndex host, const std::vector<protocol::GroupView>& views) {
  for (const protocol::GroupView& view : views) {
    const GroupFacts* known = facts(view.id);
    if (known == nullptr || !view.epoch_id) continue;
    for (const protocol::MemberView& member : view.members) {
      if (member.state != protocol::MemberState::kKeyed) continue;
      const auto index = known->members.find(member.name);
      if (index == known->members.end() || !has_held_any(index->second, view.id)) {
        findings_.add(now, host, "keyed-without-keys", member.name + " in " + view.name);
      }
    }
  }
}

}  // namespace gkmpd::sim
