// Files that the security manager and the commander make; reading is in agent/daemon/files.h.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "agent/base/error.h"
#include "agent/base/fd.h"
#include "agent/base/secret.h"

namespace gkmpd::ctl {

inline constexpr ErrorKind kFileUnwritable{"file.unwritable"};
inline constexpr ErrorKind kFileExists{"file.exists"};

/// Whether a file that exists may be replaced (`--force`).
enum class Overwrite { kNever, kAllowed };

/// `file.exists` if `path` exists and may not be replaced: asked before anything is made.
[[nodiscard]] Result<void> check_writable(const std::string& path, Overwrite overwrite);

/// Writes a file of mode 0644, on disk when this returns. A replaced file changes in one step.
/// `file.exists`, `file.unwritable`.
[[nodiscard]] Result<void> write_file(const std::string& path, ByteView content,
                                      Overwrite overwrite);
/// The same with mode 0600.
[[nodiscard]] Result<void> write_private_file(const std::string& path, const Secret& content,
                                              Overwrite overwrite);

/// Makes a directory of mode 0700 unless there is one.
[[nodiscard]] Result<void> make_directory(const std::string& path);

/// Adds `line` and a line end to a file, on disk when this returns. Mode 0600 if new.
[[nodiscard]] Result<void> append_line(const std::string& path, const std::string& line);

/// Keeps other gkmpctl away from a directory's record as long as it lives; waits for its turn.
class DirectoryLock {
 public:
  [[nodiscard]] static Result<DirectoryLock> take(const std::string& directory);

 private:
  explicit DirectoryLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace gkmpd::ctl
