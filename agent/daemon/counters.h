// How often something named has happened outside the core; the core counts its own.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>

#include "agent/base/error.h"

namespace gkmpd::daemon {

class Counters {
 public:
  void count(ErrorKind what) { ++counts_[what.name()]; }
  /// Only what has happened at all.
  [[nodiscard]] const std::map<std::string_view, std::uint64_t>& counts() const { return counts_; }

 private:
  std::map<std::string_view, std::uint64_t> counts_;
};

}  // namespace gkmpd::daemon
