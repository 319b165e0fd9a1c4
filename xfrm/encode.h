// Operations to netlink requests and the kernel's objects back to states. Pure: no socket.
#pragma once

#include <optional>

#include "netlink/batch.h"
#include "netlink/kernel_socket.h"
#include "xfrm/plan.h"
#include "xfrm/state.h"

namespace gkmpd::xfrm {

/// Message types of the requests that read.
[[nodiscard]] std::uint16_t dump_sas_request();
[[nodiscard]] std::uint16_t dump_policies_request();

/// Appends the one request that an operation is. `netlink.batch-full`, and nothing appended.
[[nodiscard]] Result<std::size_t> encode(netlink::Batch& batch, const Operation& operation);

/// Appends a request for the policy of that direction and index (XFRM_MSG_GETPOLICY).
[[nodiscard]] Result<std::size_t> encode_get_by_index(netlink::Batch& batch,
                                                      const PolicyState& policy);
/// Appends a request for the policy with the selector of `policy`, whatever its index.
[[nodiscard]] Result<std::size_t> encode_get_by_selector(netlink::Batch& batch,
                                                         const PolicyState& policy);

/// An SA of a dump (XFRM_MSG_NEWSA). Nothing if it is none of ours by protocol, reqid range or
/// form of identity (larval ones have SPI 0). `xfrm.bad-message`.
[[nodiscard]] Result<std::optional<SaState>> decode_sa(const netlink::Message& message);

/// A policy of a dump or answer (XFRM_MSG_NEWPOLICY). Nothing if its index is not in our range or
/// its selector not of the form that its index stands for. `xfrm.bad-message`.
[[nodiscard]] Result<std::optional<PolicyState>> decode_policy(const netlink::Message& message);

/// The index of any policy. `xfrm.bad-message`.
[[nodiscard]] Result<std::uint32_t> decode_policy_index(const netlink::Message& message);

}  // namespace gkmpd::xfrm
