// Apart from everything that calls it, so that the linker can put a witness in between
// (tests/support/disclose).
#include "agent/base/wipe.h"

#include <string.h>

namespace gkmpd {

void wipe(std::span<std::uint8_t> bytes) {
  if (!bytes.empty()) explicit_bzero(bytes.data(), bytes.size());
}

}  // namespace gkmpd
