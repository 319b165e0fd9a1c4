#include "agent/ctl/pki_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace gkmpd::ctl {
namespace {

constexpr mode_t kPublicMode = 0644;
constexpr mode_t kPrivateMode = 0600;
constexpr mode_t kDirectoryMode = 0700;

tl::unexpected<Error> failed(ErrorKind kind, const char* doing, const std::string& path) {
  const std::string reason = std::strerror(errno);
  return fail(kind, std::string("cannot ") + doing + " " + path + ": " + reason +
                        "; check the path and its permissions");
}

tl::unexpected<Error> exists(const std::string& path) {
  return fail(kFileExists, path + " exists; choose another name, or --force to replace it");
}

bool write_all(int fd, ByteView content) {
  while (!content.empty()) {
    const ssize_t size = write(fd, content.data(), content.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    content = content.subspan(static_cast<std::size_t>(size));
  }
  return true;
}

/// Makes `path`, which must not exist, with `content`; takes it away again if that fails.
Result<void> make_file(const std::string& path, ByteView content, mode_t mode) {
  const Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd && errno == EEXIST) return exists(path);
  if (!fd) return failed(kFileUnwritable, "write", path);
  // The umask may have taken more away than is wanted.
  if (fchmod(fd.get(), mode) == 0 && write_all(fd.get(), content) && fsync(fd.get()) == 0) {
    return {};
  }
  auto error = failed(kFileUnwritable, "write", path);
  unlink(path.c_str());
  return error;
}

Result<void> put_file(const std::string& path, ByteView content, mode_t mode, Overwrite overwrite) {
  if (overwrite == Overwrite::kNever) return make_file(path, content, mode);
  const std::string fresh = path + ".new";
  unlink(fresh.c_str());
  if (auto made = make_file(fresh, content, mode); !made) return made;
  if (rename(fresh.c_str(), path.c_str()) == 0) return {};
  auto error = failed(kFileUnwritable, "replace", path);
  unlink(fresh.c_str());
  return error;
}

}  // namespace

Result<void> check_writable(const std::string& path, Overwrite overwrite) {
  if (overwrite == Overwrite::kNever && access(path.c_str(), F_OK) == 0) return exists(path);
  return {};
}

Result<void> write_file(const std::string& path, ByteView content, Overwrite overwrite) {
  return put_file(path, content, kPublicMode, overwrite);
}

Result<void> write_private_file(const std::string& path, const Secret& content,
                                Overwrite overwrite) {
  return put_file(path, content.expose(), kPrivateMode, overwrite);
}

Result<void> make_directory(const std::string& path) {
  if (mkdir(path.c_str(), kDirectoryMode) == 0 || errno == EEXIST) return {};
  return failed(kFileUnwritable, "make directory", path);
}

Result<void> append_line(const std::string& path, const std::string& line) {
  const Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kPrivateMode));
  if (!fd || !write_all(fd.get(), as_bytes(line + "\n")) || fsync(fd.get()) != 0) {
    return failed(kFileUnwritable, "write", path);
  }
  return {};
}

Result<DirectoryLock> DirectoryLock::take(const std::string& directory) {
  Fd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return failed(kFileUnwritable, "open directory", directory);
  while (flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return failed(kFileUnwritable, "lock directory", directory);
  }
  return DirectoryLock(std::move(fd));
}

}  // namespace gkmpd::ctl
