// Requests to the kernel, built with checks and wiped afterwards.
#pragma once

#include <cstdint>
#include <type_traits>

#include "agent/base/bytes.h"
#include "agent/base/error.h"
#include "agent/base/secret.h"

namespace gkmpd::netlink {

/// Messages in one send: so many error replies fit into a socket buffer of the default size.
inline constexpr std::size_t kMaxBatch = 128;

/// Octets of one send; room for kMaxBatch of the largest requests that we make.
inline constexpr std::size_t kMaxBatchOctets = 192 * 1024;

/// The octets of a plain struct, as the kernel wants its fixed headers and attributes.
template <typename T>
  requires std::is_trivially_copyable_v<T>
[[nodiscard]] ByteView object_bytes(const T& object) {
  return {reinterpret_cast<const std::uint8_t*>(&object), sizeof object};
}

/// Up to kMaxBatch requests for one send. A message is begun, filled and ended; a failure while it
/// is filled sticks and is told by `end`, which then drops the whole message and leaves the
/// others as they were. The buffer is wiped when it goes, since requests hold keys.
class Batch {
 public:
  /// `capacity` is in octets.
  explicit Batch(std::size_t capacity = kMaxBatchOctets);

  /// Starts a request of `type` with `header` as its fixed part; NLM_F_REQUEST is added to `flags`.
  void begin(std::uint16_t type, std::uint16_t flags, ByteView header);
  /// Adds an attribute to the message that was begun.
  void put(std::uint16_t attribute, ByteView payload);
  /// Ends the message; its index in the batch, or `netlink.batch-full`.
  [[nodiscard]] Result<std::size_t> end();

  /// Numbers message i `first_sequence + i` and asks for an acknowledgement of the last one.
  void seal(std::uint32_t first_sequence, std::uint32_t port_id);

  [[nodiscard]] std::size_t size() const { return offsets_.size(); }
  [[nodiscard]] bool empty() const { return offsets_.empty(); }
  /// The ended messages, one after another.
  [[nodiscard]] ByteView bytes() const { return buffer_.expose().first(used_); }

 private:
  Secret buffer_;
  std::size_t used_ = 0;     // octets of ended messages
  std::size_t pending_ = 0;  // octets of the message being built
  bool overflow_ = false;
  std::vector<std::size_t> offsets_;
};

}  // namespace gkmpd::netlink
