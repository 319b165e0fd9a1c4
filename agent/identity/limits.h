// What the host's own configuration lets a token do (GPAD of RFC 5374 4.1.3; profile R1, S18).
#pragma once

#include "agent/identity/token.h"

namespace gkmpd::identity {

/// `identity.token-limits`, naming the limit.
[[nodiscard]] Result<void> check_limits(const GroupPolicy& policy, const LocalLimits& limits);

}  // namespace gkmpd::identity
