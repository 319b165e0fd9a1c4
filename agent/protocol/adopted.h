// Groups that an earlier run left at work in the kernel, of which this run has no keys.
#pragma once

#include <map>

#include "agent/protocol/endpoint.h"

namespace gkmpd::protocol {

class AdoptedGroups {
 public:
  AdoptedGroups() = default;
  AdoptedGroups(const std::vector<AdoptedGroup>& groups, Now now);

  /// This host has keys of the group now, which take the place of what stands. True if SAs of the
  /// earlier epoch may still be at work.
  bool supersede(const GroupId& group);

  /// Names of the groups whose epoch has ended since the last call. The kernel ends their SAs by
  /// itself; guard and inbound policy stay.
  [[nodiscard]] std::vector<std::string> expire(Now now);
  [[nodiscard]] std::optional<MonoTime> next_timeout() const;

  /// Adds a view of each group. One that is being created anew, or could not be, is there already:
  /// it is told what is at work meanwhile.
  void describe(std::vector<GroupView>& views) const;

 private:
  struct Entry {
    AdoptedGroup group;
    MonoTime expire_at;
    bool expired = false;
  };

  std::map<GroupId, Entry> groups_;
};

}  // namespace gkmpd::protocol
