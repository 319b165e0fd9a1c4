// Datagrams as the kernel would send them, for the doubles of libmnl.
#pragma once

#include <linux/netlink.h>

#include <cstring>
#include <string>

#include "agent/base/bytes.h"
#include "netlink/batch.h"
#include "tests/support/mnl_doubles.h"

namespace gkmpd::test {

/// One message, padded. `flags` and `port` as in the header.
[[nodiscard]] inline Bytes message(std::uint16_t type, std::uint32_t sequence, ByteView payload,
                                   std::uint16_t flags = 0, std::uint32_t port = MNL_DOUBLES_PORT) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + payload.size());
  header.nlmsg_type = type;
  header.nlmsg_flags = flags;
  header.nlmsg_seq = sequence;
  header.nlmsg_pid = port;
  Bytes out = to_bytes(netlink::object_bytes(header));
  append(out, payload);
  while (out.size() % 4 != 0) out.push_back(0);
  return out;
}

[[nodiscard]] inline Bytes attribute(std::uint16_t type, ByteView payload) {
  const nlattr header{.nla_len = static_cast<std::uint16_t>(sizeof(nlattr) + payload.size()),
                      .nla_type = type};
  Bytes out = to_bytes(netlink::object_bytes(header));
  append(out, payload);
  while (out.size() % 4 != 0) out.push_back(0);
  return out;
}

/// NLMSG_ERROR in its short form (NETLINK_CAP_ACK); error 0 is an acknowledgement.
[[nodiscard]] inline Bytes answer(std::uint32_t sequence, int error, std::string extack = {}) {
  nlmsgerr body{};
  body.error = -error;
  Bytes payload = to_bytes(netlink::object_bytes(body));
  std::uint16_t flags = NLM_F_CAPPED;
  if (!extack.empty()) {
    flags = static_cast<std::uint16_t>(flags | NLM_F_ACK_TLVS);
    extack.push_back('\0');
    append(payload, attribute(NLMSGERR_ATTR_MSG, as_bytes(extack)));
  }
  return message(NLMSG_ERROR, sequence, payload, flags);
}

[[nodiscard]] inline Bytes done(std::uint32_t sequence, int error = 0, std::uint16_t flags = 0) {
  const int outcome = -error;
  return message(NLMSG_DONE, sequence, netlink::object_bytes(outcome),
                 static_cast<std::uint16_t>(flags | NLM_F_MULTI));
}

inline void queue(const Bytes& datagram, std::uint32_t sender = 0) {
  mnl_doubles_queue(datagram.data(), datagram.size(), sender);
}

[[nodiscard]] inline Bytes operator+(Bytes first, const Bytes& second) {
  append(first, second);
  return first;
}

}  // namespace gkmpd::test
