// Randomness as an argument: the operating system's in the daemon, a seed's in the simulator.
#pragma once

#include <cstdint>
#include <span>

#include "agent/base/bytes.h"

namespace gkmpd {

class Random {
 public:
  Random() = default;
  Random(const Random&) = delete;
  Random& operator=(const Random&) = delete;
  virtual ~Random() = default;

  /// Fills `out`. Never fails: an implementation that cannot ends the process.
  virtual void fill(std::span<std::uint8_t> out) = 0;

  template <std::size_t N>
  [[nodiscard]] ByteArray<N> array() {
    ByteArray<N> bytes{};
    fill(bytes);
    return bytes;
  }
};

}  // namespace gkmpd
