#include "agent/daemon/process.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace gkmpd::daemon {

using protocol::Report;

void harden_process(const Reporter& report) {
  ::umask(077);
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    report({Report::Level::kWarning, "dumpable", "", "",
            fmt::format("core dumps cannot be forbidden: {}", std::strerror(errno))});
  }
  if (::mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
    report({Report::Level::kWarning, "memory-not-locked", "", "",
            fmt::format("keys may reach swap: {}; raise LimitMEMLOCK or grant CAP_IPC_LOCK",
                        std::strerror(errno))});
  }
}

}  // namespace gkmpd::daemon
