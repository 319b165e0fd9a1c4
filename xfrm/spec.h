// What should stand in the kernel for one group, as plain structs: the only xfrm header that keys
// and identity see. Owns the enums of suites and modes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/address.h"
#include "agent/base/secret.h"

namespace gkmpd::xfrm {

/// ESP suites; the number is also what the wire and the key derivation use. GMAC and NULL leave the
/// data readable and only keep it from being changed.
enum class EspSuite : std::uint8_t {
  kAesGcm128 = 1,
  kAesGcm256 = 2,
  kAesCbc128HmacSha256 = 3,
  kAesGcm192 = 4,
  kChaCha20Poly1305 = 5,
  kAesCbc256HmacSha384 = 6,
  kAesCbc256HmacSha512 = 7,
  kAesGmac128 = 8,
  kAesGmac256 = 9,
  kNullHmacSha256 = 10,
  kNullHmacSha384 = 11,
  kNullHmacSha512 = 12,
};

/// All of them, by number.
inline constexpr std::array kEspSuites{
    EspSuite::kAesGcm128,           EspSuite::kAesGcm256,        EspSuite::kAesCbc128HmacSha256,
    EspSuite::kAesGcm192,           EspSuite::kChaCha20Poly1305, EspSuite::kAesCbc256HmacSha384,
    EspSuite::kAesCbc256HmacSha512, EspSuite::kAesGmac128,       EspSuite::kAesGmac256,
    EspSuite::kNullHmacSha256,      EspSuite::kNullHmacSha384,   EspSuite::kNullHmacSha512,
};

/// Whether each sender has an SA of its own, or all senders share one.
enum class SenderMode : std::uint8_t { kPerSender = 1, kShared = 2 };

/// In tunnel mode the outer addresses are those of the packet inside (RFC 5374 3.1): the tunnel
/// ends at the group's members, and routers go by the group as ever.
enum class IpsecMode : std::uint8_t { kTransport = 1, kTunnel = 2 };

/// Octets of key material a suite takes: the cipher's key, then the salt (RFC 4106, RFC 4543, RFC
/// 7634) or the MAC's key (RFC 4868).
[[nodiscard]] constexpr std::size_t key_material_size(EspSuite suite) {
  switch (suite) {
    case EspSuite::kAesGcm128:
    case EspSuite::kAesGmac128:
      return 16 + 4;
    case EspSuite::kAesGcm192:
      return 24 + 4;
    case EspSuite::kAesGcm256:
    case EspSuite::kAesGmac256:
    case EspSuite::kChaCha20Poly1305:
      return 32 + 4;
    case EspSuite::kAesCbc128HmacSha256:
      return 16 + 32;
    case EspSuite::kAesCbc256HmacSha384:
      return 32 + 48;
    case EspSuite::kAesCbc256HmacSha512:
      return 32 + 64;
    case EspSuite::kNullHmacSha256:
      return 32;
    case EspSuite::kNullHmacSha384:
      return 48;
    case EspSuite::kNullHmacSha512:
      return 64;
  }
  return 0;
}

/// A counter mode must never see one IV twice under one key, and Linux draws the IVs of each SA by
/// chance: such a suite has one key for each sender, always (RFC 6054; profile S12).
[[nodiscard]] constexpr bool is_counter_mode(EspSuite suite) {
  switch (suite) {
    case EspSuite::kAesGcm128:
    case EspSuite::kAesGcm192:
    case EspSuite::kAesGcm256:
    case EspSuite::kChaCha20Poly1305:
    case EspSuite::kAesGmac128:
    case EspSuite::kAesGmac256:
      return true;
    case EspSuite::kAesCbc128HmacSha256:
    case EspSuite::kAesCbc256HmacSha384:
    case EspSuite::kAesCbc256HmacSha512:
    case EspSuite::kNullHmacSha256:
    case EspSuite::kNullHmacSha384:
    case EspSuite::kNullHmacSha512:
      return false;
  }
  return true;
}

/// Something that a group may ask for and a kernel has not got.
struct KernelLack {
  EspSuite suite = EspSuite::kAesGcm128;
  IpFamily family = IpFamily::kV4;
  /// Missing with extended sequence numbers only; what is missing without them is so with them too.
  bool only_esn = false;
  /// Which piece, and how to get it: "chacha20poly1305 is missing: run modprobe ...".
  std::string remedy;

