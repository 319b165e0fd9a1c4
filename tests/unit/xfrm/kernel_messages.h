// Messages as the kernel would send them, made from the structs that it uses.
#pragma once

#include <linux/xfrm.h>

#include <cstring>

#include "netlink/parse.h"
#include "tests/support/netlink_replies.h"
#include "tests/unit/xfrm/specs.h"
#include "xfrm/encode.h"

namespace gkmpd::xfrm::test {

/// What follows the header of the one request that an operation is. What NEWSA and NEWPOLICY ask
/// for has the form in which the kernel shows it.
[[nodiscard]] inline Bytes payload_of(const Operation& operation) {
  netlink::Batch batch;
  if (!encode(batch, operation)) std::abort();
  return to_bytes(batch.bytes().subspan(sizeof(nlmsghdr)));
}
[[nodiscard]] inline Bytes shown(const SaState& sa) { return payload_of(AddSa{sa.clone()}); }
[[nodiscard]] inline Bytes shown(const PolicyState& policy) {
  return payload_of(PutPolicy{policy, false});
}

/// Changes the fixed part of a payload.
template <typename T, typename Change>
[[nodiscard]] Bytes with(Bytes payload, Change change) {
  T fixed;
  std::memcpy(&fixed, payload.data(), sizeof fixed);
  change(fixed);
  std::memcpy(payload.data(), &fixed, sizeof fixed);
  return payload;
}

[[nodiscard]] inline netlink::Message message_of(std::uint16_t type, const Bytes& payload) {
  return {.type = type, .flags = 0, .sequence = 0, .port_id = 0, .payload = payload};
}

}  // namespace gkmpd::xfrm::test
