#include "agent/protocol/adopted.h"

#include <algorithm>

#include "agent/protocol/context.h"

namespace gkmpd::protocol {

AdoptedGroups::AdoptedGroups(const std::vector<AdoptedGroup>& groups, Now now) {
  for (const AdoptedGroup& group : groups) {
    groups_.try_emplace(group.id,
                        Entry{.group = group,
                              .activate_at = now.mono + (group.memo.activate_at - now.wall),
                              .release_at = now.mono + (group.memo.release_at - now.wall),
                              .expire_at = now.mono + (group.memo.not_after - now.wall),
                              .ask_at = now.mono});
  }
}

std::optional<AdoptedGroups::Times> AdoptedGroups::supersede(const GroupId& group) {
  const auto found = groups_.find(group);
  if (found == groups_.end()) return std::nullopt;
  const Entry entry = std::move(found->second);
  groups_.erase(found);
  if (entry.expired()) return std::nullopt;
  return Times{entry.group.epoch_id, entry.activate_at, entry.release_at};
}

void AdoptedGroups::keep_ended(AdoptedGroup group) {
  const GroupId id = group.id;
  groups_.insert_or_assign(id, Entry{.group = std::move(group),
                                     .activate_at = {},
                                     .release_at = {},
                                     .expire_at = {},
                                     .keep = Keep::kClosed,
                                     .ask_at = {}});
}

Keep AdoptedGroups::Entry::keep_at(MonoTime now) const {
  if (expired() || now >= expire_at) return Keep::kClosed;
  if (now >= release_at) return Keep::kNewest;
  return now >= activate_at ? Keep::kSwitched : Keep::kBoth;
}

MonoTime AdoptedGroups::Entry::changes_at() const {
  switch (keep) {
    case Keep::kBoth:
      return std::min({activate_at, release_at, expire_at});
    case Keep::kSwitched:
      return std::min(release_at, expire_at);
    case Keep::kNewest:
    case Keep::kClosed:
      return expire_at;
  }
  return expire_at;
}

void AdoptedGroups::ask(Context& context, Entry& entry, bool repair) {
  entry.ask_at.reset();
  entry.asked = context.next_id++;
  context.out.event(KeepGroup{*entry.asked, entry.group.id, entry.keep, repair});
}

void AdoptedGroups::handle_timeout(Context& context, Now now) {
  for (auto& [id, entry] : groups_) {
    const Keep keep = entry.keep_at(now.mono);
    const bool due = entry.ask_at && now.mono >= *entry.ask_at;
    if (keep == entry.keep && !due) continue;
    if (keep == Keep::kClosed && !entry.expired()) {
      context.out.report({Report::Level::kWarning, "epoch-expired", entry.group.name, "",
                          "no traffic until the group is created again"});
    }
    const bool repair = keep == entry.keep;
    entry.keep = keep;
    ask(context, entry, repair);
  }
}

void AdoptedGroups::handle_kernel_change(Context& context, const IpAddress& data_address) {
  for (auto& [id, entry] : groups_) {
    if (entry.group.data_address == data_address) ask(context, entry, /*repair=*/true);
  }
}

void AdoptedGroups::handle_kept(Context& context, Now now, InstallId id,
                                const Result<Kept>& outcome) {
  const auto found =
      std::ranges::find_if(groups_, [&](const auto& each) { return each.second.asked == id; });
  if (found == groups_.end()) return;
  Entry& entry = found->second;
  entry.asked.reset();
  if (outcome) {
    entry.group.sending = outcome->sending;
    entry.group.missing = outcome->missing;
    entry.retry_wait = kRetryInstallFirst;
    return;
  }
  entry.group.missing = outcome.error().text();
  entry.ask_at = now.mono + entry.retry_wait;
  entry.retry_wait = std::min(entry.retry_wait * 2, kRetryInstallMax);
  context.out.count(outcome.error().kind);
  context.out.report(
      {Report::Level::kError, "install-failed", entry.group.name, "", entry.group.missing});
}

std::optional<MonoTime> AdoptedGroups::next_timeout() const {
  std::optional<MonoTime> earliest;
  for (const auto& [id, entry] : groups_) {
    keep_earlier(earliest, entry.ask_at);
    if (entry.expired()) continue;
    keep_earlier(earliest, entry.changes_at());
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
      view->state = entry.expired() ? GroupState::kExpired : GroupState::kAdopted;
      view->controller = group.memo.controller;
      view->data_address = group.data_address;
      view->data_port = group.data_port;
      view->control_multicast = group.memo.control_multicast;
      view->installed = group.missing.empty();
      view->install_error = group.missing;
    } else if (entry.expired()) {
      continue;
    }
    view->tuple = group.memo.tuple;
    view->epoch_id = group.epoch_id;
    view->not_after = group.memo.not_after;
    view->sending = group.sending && !entry.expired();
  }
}

}  // namespace gkmpd::protocol
