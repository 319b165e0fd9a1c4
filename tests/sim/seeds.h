// How tests go through seeds.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>

#include "tests/sim/world.h"

namespace gkmpd::sim {

/// Calls `run` for `count` seeds, for GKMPD_SIM_LONG times as many if that is set, or for
/// GKMPD_SIM_SEED alone. Stops at the first seed with a failure and says how to run it again.
void for_each_seed(std::uint64_t count, const std::function<void(std::uint64_t)>& run);

/// What a run is like, drawn from its seed.
struct Weather {
  NetworkOptions network;
  seconds clock_error{};
};
/// Loss to 30 %, duplicates to 10 %, links of up to 150 ms and jitter of up to 100 ms.
[[nodiscard]] Weather draw_weather(Prng& chance);
[[nodiscard]] WorldOptions options_of(std::uint64_t seed, const Weather& weather);

/// No reachable host is left without keys longer than this.
inline constexpr milliseconds kSettleLimit{900'000};

/// Draws family, suite, sender mode and control suite: any that go together.
void draw_width(test::PolicyOptions& policy, Prng& chance);

}  // namespace gkmpd::sim
