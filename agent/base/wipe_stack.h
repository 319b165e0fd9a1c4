// What computations leave on the stack.
#pragma once

#include <cstddef>

namespace gkmpd {

/// Libraries' frames on curves have about 10 KiB.
inline constexpr std::size_t kStackWiped = std::size_t{32} * 1024;

/// Overwrites the stack below the caller, `kStackWiped` octets deep, where calls that have come
/// back have left what they computed with.
void wipe_stack();

/// Calls wipe_stack() on every way out of the function it is declared in, after everything that is
/// declared behind it has gone.
class StackWiper {
 public:
  StackWiper() = default;
  StackWiper(const StackWiper&) = delete;
  StackWiper& operator=(const StackWiper&) = delete;
  ~StackWiper() { wipe_stack(); }
};

}  // namespace gkmpd
