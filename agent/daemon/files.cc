#include "agent/daemon/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "agent/base/fd.h"
#include "agent/daemon/errors.h"

namespace gkmpd::daemon {
namespace {

tl::unexpected<Error> unreadable(const std::filesystem::path& file, int error) {
  return fail(kFileUnreadable, fmt::format("{}: {}", file.string(), std::strerror(error)));
}

struct Opened {
  Fd fd;
  struct stat info{};
};

Result<Opened> open_regular(const std::filesystem::path& file, std::size_t most) {
  // Without O_NONBLOCK the open of a pipe would wait for a writer.
  Opened opened{Fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)), {}};
  if (!opened.fd) return unreadable(file, errno);
  if (::fstat(opened.fd.get(), &opened.info) != 0) return unreadable(file, errno);
  if (!S_ISREG(opened.info.st_mode)) {
    return fail(kFileUnreadable, fmt::format("{}: not a regular file", file.string()));
  }
  if (static_cast<std::uint64_t>(opened.info.st_size) > most) {
    return fail(kFileTooLarge, fmt::format("{}: more than {} octets", file.string(), most));
  }
  return opened;
}

/// Fills `out` from the start; returns how much there was.
Result<std::size_t> read_into(const std::filesystem::path& file, const Fd& fd,
                              std::span<std::uint8_t> out) {
  std::size_t have = 0;
  while (have < out.size()) {
    const auto got = ::read(fd.get(), out.data() + have, out.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unreadable(file, errno);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  return have;
}

}  // namespace

Result<std::string> read_text_file(const std::filesystem::path& file, std::size_t most) {
  auto opened = open_regular(file, most);
  if (!opened) return pass_on(opened);
  std::string text(static_cast<std::size_t>(opened->info.st_size), '\0');
  auto have =
      read_into(file, opened->fd, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  if (!have) return pass_on(have);
  text.resize(*have);
  return text;
}

Result<Secret> read_key_file(const std::filesystem::path& file) {
  auto opened = open_regular(file, kMaxKeyFileSize);
  if (!opened) return pass_on(opened);
  if ((opened->info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return fail(kFilePermissions,
                fmt::format("{}: others than its owner may use this private key; run chmod 600",
                            file.string()));
  }
  Secret content(static_cast<std::size_t>(opened->info.st_size));
  auto have = read_into(file, opened->fd, content.expose_for_writing());
  if (!have) return pass_on(have);
  if (*have == content.size()) return content;
  return Secret::copy_of(content.expose().first(*have));
}

}  // namespace gkmpd::daemon
