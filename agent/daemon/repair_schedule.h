// When the kernel is compared with what it should hold: soon after somebody else changed it, seldom
// otherwise, and never at the speed of somebody who keeps changing it. Pure: time is an argument.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "agent/base/address.h"
#include "agent/base/time.h"

namespace gkmpd::daemon {

/// From the first event to the comparison: what belongs together, such as thousands of deletions,
/// is one.
inline constexpr milliseconds kRepairSettle{10};
/// Between two comparisons of one address, whatever they found.
inline constexpr milliseconds kCompareSpacing{50};
/// After a repair the next of the same address waits so long, doubling up to the maximum with each
/// repair that comes within kRepairCalm of the one before.
inline constexpr milliseconds kRepairWaitFirst{100};
inline constexpr milliseconds kRepairWaitMax{10'000};
inline constexpr milliseconds kRepairCalm{60'000};
/// Without any event everything is compared so often.
inline constexpr milliseconds kCheckInterval{60'000};

/// SAs that somebody keeps taking away can wait: without them nothing passes. Policies cannot:
/// without them packets pass in clear, and putting them back uses up no key.
enum class Urgency { kMayWait, kAtOnce };

class RepairSchedule {
 public:
  explicit RepairSchedule(MonoTime now) : check_at_(now + kCheckInterval) {}

  /// Somebody changed what is held for groups of that data address. If the comparison is held back
  /// because of earlier repairs, and this was not told for the same one before: for how long.
  std::optional<milliseconds> note(const IpAddress& address, MonoTime now, Urgency urgency);

  /// The address whose groups have been due for longest; asked until there is none. `all` are those
  /// of all groups: what was noted of others is forgotten.
  [[nodiscard]] std::optional<IpAddress> take_due(const std::vector<IpAddress>& all, MonoTime now);

  /// The comparison of that address found something to put right.
  void repaired(const IpAddress& address, MonoTime now);

  [[nodiscard]] MonoTime next() const;

 private:
  struct Place {
    std::optional<MonoTime> due;
    std::optional<MonoTime> compared_at;
    std::optional<MonoTime> repaired_at;
    milliseconds wait = kRepairWaitFirst;
  };

  std::map<IpAddress, Place> places_;
  MonoTime check_at_;
};

}  // namespace gkmpd::daemon
