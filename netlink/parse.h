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

/// The first sizeof(T) octets as a T; nothing if there are fewer. Copies, since payloads are
/// aligned to four octets only.
template <typename T>
  requires std::is_trivially_copyable_v<T>
[[nodiscard]] std::optional<T> read_object(ByteView bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T object;
  std::memcpy(&object, bytes.data(), sizeof object);
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
