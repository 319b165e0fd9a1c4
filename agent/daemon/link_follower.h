// Follows the interface of control messages: that it goes, comes back, perhaps as another, and that
// the configured addresses are on it.
#pragma once

#include <functional>
#include <memory>

#include "agent/base/error.h"
#include "agent/daemon/loop.h"
#include "agent/protocol/endpoint.h"
#include "netlink/link_watch.h"

namespace gkmpd::daemon {

/// From the first change to the look at what came of it.
inline constexpr milliseconds kLinkSettle{100};
/// While the interface is not as configured it is looked at so often even if nothing is told.
inline constexpr milliseconds kLinkRetry{5000};

class LinkFollower {
 public:
  struct Hooks {
    /// The interface's index, if all is as configured (`check_interface`).
    std::function<Result<unsigned>()> look;
    /// Interfaces or addresses have changed, and are settled.
    std::function<void()> changed;
    /// All is as configured again: memberships are to be renewed on that index.
    std::function<Result<void>(unsigned)> renew;
    std::function<void(const protocol::Report&)> report;
  };

  /// `index` is what the start found. `netlink.open-failed`, `daemon.event-loop`. `loop` outlives
  /// it.
  [[nodiscard]] static Result<std::unique_ptr<LinkFollower>> start(Loop& loop, unsigned index,
                                                                   Hooks hooks);
  LinkFollower(const LinkFollower&) = delete;
  LinkFollower& operator=(const LinkFollower&) = delete;
  ~LinkFollower() = default;

 private:
  LinkFollower(netlink::LinkWatch watch, unsigned index, Hooks hooks)
      : watch_(std::move(watch)), index_(index), hooks_(std::move(hooks)) {}

  void on_change();
  void on_timer();
  void lose(const Error& why);

  netlink::LinkWatch watch_;
  unsigned index_;
  const Hooks hooks_;
  std::string lost_;  // why, if it is
  Loop::Source io_;
  Loop::Source timer_;
};

}  // namespace gkmpd::daemon
