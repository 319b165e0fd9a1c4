// How often something named has happened outside the core; the core counts its own.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>

#include "agent/base/error.h"

namespace gkmpd::daemon {

class Counters {
 public:
  void count(ErrorKind what, std::uint64_t times = 1) {
    if (times > 0) counts_[what.name()] += times;
  }
  /// Only what has happened at all.
  [[nodiscard]] const std::map<std::string_view, std::uint64_t>& counts() const { return counts_; }

 private:
  std::map<std::string_view, std::uint64_t> counts_;
};

}  // namespace gkmpd::daemon
