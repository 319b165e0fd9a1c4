// Groups that an earlier run left at work in the kernel, of which this run has no keys.
#pragma once

#include <map>

#include "agent/protocol/endpoint.h"
#include "agent/protocol/limits.h"

namespace gkmpd::protocol {

struct Context;

class AdoptedGroups {
 public:
  AdoptedGroups() = default;
  AdoptedGroups(const std::vector<AdoptedGroup>& groups, Now now);

  /// When an adopted epoch is sent under, and when nothing of the one before it is of use any more.
  struct Times {
    EpochId epoch_id{};
    MonoTime activate_at;
    MonoTime release_at;
  };
  /// This host has keys of the group now, which take the place of what stands. Nothing if no SAs of
  /// an earlier run can be at work any more.
  std::optional<Times> supersede(const GroupId& group);
  /// An ended group of this run that is being created anew: until it has keys, the
  /// policies that close its address are kept here.
  void keep_ended(AdoptedGroup group);

  /// Asks for what is to be kept (KeepGroup): at the start, when the epoch is to be sent under,
  /// when the one before is done with, and when the epoch ends, which is reported.
  void handle_timeout(Context& context, Now now);
  /// Asks anew for groups of that data address.
  void handle_kernel_change(Context& context, const IpAddress& data_address);
  void handle_kept(Context& context, Now now, InstallId id, const Result<Kept>& outcome);
  [[nodiscard]] std::optional<MonoTime> next_timeout() const;

  /// Adds a view of each group. One that is being created anew, or could not be, is there already:
  /// it is told what is at work meanwhile.
  void describe(std::vector<GroupView>& views) const;

 private:
  struct Entry {
    AdoptedGroup group;
    MonoTime activate_at;
    MonoTime release_at;
    MonoTime expire_at;
    Keep keep = Keep::kBoth;
    std::optional<MonoTime> ask_at;  // the first time, or again after a failure
    std::optional<InstallId> asked{};
    milliseconds retry_wait = kRetryInstallFirst;

    [[nodiscard]] bool expired() const { return keep == Keep::kClosed; }
    [[nodiscard]] Keep keep_at(MonoTime now) const;
    /// When that changes next.
    [[nodiscard]] MonoTime changes_at() const;
  };

  static void ask(Context& context, Entry& entry, bool repair);

  std::map<GroupId, Entry> groups_;
};

}  // namespace gkmpd::protocol
