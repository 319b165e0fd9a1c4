// Time as an argument: two clocks that never mix.
#pragma once

#include <chrono>
#include <cstdint>

namespace gkmpd {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Tag of the clock that never goes back; timers run on it. Its zero means nothing.
struct MonoClock {
  using duration = milliseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonoClock, duration>;
};
using MonoTime = MonoClock::time_point;

/// Wall-clock time in whole seconds since 1970; only validity periods look at it.
using WallTime = std::chrono::sys_seconds;

/// What every handler of the core is given as the present moment.
struct Now {
  MonoTime mono;
  WallTime wall;
};

[[nodiscard]] inline std::uint64_t to_unix(WallTime time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}
[[nodiscard]] inline WallTime from_unix(std::uint64_t unix_s) {
  return WallTime(seconds(static_cast<std::int64_t>(unix_s)));
}

}  // namespace gkmpd
