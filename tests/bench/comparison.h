// What a bench reports of one thing: how long it took, its floor, and the ratio of both.
#pragma once

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "tests/bench/cpu_time.h"

namespace gkmpd::bench {

/// Samples of one thing, each with its floor, which was measured right beside it. Reported are the
/// medians, as counters NAME.us, NAME.floor_us and NAME.ratio; the last is the median of ratios.
class Comparison {
 public:
  explicit Comparison(std::string name) : name_(std::move(name)) {}

  void add(Duration took, Duration floor) {
    us_.push_back(in_us(took));
    floor_us_.push_back(in_us(floor));
    ratios_.push_back(us_.back() / floor_us_.back());
  }
  void report(benchmark::State& state) const {
    state.counters[name_ + ".us"] = median(us_);
    state.counters[name_ + ".floor_us"] = median(floor_us_);
    state.counters[name_ + ".ratio"] = median(ratios_);
  }

 private:
  std::string name_;
  std::vector<double> us_;
  std::vector<double> floor_us_;
  std::vector<double> ratios_;
};

}  // namespace gkmpd::bench
