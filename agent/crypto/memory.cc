#include "agent/crypto/memory.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <new>

#include "agent/base/secret_memory.h"
#include "agent/crypto/errors.h"

namespace gkmpd::crypto {
namespace {

/// In front of every block: OpenSSL does not say how large a block is that it gives back.
struct alignas(SecretMemory::kAlignment) Head {
  std::size_t size;  // with the head
};

Head* head_of(void* block) { return static_cast<Head*>(block) - 1; }

void* take(std::size_t size, const char*, int) {
  if (size > std::numeric_limits<std::size_t>::max() - sizeof(Head)) return nullptr;
  const std::size_t whole = sizeof(Head) + size;
  try {
    return new (allocate_apart(whole)) Head{whole} + 1;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void give_back(void* block, const char*, int) {
  if (block == nullptr) return;
  Head* const head = head_of(block);
  const std::size_t whole = head->size;
  OPENSSL_cleanse(head, whole);
  release_apart(reinterpret_cast<std::uint8_t*>(head), whole);
}

void* resize(void* block, std::size_t size, const char* file, int line) {
  if (block == nullptr) return take(size, file, line);
  if (size == 0) {
    give_back(block, file, line);
    return nullptr;
  }
  void* const moved = take(size, file, line);
  if (moved == nullptr) return nullptr;
  const std::size_t held = head_of(block)->size - sizeof(Head);
  std::copy_n(static_cast<const std::uint8_t*>(block), std::min(held, size),
              static_cast<std::uint8_t*>(moved));
  give_back(block, file, line);
  return moved;
}

}  // namespace

Result<void> keep_openssl_apart() {
  CRYPTO_malloc_fn taken_by = nullptr;
  CRYPTO_get_mem_functions(&taken_by, nullptr, nullptr);
  if (taken_by == take) return {};
  if (CRYPTO_set_mem_functions(take, resize, give_back) == 1) return {};
  return fail(kNotApart, "private keys and what is computed with keys lie among ordinary data");
}

}  // namespace gkmpd::crypto
