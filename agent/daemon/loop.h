// sd-event with owners: a source lives as long as its handle.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "agent/base/error.h"
#include "agent/base/time.h"

struct sd_event;
struct sd_event_source;

namespace gkmpd::daemon {

/// The system's monotonic clock.
[[nodiscard]] MonoTime mono_now();
/// The system's wall clock, as it is.
[[nodiscard]] WallTime wall_now();

class Loop {
 public:
  class Source {
   public:
    Source() = default;
    explicit Source(sd_event_source* source) : source_(source) {}

    /// For io: EPOLLIN, EPOLLOUT.
    void set_events(std::uint32_t events);
    /// For a timer.
    void arm(MonoTime at);
    void disarm();

   private:
    struct Release {
      void operator()(sd_event_source* source) const;
    };
    std::unique_ptr<sd_event_source, Release> source_;
  };

  /// `daemon.event-loop`, as for every call here that fails.
  [[nodiscard]] static Result<Loop> make();

  [[nodiscard]] Result<Source> io(int fd, std::uint32_t events,
                                  std::function<void(std::uint32_t)> call);
  /// Not armed yet.
  [[nodiscard]] Result<Source> timer(std::function<void()> call);
  /// The signal is blocked for the process and delivered here.
  [[nodiscard]] Result<Source> signal(int number, std::function<void()> call);

  /// Pings systemd's watchdog if the service has one.
  void enable_watchdog();
  /// Until `stop`; returns its code.
  [[nodiscard]] Result<int> run();
  void stop(int code);

 private:
  struct Release {
    void operator()(sd_event* event) const;
  };
  explicit Loop(sd_event* event) : event_(event) {}

  std::unique_ptr<sd_event, Release> event_;
};

}  // namespace gkmpd::daemon
