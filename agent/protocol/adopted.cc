#include "agent/protocol/adopted.h"

#include <algorithm>

#include "agent/protocol/context.h"

namespace gkmpd::protocol {

AdoptedGroups::AdoptedGroups(const std::vector<AdoptedGroup>& groups, Now now) {
  for (const AdoptedGroup& group : groups) {
    groups_.try_emplace(group.id, Entry{group, now.mono + (group.memo.not_after - now.wall)});
  }
}

bool AdoptedGroups::supersede(const GroupId& group) {
  const auto found = groups_.find(group);
  if (found == groups_.end()) return false;
  const bool at_work = !found->second.expired;
  groups_.erase(found);
  return at_work;
}

std::vector<std::string> AdoptedGroups::expire(Now now) {
  std::vector<std::string> ended;
  for (auto& [id, entry] : groups_) {
    if (entry.expired || now.mono < entry.expire_at) continue;
    entry.expired = true;
    ended.push_back(entry.group.name);
  }
  return ended;
}

std::optional<MonoTime> AdoptedGroups::next_timeout() const {
  std::optional<MonoTime> earliest;
  for (const auto& [id, entry] : groups_) {
    if (!entry.expired) keep_earlier(earliest, entry.expire_at);
  }
  return earliest;
}

void AdoptedGroups::describe(std::vector<GroupView>& views) const {
  for (const auto& [id, entry] : groups_) {
    const AdoptedGroup& group = entry.group;
    auto view = std::ranges::find(views, id, &GroupView::id);
    if (view == views.end()) {
      view = views.emplace(views.end());
      view->id = id;
      view->name = group.name;
      view->role = group.memo.role;
      view->state = entry.expired ? GroupState::kExpired : GroupState::kAdopted;
      view->controller = group.memo.controller;
      view->data_address = group.data_address;
      view->data_port = group.data_port;
      view->control_multicast = group.memo.control_multicast;
      view->installed = group.missing.empty();
      view->install_error = group.missing;
    }
    view->tuple = group.memo.tuple;
    view->epoch_id = group.epoch_id;
    view->not_after = group.memo.not_after;
    view->sending = group.sending && !entry.expired;
  }
}

}  // namespace gkmpd::protocol