  [[nodiscard]] bool concerns(EspSuite wanted, IpFamily group_family, bool esn) const {
    return suite == wanted && family == group_family && (esn || !only_esn);
  }
  friend bool operator==(const KernelLack&, const KernelLack&) = default;
};

/// Replay windows the kernel takes (kernel-measured limit), in packets. A shared SA has none: 0.
inline constexpr std::uint32_t kMinReplayWindow = 32;
inline constexpr std::uint32_t kMaxReplayWindow = 4096;
inline constexpr std::uint32_t kDefaultReplayWindow = 1024;

/// TCP, UDP, DCCP, SCTP, UDP-Lite: the kernel's selectors have ports for these.
[[nodiscard]] constexpr bool has_ports(std::uint8_t ip_protocol) {
  return ip_protocol == 6 || ip_protocol == 17 || ip_protocol == 33 || ip_protocol == 132 ||
         ip_protocol == 136;
}

/// What a group may carry: one protocol, but not IGMP, ICMPv6, ESP and AH.
[[nodiscard]] constexpr bool is_protectable(std::uint8_t ip_protocol) {
  return ip_protocol != 0 && ip_protocol != 2 && ip_protocol != 58 && ip_protocol != 50 &&
         ip_protocol != 51;
}

/// A group's place in our reqid and policy index ranges: 0 to kMaxGroupSlot, unique on this host,
/// kept over restarts by the store.
using GroupSlot = std::uint16_t;
inline constexpr GroupSlot kMaxSlot = 0x0fff;
/// No group's: of the SAs with which the kernel is asked what it offers (offer.h).
inline constexpr GroupSlot kProbeSlot = kMaxSlot;
inline constexpr GroupSlot kMaxGroupSlot = kProbeSlot - 1;

/// A data address's place in our policy index range, likewise. Numbers of their own: groups on one
/// address share its policies.
using AddressSlot = std::uint16_t;
inline constexpr AddressSlot kMaxAddressSlot = kMaxSlot;

/// Counts epochs of one group on this host, modulo 2048; a fresh one per epoch gives each epoch's
/// SAs reqids that no policy names yet.
using Generation = std::uint16_t;
inline constexpr Generation kMaxGeneration = 0x07ff;

/// Which of a host's traffic is the group's, beside its addresses, protocol and port: the host's
/// own affair, not the token's. What fits the address but not this meets the guards.
struct Attachment {
  /// Index of the interface that the group's traffic goes out by; 0: any. With an `if_id`, the XFRM
  /// interface of that id. What comes in is bound by its keys alone: over IPv4 the kernel takes any
  /// packet for one of the loopback interface there.
  std::uint32_t interface = 0;
  std::uint32_t if_id = 0;  // 0: none
  /// Packets belong to the group if their mark has `mark` in the bits of `mark_mask`; 0: all do.
  std::uint32_t mark = 0;
  std::uint32_t mark_mask = 0;

  friend bool operator==(const Attachment&, const Attachment&) = default;
};

/// What becomes of the SAs of other generations that stand in the kernel. kKeep is for the time
/// between two epochs (RFC 5374 4.2.1): they stay, and with them a protect policy under one of them
/// as long as the spec has no active generation.
enum class Earlier : std::uint8_t { kRemove, kKeep };

/// One sender's SA, or the one of all senders. With `outbound`, this host sends under it.
struct SenderSa {
  std::uint32_t spi = 0;
  /// The sender's address, which the SA is bound to. In shared mode the unspecified address of the
  /// group's family: any sender's.
  IpAddress source;
  bool outbound = false;
  Generation generation = 0;
  Secret key;  // key_material_size(suite) octets
  /// Seconds from installation until the kernel ends the SA (profile P27, S17); never 0.
  std::uint64_t hard_lifetime_s = 0;
  /// Of an inbound SA that is put back: the highest sequence number that an earlier instance under
  /// this key is known to have received. It and all below are refused from the start (profile S16):
  /// too low a number lets some old packets in again, too high a one keeps new ones out. 0: none.
  std::uint64_t last_received = 0;

