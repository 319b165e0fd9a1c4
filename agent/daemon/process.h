// What the process does for its own safety before it holds a key.
#pragma once

#include "agent/daemon/startup.h"

namespace gkmpd::daemon {

/// What OpenSSL holds apart from ordinary data, memory out of swap, files made for the owner alone,
/// no core dumps and no ptrace by others of the same user. A protection that is not to be had is
/// reported, and not fatal.
///
/// `core_dumps` allows dumps, and that ptrace with them, if all that holds keys is left out of
/// them. Should the kernel refuse that later, for new pages, none is made any more.
void harden_process(bool core_dumps, const Reporter& report);

/// True once, after dumps that were allowed have been taken back.
[[nodiscard]] bool take_dumps_withdrawn();

}  // namespace gkmpd::daemon
