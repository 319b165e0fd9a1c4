#include "agent/daemon/process.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "agent/base/secret.h"
#include "agent/base/secret_memory.h"
#include "agent/crypto/memory.h"

namespace gkmpd::daemon {
namespace {

using protocol::Report;

bool has_ipc_lock() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
  return (data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK)) != 0;
}

/// Locking what is to come under a limit would make some later allocation fail, and so the agent.
bool may_lock_without_end() {
  rlimit limit{};
  return has_ipc_lock() ||
         (::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY);
}

/// True if no key that the process will hold can come into a core dump.
bool keep_keys_apart(const Reporter& report) {
  // With the first secret the kernel has told whether it leaves such pages out.
  const Secret first(1);
  const auto apart = crypto::keep_openssl_apart();
  if (!apart) report({Report::Level::kWarning, "keys-not-apart", "", "", apart.error().text()});
  return apart && secrets_stay_out_of_dumps();
}

std::atomic_bool dumps_withdrawn = false;

/// Called within an allocation: no more than a system call. Without dumps a crash shows no key, and
/// whoever could read our memory all the same may read keys anyway.
void withdraw_dumps() {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) std::_Exit(EXIT_FAILURE);
  dumps_withdrawn = true;
}

void lock_memory(const Reporter& report) {
  if (!may_lock_without_end()) {
    report({Report::Level::kWarning, "memory-not-locked", "", "",
            "keys may reach swap; grant CAP_IPC_LOCK or set LimitMEMLOCK=infinity"});
  } else if (::mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
    report({Report::Level::kWarning, "memory-not-locked", "", "",
            fmt::format("keys may reach swap: {}", std::strerror(errno))});
  }
}

}  // namespace

void harden_process(bool core_dumps, const Reporter& report) {
  ::umask(077);
  const bool apart = keep_keys_apart(report);
  const bool dumpable = core_dumps && apart;
  if (core_dumps && !dumpable) {
    report({Report::Level::kWarning, "core-dumps-refused", "", "",
            "process.core_dumps: keys cannot be kept out of a dump here"});
  }
  if (dumpable) when_secrets_come_into_dumps(withdraw_dumps);
  // Asked for explicitly both ways: a program with file capabilities begins undumpable.
  if (::prctl(PR_SET_DUMPABLE, dumpable ? 1 : 0, 0, 0, 0) != 0) {
    report({Report::Level::kWarning, "core-dumps-allowed", "", "", std::strerror(errno)});
  }
  lock_memory(report);
}

bool take_dumps_withdrawn() { return dumps_withdrawn.exchange(false); }

}  // namespace gkmpd::daemon
