#include "agent/daemon/repair_schedule.h"

#include <algorithm>

namespace gkmpd::daemon {

std::optional<milliseconds> RepairSchedule::note(const IpAddress& address, MonoTime now,
                                                 Urgency urgency) {
  Place& place = places_[address];
  MonoTime soon = now + kRepairSettle;
  if (place.compared_at) soon = std::max(soon, *place.compared_at + kCompareSpacing);
  MonoTime due = soon;
  if (place.repaired_at && urgency == Urgency::kMayWait) {
    due = std::max(due, *place.repaired_at + place.wait);
  }
  const bool noted = place.due.has_value();
  place.due = noted ? std::min(*place.due, due) : due;
  if (noted || due == soon) return std::nullopt;
  return due - now;
}

std::optional<IpAddress> RepairSchedule::take_due(const std::vector<IpAddress>& all, MonoTime now) {
  std::erase_if(
      places_, [&](const auto& entry) { return std::ranges::find(all, entry.first) == all.end(); });
  if (now >= check_at_) {
    check_at_ = now + kCheckInterval;
    for (const IpAddress& address : all)
      (void)note(address, now - kRepairSettle, Urgency::kMayWait);
  }
  auto first = places_.end();
  for (auto it = places_.begin(); it != places_.end(); ++it) {
    const auto& due = it->second.due;
    if (due && now >= *due && (first == places_.end() || *due < *first->second.due)) first = it;
  }
  if (first == places_.end()) return std::nullopt;
  first->second.due.reset();
  first->second.compared_at = now;
  return first->first;
}

void RepairSchedule::repaired(const IpAddress& address, MonoTime now) {
  Place& place = places_[address];
  const bool again = place.repaired_at && now - *place.repaired_at < kRepairCalm;
  place.wait = again ? std::min(place.wait * 2, kRepairWaitMax) : kRepairWaitFirst;
  place.repaired_at = now;
}

MonoTime RepairSchedule::next() const {
  MonoTime earliest = check_at_;
  for (const auto& [address, place] : places_) {
    if (place.due) earliest = std::min(earliest, *place.due);
  }
  return earliest;
}

}  // namespace gkmpd::daemon
