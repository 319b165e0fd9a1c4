#include "agent/base/secret.h"

#include <string.h>

#include <algorithm>
#include <utility>

namespace gkmpd {

void wipe(std::span<std::uint8_t> bytes) {
  if (!bytes.empty()) explicit_bzero(bytes.data(), bytes.size());
}

Secret::Secret(std::size_t size)
    : data_(size == 0 ? nullptr : std::make_unique<std::uint8_t[]>(size)), size_(size) {}

Secret Secret::copy_of(ByteView source) {
  Secret secret(source.size());
  std::ranges::copy(source, secret.data_.get());
  return secret;
}

Secret Secret::take(Bytes&& source) {
  Secret secret = copy_of(source);
  wipe(source);
  source.clear();
  return secret;
}

Secret::Secret(Secret&& other) noexcept
    : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    clear();
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

Secret::~Secret() { clear(); }

bool Secret::equals(const Secret& other) const {
  if (size_ != other.size_) return false;
  std::uint8_t difference = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    difference = static_cast<std::uint8_t>(difference | (data_[i] ^ other.data_[i]));
  }
  return difference == 0;
}

void Secret::clear() {
  wipe({data_.get(), size_});
  data_.reset();
  size_ = 0;
}

}  // namespace gkmpd
