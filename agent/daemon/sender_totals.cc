#include "agent/daemon/sender_totals.h"

namespace gkmpd::daemon {

SenderTotals::Reading SenderTotals::reading_of(const xfrm::SaUsage& usage) {
  return {.added_at_s = usage.added_at_s,
          .packets = usage.packets,
          .octets = usage.octets,
          .replayed = usage.replayed,
          .behind_window = usage.behind_window,
          .forged = usage.forged};
}

bool SenderTotals::goes_on(const Reading& before, const Reading& now) {
  const auto grew = [](std::uint32_t from, std::uint32_t to) {
    return static_cast<std::int32_t>(to - from) >= 0;
  };
  return before.added_at_s == now.added_at_s && before.packets <= now.packets &&
         before.octets <= now.octets && grew(before.replayed, now.replayed) &&
         grew(before.behind_window, now.behind_window) && grew(before.forged, now.forged);
}

void SenderTotals::look(const std::vector<SaView>& standing) {
  std::map<xfrm::ObjectId, Reading> readings;
  for (const SaView& sa : standing) {
    const Reading now = reading_of(sa.usage);
    const auto known = last_.find(sa.usage.id);
    const Reading before =
        known != last_.end() && goes_on(known->second, now) ? known->second : Reading{};
    SenderView& total = totals_[sa.group][sa.usage.source];
    total.address = sa.usage.source;
    if (!sa.sender.empty()) total.name = sa.sender;
    total.packets += now.packets - before.packets;
    total.octets += now.octets - before.octets;
    // The kernel counts these in 32 bits: the difference holds over their end, too.
    total.replayed += std::uint32_t{now.replayed - before.replayed};
    total.behind_window += std::uint32_t{now.behind_window - before.behind_window};
    total.forged += std::uint32_t{now.forged - before.forged};
    readings.emplace(sa.usage.id, now);
  }
  last_ = std::move(readings);
}

void SenderTotals::keep_only(const std::set<std::string>& groups) {
  std::erase_if(totals_, [&](const auto& entry) { return !groups.contains(entry.first); });
}

std::vector<SenderView> SenderTotals::of(const std::string& group) const {
  std::vector<SenderView> out;
  const auto found = totals_.find(group);
  if (found == totals_.end()) return out;
  for (const auto& [address, total] : found->second) out.push_back(total);
  return out;
}

}  // namespace gkmpd::daemon
