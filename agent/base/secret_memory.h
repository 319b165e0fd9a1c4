// The memory behind Secret: pages that the kernel leaves out of core dumps and, where it lets us,
// keeps out of swap.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace gkmpd {

/// Hands out blocks from pages of its own. Small blocks come from free lists by size, large ones
/// are mappings by themselves. Not thread-safe: see `allocate_apart`.
class SecretMemory {
 public:
  /// How much is taken from the kernel at a time.
  static constexpr std::size_t kChunkSize = std::size_t{64} * 1024;
  /// Blocks up to this size share chunks.
  static constexpr std::size_t kLargestShared = 4096;
  /// Pages of all chunks and large blocks together; far above what an agent with every table full
  /// holds. Beyond it `allocate` throws std::bad_alloc, as it does when the kernel has no more.
  static constexpr std::size_t kMaxSize = std::size_t{256} * 1024 * 1024;
  /// Of every block, in octets.
  static constexpr std::size_t kAlignment = 16;

  /// Takes `most` octets from the kernel at most.
  explicit SecretMemory(std::size_t most = kMaxSize) : most_(most) {}
  SecretMemory(const SecretMemory&) = delete;
  SecretMemory& operator=(const SecretMemory&) = delete;
  /// Gives nothing back: it lives as long as the process.
  ~SecretMemory() = default;

  /// `size` zero octets; `size` is not 0.
  [[nodiscard]] std::uint8_t* allocate(std::size_t size);
  /// Takes back a block of `allocate` with the size it was asked for. Its owner has wiped it.
  void release(std::uint8_t* block, std::size_t size) noexcept;

  /// Octets taken from the kernel.
  [[nodiscard]] std::size_t mapped() const { return mapped_; }
  /// False if the kernel refused, for any page so far, to leave it out of core dumps.
  [[nodiscard]] bool stays_out_of_dumps() const { return stays_out_of_dumps_; }
  /// Calls `act` when that becomes false, before anything lies in the page. It must not allocate.
  void when_in_dumps(void (*act)()) { when_in_dumps_ = act; }

 private:
  /// A free block, in its first octets.
  struct Free {
    Free* next;
  };

  [[nodiscard]] std::uint8_t* map(std::size_t size);
  [[nodiscard]] std::uint8_t* carve(std::size_t size);

  std::size_t most_;
  std::array<Free*, kLargestShared / kAlignment + 1> free_{};
  std::uint8_t* rest_ = nullptr;  // of the newest chunk
  std::size_t rest_size_ = 0;
  std::size_t mapped_ = 0;
  bool stays_out_of_dumps_ = true;
  void (*when_in_dumps_)() = [] {};
};

/// `size` zero octets of the process's secret memory; `size` is not 0. Throws std::bad_alloc. Safe
/// in any thread. Under AddressSanitizer this is the heap: a block of its own between poisoned
/// zones, with the stack traces of those who took and returned it, shows more than an arena
/// poisoned by hand.
[[nodiscard]] std::uint8_t* allocate_apart(std::size_t size);
/// Takes a wiped block back.
void release_apart(std::uint8_t* block, std::size_t size) noexcept;

/// allocate_apart() for a Secret, null for no octets. By itself, so that the linker can put a
/// witness in between that sees keys only (tests/support/disclose).
[[nodiscard]] std::uint8_t* allocate_secret(std::size_t size);

/// Whether everything so far lies in pages that are left out of core dumps.
[[nodiscard]] bool secrets_stay_out_of_dumps();
/// As SecretMemory::when_in_dumps, of the process's secret memory.
void when_secrets_come_into_dumps(void (*act)());

}  // namespace gkmpd
