// When a sender of a steady rate sends.
#pragma once

#include <chrono>
#include <cstdint>

namespace gkmpd::traffic {

/// Tells how many datagrams are due. A sender that was kept from running slips: of what it missed
/// no more than kMostBehind is due at once, since a burst would be lost on the way.
class Schedule {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kMostBehind{20};

  /// `count` datagrams at `rate_pps` a second, above 0, the first at `start`.
  Schedule(double rate_pps, std::uint64_t count, Clock::time_point start)
      : rate_pps_(rate_pps), count_(count), start_(start) {}

  /// How many are due in all by `now`, those sent before included; `next` of them have been sent.
  std::uint64_t due(std::uint64_t next, Clock::time_point now);

 private:
  double rate_pps_;
  std::uint64_t count_;
  Clock::time_point start_;  // moves when the sender slips
};

}  // namespace gkmpd::traffic
