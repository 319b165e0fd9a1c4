// Reading of netlink messages and attributes, with every length checked. Any octets are safe.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <type_traits>

#include "agent/base/bytes.h"
#include "agent/base/error.h"
#include "netlink/kernel_socket.h"

namespace gkmpd::netlink {

/// Copies the first sizeof(T) octets into `object`, since payloads are aligned to four octets only;
/// false, and nothing copied, if there are fewer.
template <typename T>
  requires std::is_trivially_copyable_v<T>
[[nodiscard]] bool read_into(T& object, ByteView bytes) {
  if (bytes.size() < sizeof(T)) return false;
  std::memcpy(&object, bytes.data(), sizeof object);
  return true;
}

/// The same as a value. (Not for structs that end in a flexible array.)
template <typename T>
  requires std::is_trivially_copyable_v<T>
[[nodiscard]] std::optional<T> read_object(ByteView bytes) {
  T object;
  if (!read_into(object, bytes)) return std::nullopt;
  return object;
}

/// What follows a fixed header of `size` octets, padding skipped; empty if there is nothing.
[[nodiscard]] ByteView after_header(ByteView payload, std::size_t size);

/// Hands on each message of a datagram. `netlink.bad-reply` at the first that is cut short; also
/// what `on_message` returns.
[[nodiscard]] Result<void> for_each_message(ByteView datagram, const OnMessage& on_message);

/// Hands on each attribute, its flag bits masked off. False if one is cut short.
[[nodiscard]] bool for_each_attribute(
    ByteView attributes, const std::function<void(std::uint16_t type, ByteView payload)>& on_each);

/// An NLMSG_ERROR's content; 0 is an acknowledgement.
struct Answer {
  int error = 0;  // errno, positive
  std::string extack;
};
/// Nothing if it is cut short or says an impossible errno.
[[nodiscard]] std::optional<Answer> read_answer(const Message& message);

}  // namespace gkmpd::netlink