  [[nodiscard]] SenderSa clone() const {
    return {spi, source, outbound, generation, key.clone(), hard_lifetime_s, last_received};
  }
};

/// A group as the kernel should hold it on this host. Its policies are derived from it. Those of
/// its address, which all groups on that address share:
///  - guards: `out` and `in`, any source to `destination`, block, low priority;
///  - membership: `out` and `in`, IGMP or MLD to `destination` in clear, high priority: queries for
///    one group and the answers of older versions go to the group itself.
/// Those of its own:
///  - in: what comes for `ip_protocol` and `port` must have come through ESP;
///  - protect: `out`, from `own_source`, under the reqid of `active_generation`, if there is one;
///  - passage, with an `if_id`: `out`, to the XFRM interface, where the policies of that id wait.
struct GroupSpec {
  std::string group_name;  // for messages only
  GroupSlot slot = 0;
  AddressSlot address_slot = 0;
  IpAddress destination;          // the group's multicast data address
  std::uint8_t ip_protocol = 17;  // what the group carries
  std::uint16_t port = 0;         // destination port; 0 is "any"
  Attachment attachment;
  EspSuite suite = EspSuite::kAesGcm128;
  IpsecMode mode = IpsecMode::kTransport;
  SenderMode sender_mode = SenderMode::kPerSender;
  /// 0 in shared mode, where the senders' sequence numbers are not coordinated.
  std::uint32_t replay_window = kDefaultReplayWindow;
  /// Sequence numbers of 64 bits (RFC 4303 2.2.1), for all SAs of the group; not in shared mode.
  bool esn = false;
  /// In shared mode one for each generation.
  std::vector<SenderSa> senders;
  /// Address this host sends the group from; none if it is no sender.
  std::optional<IpAddress> own_source;
  /// The generation that outbound packets use now; none while only the guard stands (activation
  /// delay, or not a sender).
  std::optional<Generation> active_generation;
  Earlier earlier = Earlier::kRemove;
};

/// Our ranges: told from everybody else's by these and by our own record.
inline constexpr std::uint32_t kReqidBase = 0x47000000;

enum class SaDirection : std::uint8_t { kIn = 0, kOut = 1 };

[[nodiscard]] constexpr std::uint32_t reqid(GroupSlot slot, Generation generation,
                                            SaDirection direction) {
  return kReqidBase | (static_cast<std::uint32_t>(slot & kMaxSlot) << 12) |
         (static_cast<std::uint32_t>(generation & kMaxGeneration) << 1) |
         static_cast<std::uint32_t>(direction);
}
[[nodiscard]] constexpr bool is_our_reqid(std::uint32_t reqid) {
  return (reqid & 0xff000000U) == kReqidBase;
}

[[nodiscard]] constexpr Generation generation_of_reqid(std::uint32_t reqid) {
  return static_cast<Generation>((reqid >> 1) & kMaxGeneration);
}

/// The number is part of the policy's index; 2 was that of version 0.1's inbound policy, which
/// becomes the inbound guard in place.
enum class PolicyKind : std::uint8_t {
  kGuard = 1,
  kInGuard = 2,
  kProtect = 3,
  kIn = 4,
  kMembershipOut = 5,
  kMembershipIn = 6,
  kPassage = 7,
};

/// All of them, what admits before what blocks the rest: so they come, and nothing is blocked that
/// is to pass.
inline constexpr std::array kPolicyKinds{
    PolicyKind::kMembershipOut, PolicyKind::kMembershipIn, PolicyKind::kPassage, PolicyKind::kIn,
    PolicyKind::kInGuard,       PolicyKind::kGuard,        PolicyKind::kProtect};

[[nodiscard]] constexpr bool is_guard(PolicyKind kind) {
  return kind == PolicyKind::kGuard || kind == PolicyKind::kInGuard;
}

/// Of the address, not of one group: numbered by `AddressSlot`.
[[nodiscard]] constexpr bool is_of_address(PolicyKind kind) {
  switch (kind) {
    case PolicyKind::kGuard:
    case PolicyKind::kInGuard:
    case PolicyKind::kMembershipOut:
    case PolicyKind::kMembershipIn:
      return true;
    case PolicyKind::kProtect:
    case PolicyKind::kIn:
    case PolicyKind::kPassage:
      return false;
  }
  return false;
}

/// The kernel's numbers of directions; an index carries it in its low three bits.
inline constexpr std::uint32_t kPolicyIn = 0;
inline constexpr std::uint32_t kPolicyOut = 1;

[[nodiscard]] constexpr std::uint32_t policy_direction(PolicyKind kind) {
  switch (kind) {
    case PolicyKind::kGuard:
    case PolicyKind::kProtect:
    case PolicyKind::kMembershipOut:
    case PolicyKind::kPassage:
      return kPolicyOut;
    case PolicyKind::kIn:
    case PolicyKind::kInGuard:
    case PolicyKind::kMembershipIn:
      return kPolicyIn;
  }
  return kPolicyOut;
}

/// Policy indexes are chosen by us: base | slot << 8 | kind << 3 | direction. Positive as an int,
/// and far above what the kernel counts up to by itself.
inline constexpr std::uint32_t kPolicyIndexBase = 0x47000000;

[[nodiscard]] constexpr std::uint32_t policy_index(GroupSlot slot, PolicyKind kind) {
  return kPolicyIndexBase | (static_cast<std::uint32_t>(slot & kMaxSlot) << 8) |
         (static_cast<std::uint32_t>(kind) << 3) | policy_direction(kind);
}
[[nodiscard]] constexpr bool is_our_policy_index(std::uint32_t index) {
  return (index & 0xff000000U) == kPolicyIndexBase;
}
[[nodiscard]] constexpr GroupSlot slot_of_policy_index(std::uint32_t index) {
  return static_cast<GroupSlot>((index >> 8) & kMaxSlot);
}
/// Nothing if the index is not one that we choose.
[[nodiscard]] constexpr std::optional<PolicyKind> kind_of_policy_index(std::uint32_t index) {
  for (const PolicyKind kind : kPolicyKinds) {
    if (policy_index(slot_of_policy_index(index), kind) == index) return kind;
  }
  return std::nullopt;
}

/// IGMP, or ICMPv6 for MLD.
[[nodiscard]] constexpr std::uint8_t membership_protocol(IpFamily family) {
  return family == IpFamily::kV4 ? 2 : 58;
}

/// Lower numbers are preferred by the kernel.
inline constexpr std::uint32_t kMembershipPriority = 500;
inline constexpr std::uint32_t kPassagePriority = 500;
inline constexpr std::uint32_t kProtectPriority = 1000;
inline constexpr std::uint32_t kInPriority = 1000;
inline constexpr std::uint32_t kGuardPriority = 2000;

}  // namespace gkmpd::xfrm
