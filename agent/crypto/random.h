// Where randomness comes from in production and in the simulator.
#pragma once

#include <memory>

#include "agent/base/random.h"

// OpenSSL's table of generator functions.
struct rand_meth_st;

namespace gkmpd::crypto {

/// OpenSSL's generator, seeded by the kernel. Ends the process if it cannot deliver.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override;
};

/// Same seed, same octets, for ever: for the simulator and for test vectors, never for keys that
/// protect anything. Also makes OpenSSL's own generator (ECDSA nonces) deterministic while an
/// `OpenSslOverride` lives.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed);
  void fill(std::span<std::uint8_t> out) override;

  /// Overrides nest: the end of one brings back whatever was there before it. Not for programs
  /// with threads.
  class OpenSslOverride {
   public:
    explicit OpenSslOverride(std::uint64_t seed);
    OpenSslOverride(const OpenSslOverride&) = delete;
    OpenSslOverride& operator=(const OpenSslOverride&) = delete;
    ~OpenSslOverride();

   private:
    std::unique_ptr<SeededRandom> stream_;
    SeededRandom* outer_stream_;
    const rand_meth_st* outer_method_;
  };

 private:
  std::uint64_t counter_ = 0;
  ByteArray<32> seed_{};
};

}  // namespace gkmpd::crypto
