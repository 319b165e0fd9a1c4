// What passed under a group's SAs and what was dropped, for each sender and over all epochs. Pure:
// the kernel's readings are arguments.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/daemon/views.h"

namespace gkmpd::daemon {

/// Sums that only grow, from the first look at a group's SAs on. The kernel counts each SA by
/// itself and forgets with it: what passed between the last look at an SA and its end is not here.
class SenderTotals {
 public:
  /// Takes in what the kernel counts of all SAs of ours that stand.
  void look(const std::vector<SaView>& standing);

  /// Forgets groups of other names.
  void keep_only(const std::set<std::string>& groups);

  /// Of a group, by address. Without a name where the agent never had the keys of one of the
  /// sender's SAs, or the SA is any sender's.
  [[nodiscard]] std::vector<SenderView> of(const std::string& group) const;

 private:
  struct Reading {
    std::uint64_t added_at_s = 0;
    std::uint64_t packets = 0;
    std::uint64_t octets = 0;
    std::uint32_t replayed = 0;
    std::uint32_t behind_window = 0;
    std::uint32_t forged = 0;
  };
  [[nodiscard]] static Reading reading_of(const xfrm::SaUsage& usage);
  /// True if `now` is of the SA that `before` is of, and not of another in its place.
  [[nodiscard]] static bool goes_on(const Reading& before, const Reading& now);

  std::map<xfrm::ObjectId, Reading> last_;
  std::map<std::string, std::map<IpAddress, SenderView>> totals_;  // by group name
};

}  // namespace gkmpd::daemon
