// What the benches count with: CPU time of the calling thread, and medians.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <utility>
#include <vector>

namespace gkmpd::bench {

using Duration = std::chrono::nanoseconds;

/// CPU time that this thread has used so far; what other processes use does not count.
[[nodiscard]] inline Duration cpu_now() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec);
}

/// CPU time that `work` uses.
template <typename Work>
[[nodiscard]] Duration cpu_of(Work&& work) {
  const Duration begun = cpu_now();
  std::forward<Work>(work)();
  return cpu_now() - begun;
}

[[nodiscard]] inline double in_us(Duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

/// The middle one, the higher of two; 0 if there is none.
template <typename T>
[[nodiscard]] T median(std::vector<T> values) {
  if (values.empty()) return T{};
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace gkmpd::bench
