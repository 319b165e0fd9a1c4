#include "agent/base/secret_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <new>
#include <utility>

// g++ tells by a macro, clang by a feature.
#if defined(__SANITIZE_ADDRESS__)
#define GKMPD_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GKMPD_ADDRESS_SANITIZER 1
#endif
#endif
#ifndef GKMPD_ADDRESS_SANITIZER
#define GKMPD_ADDRESS_SANITIZER 0
#endif

namespace gkmpd {
namespace {

constexpr bool kOnHeap = GKMPD_ADDRESS_SANITIZER != 0;
constexpr std::size_t kPageSize = 4096;

constexpr std::size_t rounded(std::size_t size, std::size_t unit) {
  return (size + unit - 1) / unit * unit;
}

/// The process's memory, and the flag of whoever is in it. The agent has one thread; the flag is
/// for programs around it that have more, and costs one exchange.
struct Shared {
  SecretMemory memory;
  std::atomic_flag busy;
};

Shared& shared() {
  // Never destroyed: secrets of static objects go after any static of ours would.
  static Shared& instance = *new Shared;
  return instance;
}

class Turn {
 public:
  Turn() {
    while (shared().busy.test_and_set(std::memory_order_acquire)) {
    }
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() { shared().busy.clear(std::memory_order_release); }
};

}  // namespace

std::uint8_t* SecretMemory::allocate(std::size_t size) {
  if (size > most_) throw std::bad_alloc();
  if (size > kLargestShared) return map(rounded(size, kPageSize));
  const std::size_t block_size = rounded(size, kAlignment);
  Free*& first = free_[block_size / kAlignment];
  if (first == nullptr) return carve(block_size);
  Free* const taken = first;
  first = std::exchange(taken->next, nullptr);  // with it the block is all zero again
  return reinterpret_cast<std::uint8_t*>(taken);
}

void SecretMemory::release(std::uint8_t* block, std::size_t size) noexcept {
  if (size > kLargestShared) {
    const std::size_t whole = rounded(size, kPageSize);
    if (::munmap(block, whole) == 0) mapped_ -= whole;
    return;
  }
  Free*& first = free_[rounded(size, kAlignment) / kAlignment];
  first = new (block) Free{first};
}

std::uint8_t* SecretMemory::carve(std::size_t size) {
  if (rest_size_ < size) {
    std::uint8_t* const chunk = map(kChunkSize);
    // What is left of the old chunk is a free block of its size.
    if (rest_size_ != 0) release(rest_, rest_size_);
    rest_ = chunk;
    rest_size_ = kChunkSize;
  }
  rest_size_ -= size;
  return std::exchange(rest_, rest_ + size);
}

std::uint8_t* SecretMemory::map(std::size_t size) {
  if (size > most_ - mapped_) throw std::bad_alloc();
  void* const pages =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  mapped_ += size;
  if (::madvise(pages, size, MADV_DONTDUMP) != 0 && std::exchange(stays_out_of_dumps_, false)) {
    when_in_dumps_();
  }
  // Where this is refused, harden_process() has said so for the whole process.
  (void)::mlock(pages, size);
  return static_cast<std::uint8_t*>(pages);
}

std::uint8_t* allocate_apart(std::size_t size) {
  if constexpr (kOnHeap) return new std::uint8_t[size]();
  const Turn turn;
  return shared().memory.allocate(size);
}

void release_apart(std::uint8_t* block, std::size_t size) noexcept {
  if constexpr (kOnHeap) {
    delete[] block;
    return;
  }
  const Turn turn;
  shared().memory.release(block, size);
}

std::uint8_t* allocate_secret(std::size_t size) {
  return size == 0 ? nullptr : allocate_apart(size);
}

void when_secrets_come_into_dumps(void (*act)()) {
  const Turn turn;
  shared().memory.when_in_dumps(act);
}

bool secrets_stay_out_of_dumps() {
  const Turn turn;
  return !kOnHeap && shared().memory.stays_out_of_dumps();
}

}  // namespace gkmpd
