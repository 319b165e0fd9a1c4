#include "agent/ctl/group_order.h"

#include <chrono>

#include "agent/base/time.h"

namespace gkmpd::ctl {

std::uint64_t counter_of_now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::floor<milliseconds>(since).count());
}

}  // namespace gkmpd::ctl
