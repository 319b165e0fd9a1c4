#include "agent/daemon/kernel_watch.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <map>

#include "agent/daemon/errors.h"

namespace gkmpd::daemon {

using protocol::Report;

std::vector<IpAddress> concerned(const xfrm::Event& event, std::uint32_t own_port,
                                 const std::vector<IpAddress>& addresses) {
  if (event.requester == own_port) return {};
  switch (event.kind) {
    case xfrm::EventKind::kAcquire:
    case xfrm::EventKind::kSoftExpire:
      return {};
    case xfrm::EventKind::kSasFlushed:
    case xfrm::EventKind::kPoliciesFlushed:
      return addresses;
    case xfrm::EventKind::kHardExpire:
    case xfrm::EventKind::kSaAdded:
    case xfrm::EventKind::kSaUpdated:
    case xfrm::EventKind::kSaDeleted:
    case xfrm::EventKind::kPolicyAdded:
    case xfrm::EventKind::kPolicyUpdated:
    case xfrm::EventKind::kPolicyDeleted:
      if (std::ranges::find(addresses, event.destination) == addresses.end()) return {};
      return {event.destination};
  }
  return {};
}

Urgency urgency_of(const xfrm::Event& event) {
  switch (event.kind) {
    case xfrm::EventKind::kPolicyAdded:
    case xfrm::EventKind::kPolicyUpdated:
    case xfrm::EventKind::kPolicyDeleted:
    case xfrm::EventKind::kPoliciesFlushed:
      return Urgency::kAtOnce;
    case xfrm::EventKind::kAcquire:
    case xfrm::EventKind::kSoftExpire:
    case xfrm::EventKind::kHardExpire:
    case xfrm::EventKind::kSaAdded:
    case xfrm::EventKind::kSaUpdated:
    case xfrm::EventKind::kSaDeleted:
    case xfrm::EventKind::kSasFlushed:
      return Urgency::kMayWait;
  }
  return Urgency::kMayWait;
}

KernelWatch::KernelWatch(xfrm::EventSource events, Counters& counters, std::uint32_t own_port,
                         Hooks hooks)
    : events_(std::move(events)),
      counters_(counters),
      own_port_(own_port),
      hooks_(std::move(hooks)),
      schedule_(mono_now()) {}

Result<std::unique_ptr<KernelWatch>> KernelWatch::start(Loop& loop, Counters& counters,
                                                        std::uint32_t own_port, Hooks hooks) {
  auto events = xfrm::EventSource::open();
  if (!events) return pass_on(events);
  std::unique_ptr<KernelWatch> watch(
      new KernelWatch(*std::move(events), counters, own_port, std::move(hooks)));
  auto timer = loop.timer([raw = watch.get()] { raw->on_timer(); });
  if (!timer) return pass_on(timer);
  watch->timer_ = *std::move(timer);
  auto io = loop.io(watch->fd(), EPOLLIN, [raw = watch.get()](std::uint32_t) { raw->on_events(); });
  if (!io) return pass_on(io);
  watch->io_ = *std::move(io);
  watch->timer_.arm(watch->schedule_.next());
  return watch;
}

void KernelWatch::on_events() {
  auto read = events_.read();
  const std::vector<IpAddress> addresses = hooks_.addresses();
  // What cannot be read or understood may have been about us.
  if (!read || read->overrun || read->undecodable > 0) note_lost_events(addresses);
  if (read) {
    std::map<IpAddress, Urgency> noted;
    for (const xfrm::Event& event : read->events) {
      for (const IpAddress& address : concerned(event, own_port_, addresses)) {
        Urgency& urgency = noted.emplace(address, Urgency::kMayWait).first->second;
        urgency = std::max(urgency, urgency_of(event));
      }
    }
    for (const auto& [address, urgency] : noted) note(address, urgency);
  }
  timer_.arm(schedule_.next());
}

void KernelWatch::look_at_all() {
  for (const IpAddress& address : hooks_.addresses()) note(address, Urgency::kMayWait);
  timer_.arm(schedule_.next());
}

void KernelWatch::note(const IpAddress& address, Urgency urgency) {
  const auto held_back = schedule_.note(address, mono_now(), urgency);
  if (!held_back) return;
  counters_.count(kRepairHeldBack);
  hooks_.report({Report::Level::kWarning, "repair-held-back", "", address.text(),
                 fmt::format("another program keeps changing SAs or policies of this group; the "
                             "next repair is in {} ms",
                             held_back->count())});
}

void KernelWatch::note_lost_events(const std::vector<IpAddress>& addresses) {
  counters_.count(kKernelEventsLost);
  if (!events_lost_) {
    events_lost_ = true;
    hooks_.report({Report::Level::kWarning, "kernel-events-lost", "", "",
                   "the kernel told of more changes than were read in time; all groups are "
                   "compared"});
  }
  for (const IpAddress& address : addresses) note(address, Urgency::kAtOnce);
}

/// One address at a time, so that datagrams and operators have their turn.
void KernelWatch::on_timer() {
  const auto due = schedule_.take_due(hooks_.addresses(), mono_now());
  if (due && hooks_.compare(*due)) schedule_.repaired(*due, mono_now());
  if (!due) events_lost_ = false;
  timer_.arm(due ? mono_now() : schedule_.next());
}

}  // namespace gkmpd::daemon
