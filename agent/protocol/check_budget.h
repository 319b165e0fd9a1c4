// How many signatures of multicast messages a member verifies: anybody may send as many as the
// network carries (profile S24).
#pragma once

#include "agent/base/error.h"
#include "agent/base/time.h"
#include "agent/protocol/errors.h"
#include "agent/protocol/limits.h"

namespace gkmpd::protocol {

class CheckBudget {
 public:
  /// One more in this second: `protocol.check-rate` above kChecksPerSecond.
  [[nodiscard]] Result<void> spend(Now now) {
    if (now.mono - since_ >= seconds(1)) {
      since_ = now.mono;
      spent_ = 0;
    }
    if (++spent_ > kChecksPerSecond) return fail(kCheckRate);
    return {};
  }

 private:
  MonoTime since_{};
  int spent_ = 0;
};

}  // namespace gkmpd::protocol
