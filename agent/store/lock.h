// One process at a time: a lock file beside the database, which also tells who holds it.
#pragma once

#include <string>
#include <utility>

#include "agent/base/error.h"
#include "agent/base/fd.h"

namespace gkmpd::store {

/// Holds `path` + "-lock" as long as it lives. The kernel gives the lock back when the process
/// ends, however it ends; the file itself stays, because removing it would race with an opener.
class Lock {
 public:
  /// `store.open-failed`, with the process id of the holder if it could be read.
  [[nodiscard]] static Result<Lock> take(const std::string& path);

 private:
  explicit Lock(Fd fd) : fd_(std::move(fd)) {}

  Fd fd_;
};

/// Makes `path` an empty file of mode 0600 if there is none, with its directory entry on disk;
/// takes an existing one's permissions for others away. `store.open-failed`.
[[nodiscard]] Result<void> make_private_file(const std::string& path);

}  // namespace gkmpd::store
