#include "tests/support/traffic/schedule.h"

#include <algorithm>

namespace gkmpd::traffic {

std::uint64_t Schedule::due(std::uint64_t next, Clock::time_point now) {
  const std::chrono::duration<double> after_start(static_cast<double>(next) / rate_pps_);
  const auto next_at = start_ + std::chrono::duration_cast<Clock::duration>(after_start);
  if (now - next_at > kMostBehind) start_ += now - next_at - kMostBehind;
  const double elapsed_s = std::chrono::duration<double>(now - start_).count();
  return std::min(count_, static_cast<std::uint64_t>(elapsed_s * rate_pps_ + 1));
}

}  // namespace gkmpd::traffic
