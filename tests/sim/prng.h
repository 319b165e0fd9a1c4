// The simulator's own chance: what the network, stores and kernels do. Endpoints draw from
// crypto::SeededRandom instead.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace gkmpd::sim {

/// Odds in thousandths.
inline constexpr unsigned kPermille = 1000;

/// A 64-bit mixing generator: same seed, same numbers, on every machine.
class Prng {
 public:
  explicit Prng(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
  }

  /// 0 to `bound` - 1; the bias of the remainder does not matter here.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }

  /// `low` to `high`, both included.
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }

  bool chance(unsigned permille) { return below(kPermille) < permille; }

  /// `low` to `high`, each order of magnitude as likely as the next.
  std::size_t log_uniform(std::size_t low, std::size_t high) {
    const double unit = static_cast<double>(below(1U << 20)) / (1U << 20);
    const double span = static_cast<double>(high + 1) / static_cast<double>(low);
    return static_cast<std::size_t>(static_cast<double>(low) * std::pow(span, unit));
  }

 private:
  std::uint64_t state_;
};

}  // namespace gkmpd::sim
