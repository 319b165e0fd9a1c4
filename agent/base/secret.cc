#include "agent/base/secret.h"

#include <algorithm>
#include <utility>

#include "agent/base/constant_time.h"
#include "agent/base/secret_memory.h"

namespace gkmpd {

Secret::Secret(std::size_t size) : data_(allocate_secret(size)), size_(size) {}

Secret Secret::copy_of(ByteView source) {
  Secret secret(source.size());
  std::ranges::copy(source, secret.data_);
  return secret;
}

Secret Secret::take(Bytes&& source) {
  Secret secret = copy_of(source);
  wipe(source);
  source.clear();
  return secret;
}

Secret::Secret(Secret&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    clear();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

Secret::~Secret() { clear(); }

bool equal_in_constant_time(ByteView a, ByteView b) {
  if (a.size() != b.size()) return false;
  std::uint8_t difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = static_cast<std::uint8_t>(difference | (a[i] ^ b[i]));
  }
  return difference == 0;
}

bool Secret::equals(const Secret& other) const {
  return equal_in_constant_time(expose(), other.expose());
}

void Secret::clear() {
  if (data_ == nullptr) return;
  wipe({data_, size_});
  release_apart(std::exchange(data_, nullptr), std::exchange(size_, 0));
}

}  // namespace gkmpd
