// The one type that holds keys and everything that yields keys.
#pragma once

#include <cstddef>

#include "agent/base/bytes.h"
#include "agent/base/wipe.h"

namespace gkmpd {

/// Secret octets: moved, never copied by accident; wiped when they go; compared in constant time;
/// in memory that no core dump holds (secret_memory.h); with no way into a stream or a format
/// string. Whoever needs the octets says so by `expose()`.
class Secret {
 public:
  Secret() = default;
  /// `size` zero octets, to be filled through `expose_for_writing()`.
  explicit Secret(std::size_t size);
  /// A copy of `source`; wiping the source is its owner's business.
  [[nodiscard]] static Secret copy_of(ByteView source);
  /// Takes the octets of `source` and wipes it.
  [[nodiscard]] static Secret take(Bytes&& source);

  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

  /// The octets, valid until this object is moved from, assigned to or destroyed.
  [[nodiscard]] ByteView expose() const { return {data_, size_}; }
  [[nodiscard]] std::span<std::uint8_t> expose_for_writing() { return {data_, size_}; }

  /// A second holder of the same octets, asked for by name.
  [[nodiscard]] Secret clone() const { return copy_of(expose()); }

  /// Same length and same octets; time depends on the length alone.
  [[nodiscard]] bool equals(const Secret& other) const;

 private:
  void clear();

  std::uint8_t* data_ = nullptr;  // of allocate_secret
  std::size_t size_ = 0;
};

}  // namespace gkmpd
