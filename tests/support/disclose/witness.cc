// Linked into gkmpd-disclosing between the agent and its wipe() and allocate_secret(): writes down
// every secret of key size that the agent lets go of, and where those lie that it holds. The linker
// (--wrap) leads the agent's calls here.
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>

#include "tests/support/disclose/record.h"

// The linker's names, spelled as the compiler writes the functions' own.
#define GKMPD_WIPE "_ZN5gkmpd4wipeESt4spanIhLm18446744073709551615EE"
#define GKMPD_ALLOCATE "_ZN5gkmpd15allocate_secretEm"

namespace gkmpd::disclose {
namespace {

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::abort();
}

int open_record() {
  const char* const directory = std::getenv(kDirectoryVariable);
  if (directory == nullptr) give_up(kDirectoryVariable);
  const std::string path = std::string(directory) + "/" + std::to_string(::getpid());
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) give_up(path.c_str());
  return fd;
}

/// One call of the kernel straight from the block, so that nothing of it comes to lie elsewhere.
void write_down(What what, std::span<std::uint8_t> block) {
  static const int fd = open_record();
  Head head{reinterpret_cast<std::uintptr_t>(block.data()),
            static_cast<std::uint32_t>(block.size()), what};
  std::array<iovec, 2> parts{{{&head, sizeof head}, {block.data(), block.size()}}};
  const bool octets_too = what == What::kWiped;
  const std::size_t size = sizeof head + (octets_too ? block.size() : 0);
  if (::writev(fd, parts.data(), octets_too ? 2 : 1) != static_cast<ssize_t>(size)) {
    give_up("record");
  }
}

}  // namespace

void real_wipe(std::span<std::uint8_t> bytes) __asm__("__real_" GKMPD_WIPE);
std::uint8_t* real_allocate(std::size_t size) __asm__("__real_" GKMPD_ALLOCATE);
void wrapped_wipe(std::span<std::uint8_t> bytes) __asm__("__wrap_" GKMPD_WIPE);
std::uint8_t* wrapped_allocate(std::size_t size) __asm__("__wrap_" GKMPD_ALLOCATE);

void wrapped_wipe(std::span<std::uint8_t> bytes) {
  if (secret_search::is_key_size(bytes.size())) write_down(What::kWiped, bytes);
  real_wipe(bytes);
}

std::uint8_t* wrapped_allocate(std::size_t size) {
  std::uint8_t* const block = real_allocate(size);
  if (secret_search::is_key_size(size)) write_down(What::kAllocated, {block, size});
  return block;
}

}  // namespace gkmpd::disclose
