// What the kernel counts of each SA.
#pragma once

#include <cstdint>
#include <optional>

#include "netlink/kernel_socket.h"
#include "xfrm/state.h"

namespace gkmpd::xfrm {

/// An SA of ours without its key.
struct SaUsage {
  ObjectId id;
  IpAddress source;  // unspecified: any sender's
  EspSuite suite = EspSuite::kAesGcm128;
  IpsecMode mode = IpsecMode::kTransport;
  std::uint32_t replay_window = 0;
  std::uint64_t packets = 0;
  std::uint64_t octets = 0;
  std::uint64_t added_at_s = 0;  // since 1970, by the system's clock
  std::uint64_t used_at_s = 0;   // first use; 0: never
  /// Packets that were dropped, by reason.
  std::uint32_t replayed = 0;       // their number had come before
  std::uint32_t behind_window = 0;  // their number was too old to tell
  std::uint32_t forged = 0;         // their ICV was wrong

  [[nodiscard]] bool outbound() const { return (id.reqid & 1U) != 0; }
  friend bool operator==(const SaUsage&, const SaUsage&) = default;
};

/// An SA of a dump, under the conditions of `decode_sa`, and only if it is as we install it.
[[nodiscard]] Result<std::optional<SaUsage>> decode_usage(const netlink::Message& message);

}  // namespace gkmpd::xfrm
