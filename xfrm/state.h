// SAs and policies one by one, as they are or should be in the kernel.
#pragma once

#include <compare>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/base/address.h"
#include "agent/base/error.h"
#include "agent/base/secret.h"
#include "xfrm/errors.h"
#include "xfrm/spec.h"

namespace gkmpd::xfrm {

enum class ObjectKind : std::uint8_t { kSa = 1, kPolicy = 2 };

/// How one of our objects is named in the record that outlives the agent. Nothing is deleted unless
/// the kernel shows an object with just this identity, in our ranges.
struct ObjectId {
  ObjectKind kind = ObjectKind::kSa;
  IpAddress destination;
  std::uint32_t spi_or_index = 0;
  /// Of an SA; 0 for every policy, since the reqid in a protect policy changes with each epoch.
  std::uint32_t reqid = 0;

  /// "SA 239.1.1.1 spi 0x0a000001", "policy 239.1.1.1 index 0x47000009".
  [[nodiscard]] std::string text() const;
  friend auto operator<=>(const ObjectId&, const ObjectId&) = default;
};

/// One ESP SA. Its selector is its source (the whole address) to its destination, protocol and
/// port: that is what binds the key to its sender and its group, since the inbound lookup ignores
/// the source and groups on one address share the SAs' table. A shared SA has the selector any
/// source.
struct SaState {
  std::uint32_t spi = 0;
  IpAddress source;  // unspecified in a shared SA
  IpAddress destination;
  std::uint8_t ip_protocol = 0;
  std::uint16_t port = 0;
  Attachment attachment;  // without an interface, which is for policies to choose
  std::uint32_t reqid = 0;
  EspSuite suite = EspSuite::kAesGcm128;
  IpsecMode mode = IpsecMode::kTransport;
  std::uint32_t replay_window = kDefaultReplayWindow;  // 0 in a shared SA
  bool esn = false;
  /// Of an SA read back: highest sequence number received so far. Of one to be installed: see
  /// `SenderSa`. Not compared.
  std::uint64_t last_received = 0;
  /// Empty in an SA read back from a kernel that tells no keys (locked down for confidentiality).
  Secret key;
  /// Of an SA to be installed: seconds from then on. Not compared: an installed SA keeps its own.
  std::uint64_t hard_lifetime_s = 0;
  /// False for an SA read back whose selector or anything else is not what we install.
  bool regular = true;

  [[nodiscard]] ObjectId id() const;
  [[nodiscard]] SaState clone() const;
  /// True unless another key is known; in constant time.
  [[nodiscard]] bool may_have_key(const Secret& other) const {
    return key.empty() || other.empty() || key.equals(other);
  }
  /// Everything but lifetime and sequence number, as far as it is known.
  [[nodiscard]] bool same_as(const SaState& other) const;
  [[nodiscard]] bool outbound() const { return (reqid & 1U) != 0; }
  /// Of all senders. If this host is one of them, the SA is `outbound` and serves both ways.
  [[nodiscard]] bool shared() const { return source.is_unspecified(); }
};

struct PolicyState {
  PolicyKind kind = PolicyKind::kGuard;
  std::uint32_t index = 0;  // decides the kind
  IpAddress destination;
  std::uint8_t ip_protocol = 0;  // 0: any, of the guards
  std::uint16_t port = 0;        // 0: any
  Attachment attachment;         // none of what the address has
  /// These two are of the protect policy alone.
  std::optional<IpAddress> source;
  std::uint32_t reqid = 0;
  /// Of the template; where there is none, kTransport.
  IpsecMode mode = IpsecMode::kTransport;
  /// False for a policy read back whose selector is ours but whose action, template or priority is
  /// not what we install.
  bool regular = true;

  [[nodiscard]] ObjectId id() const;
  /// Same direction, addresses, protocol, port and attachment: what the kernel tells policies apart
  /// by.
  [[nodiscard]] bool same_selector(const PolicyState& other) const;
  friend bool operator==(const PolicyState&, const PolicyState&) = default;
};

/// What is, or should be, in the kernel for one group.
struct KernelState {
  std::vector<SaState> sas;
  std::vector<PolicyState> policies;

  [[nodiscard]] KernelState clone() const;
  [[nodiscard]] bool empty() const { return sas.empty() && policies.empty(); }
};

/// Refuses what must never reach the kernel (`xfrm.bad-spec`): a destination that is no multicast
/// group or is link-scope, a source of another family, SPIs below 256 or twice, keys of the wrong
/// length, a lifetime of 0, a window out of range, more than one outbound SA per generation, an
/// outbound SA not from `own_source`, an active generation without its outbound SA, a sequence
/// number received that is of an outbound SA or not of its size; any protocol, or IGMP, ICMPv6, ESP
/// or AH, and a port where the protocol has none; a mark outside its mask, an `if_id` without an
/// interface. With a shared SA also tunnel mode, a counter-mode suite, a window, extended sequence
/// numbers, an SA bound to a source, two SAs of one generation; with an SA for each sender one that
/// is bound to none.
[[nodiscard]] Result<void> check(const GroupSpec& spec);

/// What the protect policy of a group with that attachment has of it: the packets of an XFRM
/// interface are told by its id, and show the interface below it.
[[nodiscard]] Attachment protected_under(const Attachment& attachment);

/// The SAs and policies that a spec means; in the order of installation. Assumes `check` passed.
[[nodiscard]] KernelState wanted_state(const GroupSpec& spec);

/// Their identities: what goes into the record before the kernel is touched.
[[nodiscard]] std::vector<ObjectId> objects_of(const GroupSpec& spec);

/// The identities of all policies that a group at `destination` may have.
[[nodiscard]] std::vector<ObjectId> policies_at(const IpAddress& destination, GroupSlot slot,
                                                AddressSlot address_slot);

}  // namespace gkmpd::xfrm
