// Test vectors are written in hexadecimal.
#pragma once

#include <stdexcept>
#include <string_view>

#include "agent/base/bytes.h"
#include "agent/base/secret.h"

namespace gkmpd::crypto {

inline Bytes hex(std::string_view text) {
  auto bytes = from_hex(text);
  if (!bytes) throw std::invalid_argument("not hexadecimal");
  return *bytes;
}

inline Secret secret_hex(std::string_view text) { return Secret::take(hex(text)); }

template <std::size_t N>
ByteArray<N> array_hex(std::string_view text) {
  const Bytes bytes = hex(text);
  if (bytes.size() != N) throw std::invalid_argument("not as long as the array");
  ByteArray<N> array{};
  std::copy(bytes.begin(), bytes.end(), array.begin());
  return array;
}

}  // namespace gkmpd::crypto
