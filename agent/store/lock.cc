#include "agent/store/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "agent/store/store.h"

namespace gkmpd::store {
namespace {

constexpr mode_t kPrivateMode = S_IRUSR | S_IWUSR;
constexpr std::size_t kMaxPidText = 16;

tl::unexpected<Error> open_failed(const std::string& path) {
  const std::string reason = std::strerror(errno);
  return fail(kOpenFailed, "cannot open " + path + ": " + reason +
                               "; check that its directory exists and that this user may write "
                               "there, or set [store] path to another place");
}

std::string holder(int fd) {
  char text[kMaxPidText] = {};
  const ssize_t size = pread(fd, text, sizeof text - 1, 0);
  std::string pid;
  for (ssize_t i = 0; i < size && text[i] >= '0' && text[i] <= '9'; ++i) pid.push_back(text[i]);
  return pid.empty() ? "another process" : "process " + pid;
}

Result<void> sync_directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Fd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || fsync(fd.get()) != 0) return open_failed(directory);
  return {};
}

}  // namespace

Result<Lock> Lock::take(const std::string& path) {
  const std::string lock_path = path + "-lock";
  Fd fd(open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kPrivateMode));
  if (!fd) return open_failed(lock_path);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return open_failed(lock_path);
    return fail(kOpenFailed, path + " is in use by " + holder(fd.get()) +
                                 "; stop it first, or give this agent a [store] path of its own");
  }
  // The process id is for the message above only: failing to write it harms nothing.
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(fd.get(), 0) == 0) {
    [[maybe_unused]] const ssize_t written = pwrite(fd.get(), pid.data(), pid.size(), 0);
  }
  return Lock(std::move(fd));
}

Result<void> make_private_file(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kPrivateMode));
  if (!fd) return open_failed(path);
  struct stat status{};
  if (fstat(fd.get(), &status) != 0) return open_failed(path);
  if (!S_ISREG(status.st_mode)) {
    return fail(kOpenFailed, path + " is not a regular file; set [store] path to another place");
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0 && fchmod(fd.get(), kPrivateMode) != 0) {
    return open_failed(path);
  }
  return sync_directory_of(path);
}

}  // namespace gkmpd::store
