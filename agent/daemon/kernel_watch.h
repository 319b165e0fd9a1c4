// Follows what others do to SAs and policies of this kernel, and has groups compared and repaired.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "agent/daemon/counters.h"
#include "agent/daemon/loop.h"
#include "agent/daemon/repair_schedule.h"
#include "agent/protocol/endpoint.h"
#include "xfrm/events.h"

namespace gkmpd::daemon {

/// Those of `addresses`, the groups' data addresses, of which something may not be as it should
/// after `event`: of a flush all; none after our own doing, which carries `own_port`.
[[nodiscard]] std::vector<IpAddress> concerned(const xfrm::Event& event, std::uint32_t own_port,
                                               const std::vector<IpAddress>& addresses);

/// Whether `event` may have opened a group's address.
[[nodiscard]] Urgency urgency_of(const xfrm::Event& event);

class KernelWatch {
 public:
  struct Hooks {
    /// Data addresses of all groups that have something in the kernel.
    std::function<std::vector<IpAddress>()> addresses;
    /// Compares the groups of an address and repairs them; true if there was anything to repair.
    std::function<bool(const IpAddress&)> compare;
    std::function<void(const protocol::Report&)> report;
  };

  /// `own_port` is that of the socket that changes the kernel for us. `netlink.open-failed`,
  /// `daemon.event-loop`. `loop` and `counters` outlive it.
  [[nodiscard]] static Result<std::unique_ptr<KernelWatch>> start(Loop& loop, Counters& counters,
                                                                  std::uint32_t own_port,
                                                                  Hooks hooks);
  KernelWatch(const KernelWatch&) = delete;
  KernelWatch& operator=(const KernelWatch&) = delete;
  ~KernelWatch() = default;

  /// What the groups' policies are bound to may have changed: all are compared.
  void look_at_all();

  /// Of the socket with the events.
  [[nodiscard]] int fd() const { return events_.fd(); }

 private:
  KernelWatch(xfrm::EventSource events, Counters& counters, std::uint32_t own_port, Hooks hooks);

  void on_events();
  void on_timer();
  void note(const IpAddress& address, Urgency urgency);
  void note_lost_events(const std::vector<IpAddress>& addresses);

  xfrm::EventSource events_;
  Counters& counters_;
  const std::uint32_t own_port_;
  const Hooks hooks_;
  RepairSchedule schedule_;
  bool events_lost_ = false;  // and the comparison that makes up for it is still to come
  Loop::Source io_;
  Loop::Source timer_;
};

}  // namespace gkmpd::daemon
