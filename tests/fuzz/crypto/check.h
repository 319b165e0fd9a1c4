// A property that must hold whatever the input; the fuzzer sees a broken one as a crash.
#pragma once

#include <cstdlib>

namespace gkmpd {

inline void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace gkmpd
