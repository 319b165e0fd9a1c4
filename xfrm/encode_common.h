// Shared by the encoder and the decoders of the kernel's structs; nobody else includes it.
#pragma once

#include <linux/xfrm.h>
#include <sys/socket.h>

#include <cstring>
#include <optional>

#include "agent/base/address.h"
#include "xfrm/state.h"

namespace gkmpd::xfrm {

[[nodiscard]] inline std::uint16_t kernel_family(const IpAddress& address) {
  return address.family == IpFamily::kV4 ? AF_INET : AF_INET6;
}

[[nodiscard]] inline xfrm_address_t kernel_address(const IpAddress& address) {
  xfrm_address_t out{};
  std::memcpy(&out, address.octets.data(), address.size());
  return out;
}

/// Nothing for a family that we do not know.
[[nodiscard]] inline std::optional<IpAddress> from_kernel(const xfrm_address_t& address,
                                                          std::uint16_t family) {
  if (family != AF_INET && family != AF_INET6) return std::nullopt;
  ByteArray<16> octets{};
  static_assert(sizeof address == sizeof octets);
  std::memcpy(octets.data(), &address, sizeof octets);
  return IpAddress::from_octets(ByteView(octets).first(family == AF_INET ? 4 : 16));
}

[[nodiscard]] inline std::uint8_t full_prefix(const IpAddress& address) {
  return static_cast<std::uint8_t>(address.size() * 8);
}

/// Of the source in an SA's selector: itself, or any.
[[nodiscard]] inline std::uint8_t source_prefix(const SaState& sa) {
  return sa.shared() ? std::uint8_t{0} : full_prefix(sa.source);
}

[[nodiscard]] constexpr std::uint8_t kernel_mode(IpsecMode mode) {
  switch (mode) {
    case IpsecMode::kTransport:
      return XFRM_MODE_TRANSPORT;
    case IpsecMode::kTunnel:
      return XFRM_MODE_TUNNEL;
  }
  return XFRM_MODE_TRANSPORT;
}

/// Nothing for a mode that we never install.
[[nodiscard]] constexpr std::optional<IpsecMode> mode_from_kernel(std::uint8_t mode) {
  switch (mode) {
    case XFRM_MODE_TRANSPORT:
      return IpsecMode::kTransport;
    case XFRM_MODE_TUNNEL:
      return IpsecMode::kTunnel;
    default:
      return std::nullopt;
  }
}

inline constexpr std::uint32_t kAnyAlgorithm = ~std::uint32_t{0};

[[nodiscard]] constexpr std::uint32_t priority_of(PolicyKind kind) {
  switch (kind) {
    case PolicyKind::kGuard:
    case PolicyKind::kInGuard:
      return kGuardPriority;
    case PolicyKind::kIn:
      return kInPriority;
    case PolicyKind::kProtect:
      return kProtectPriority;
    case PolicyKind::kMembershipOut:
    case PolicyKind::kMembershipIn:
      return kMembershipPriority;
    case PolicyKind::kPassage:
      return kPassagePriority;
  }
  return kGuardPriority;
}

[[nodiscard]] constexpr std::uint8_t action_of(PolicyKind kind) {
  return is_guard(kind) ? XFRM_POLICY_BLOCK : XFRM_POLICY_ALLOW;
}

[[nodiscard]] constexpr bool has_template(PolicyKind kind) {
  return kind == PolicyKind::kIn || kind == PolicyKind::kProtect;
}

/// A port of a selector, in host order, and the bits of it that count.
struct PortMatch {
  std::uint16_t port = 0;
  std::uint16_t mask = 0;
};

/// Selectors of ICMPv6 have the type in the place of the source port: 131, a report of MLDv1, goes
/// to the group itself. IGMP has no such place; and of what comes in, Linux 6.1 misreads the type,
/// since MLD has a header before it.
[[nodiscard]] inline PortMatch source_port_of(const PolicyState& policy) {
  if (policy.kind != PolicyKind::kMembershipOut || policy.destination.family == IpFamily::kV4)
    return {};
  return {.port = 131, .mask = 0xffff};
}

}  // namespace gkmpd::xfrm
