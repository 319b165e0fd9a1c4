// What the process does for its own safety before it holds a key.
#pragma once

#include "agent/daemon/startup.h"

namespace gkmpd::daemon {

/// No core dumps and no ptrace by others of the same user, memory kept out of swap, files made for
/// the owner alone. Memory that cannot be locked is reported, and not fatal.
void harden_process(const Reporter& report);

}  // namespace gkmpd::daemon
