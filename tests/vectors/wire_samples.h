// One of each message and object with fixed values: what vectors, unit tests and fuzz corpus share.
#pragma once

#include <string_view>
#include <vector>

#include "agent/wire/messages.h"
#include "agent/wire/report.h"

namespace gkmpd::wire::samples {

struct MessageSample {
  std::string_view name;  // of the vector's file
  Header header;          // in transcript form if sealed
  Message message;
};

/// Every message type at least once; optional parts with and without.
[[nodiscard]] std::vector<MessageSample> messages();
/// The first of them with this type.
[[nodiscard]] MessageSample sample_of(MessageType type);
/// The body of the one with this name.
[[nodiscard]] Bytes body_of(std::string_view name);

[[nodiscard]] Statement statement();
/// Of the Rekey_Multicast.
[[nodiscard]] Statement rekey_statement();
[[nodiscard]] SenderTable sender_table();
[[nodiscard]] ExclusionSet exclusion_set();
[[nodiscard]] GroupReport group_report();

/// N octets of `value`.
template <std::size_t N>
[[nodiscard]] ByteArray<N> filled(std::uint8_t value) {
  ByteArray<N> octets{};
  octets.fill(value);
  return octets;
}

}  // namespace gkmpd::wire::samples
