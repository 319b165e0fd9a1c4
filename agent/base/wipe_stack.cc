#include "agent/base/wipe_stack.h"

#include <string.h>

#include <array>

namespace gkmpd {

// Never part of its caller, whose frame it would make larger instead.
[[gnu::noinline]] void wipe_stack() {
  std::array<unsigned char, kStackWiped> below;  // NOLINT: not set, it is what others have left
  explicit_bzero(below.data(), below.size());
}

}  // namespace gkmpd
