#include "tests/support/refusing_madvise.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>

namespace gkmpd::test {
namespace {

bool refusing = false;

}  // namespace

void refuse_to_leave_out_of_dumps(bool refuse) { refusing = refuse; }

}  // namespace gkmpd::test

// The linker puts the first in front of the second.
extern "C" {
int __wrap_madvise(void* pages, std::size_t size, int advice);
int __real_madvise(void* pages, std::size_t size, int advice);

int __wrap_madvise(void* pages, std::size_t size, int advice) {
  if (gkmpd::test::refusing && advice == MADV_DONTDUMP) {
    errno = EINVAL;
    return -1;
  }
  return __real_madvise(pages, size, advice);
}
}
