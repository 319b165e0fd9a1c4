#include "xfrm/state.h"

#include <algorithm>
#include <cstdio>
#include <set>

namespace gkmpd::xfrm {
namespace {

// RFC 4303 2.1 reserves SPIs 1 to 255; 0 must not be on the wire.
constexpr std::uint32_t kMinSpi = 256;
constexpr std::uint64_t kMaxSequence = 0xffffffff;  // without ESN

std::string hex32(std::uint32_t value) {
  char text[16];
  (void)std::snprintf(text, sizeof text, "0x%08x", value);
  return text;
}

tl::unexpected<Error> bad(const GroupSpec& spec, std::string what) {
  return fail(kBadSpec, "group " + spec.group_name + ": " + std::move(what));
}

Result<void> check_sender_mode(const GroupSpec& spec) {
  const std::string window = "replay window of " + std::to_string(spec.replay_window);
  switch (spec.sender_mode) {
    case SenderMode::kPerSender:
      if (spec.replay_window < kMinReplayWindow || spec.replay_window > kMaxReplayWindow)
        return bad(spec, window);
      break;
    case SenderMode::kShared:
      if (is_counter_mode(spec.suite))
        return bad(spec, "a shared SA in a counter mode: senders would repeat IVs (RFC 6054)");
      if (spec.replay_window != 0)
        return bad(spec, "a shared SA with a " + window + ": senders share no sequence numbers");
      // The kernel takes the outer source from the SA.
      if (spec.mode == IpsecMode::kTunnel)
        return bad(spec, "a shared SA in tunnel mode: it has no sender's address to put outside");
      // The kernel refuses them without a window: the upper half is guessed from it.
      if (spec.esn) return bad(spec, "a shared SA with extended sequence numbers");
      break;
  }
  return {};
}

bool is_host_address(const IpAddress& address) {
  return !address.is_multicast() && !address.is_unspecified();
}

/// The source of an SA, which is named by `name` in messages.
Result<void> check_source(const GroupSpec& spec, const SenderSa& sender, const std::string& name) {
  const auto bad_source = [&](const char* why) {
    return bad(spec, name + "source " + sender.source.text() + why);
  };
  if (sender.source.family != spec.destination.family) return bad_source(" is of the other family");
  switch (spec.sender_mode) {
    case SenderMode::kPerSender:
      if (!is_host_address(sender.source)) return bad_source(" is no host's address");
      if (sender.outbound && sender.source != spec.own_source)
        return bad(spec, name + "outbound, but not from this host's source address");
      break;
    case SenderMode::kShared:
      if (!sender.source.is_unspecified())
        return bad_source(" of a shared SA, which is any sender's");
      if (sender.outbound && !spec.own_source)
        return bad(spec, name + "outbound, but this host has no source address");
      break;
  }
  return {};
}

Result<void> check_sender(const GroupSpec& spec, const SenderSa& sender) {
  const std::string name = "SPI " + hex32(sender.spi) + ": ";
  if (sender.spi < kMinSpi) return bad(spec, name + "reserved by RFC 4303");
  if (auto sound = check_source(spec, sender, name); !sound) return sound;
  if (sender.key.size() != key_material_size(spec.suite))
    return bad(spec, name + "key material of " + std::to_string(sender.key.size()) + " octets");
  if (sender.hard_lifetime_s == 0) return bad(spec, name + "no lifetime left");
  if (sender.generation > kMaxGeneration) return bad(spec, name + "generation out of range");
  if (sender.last_received != 0) {
    if (sender.outbound || spec.replay_window == 0)
      return bad(spec, name + "a sequence number received, where no window is to start from it");
    if (!spec.esn && sender.last_received > kMaxSequence)
      return bad(spec, name + "a sequence number of more than 32 bits");
  }
  return {};
}

Result<void> check_senders(const GroupSpec& spec) {
  std::set<std::uint32_t> spis;
  std::set<Generation> shared;
  std::set<Generation> sending;
  for (const SenderSa& sender : spec.senders) {
    if (auto sound = check_sender(spec, sender); !sound) return sound;
    if (!spis.insert(sender.spi).second) return bad(spec, "SPI " + hex32(sender.spi) + " twice");
    if (spec.sender_mode == SenderMode::kShared && !shared.insert(sender.generation).second)
      return bad(spec, "two shared SAs of generation " + std::to_string(sender.generation));
    // The kernel would pick one of the two by itself, and not reliably the newer.
    if (sender.outbound && !sending.insert(sender.generation).second)
      return bad(spec, "two outbound SAs of generation " + std::to_string(sender.generation));
  }
  if (spec.active_generation && !sending.contains(*spec.active_generation))
    return bad(
        spec, "no outbound SA in the active generation " + std::to_string(*spec.active_generation));
  return {};
}

/// What the protect policy is bound to.
Result<void> check_own_source(const GroupSpec& spec) {
  if (!spec.own_source) {
    if (spec.active_generation) return bad(spec, "an active generation but no source address");
    return {};
  }
  const std::string own_source = "own source " + spec.own_source->text();
  if (spec.own_source->family != spec.destination.family)
    return bad(spec, own_source + " is of the other family");
  if (!is_host_address(*spec.own_source)) return bad(spec, own_source + " is no host's address");
  return {};
}

/// What of the address's traffic is the group's.
Result<void> check_selector(const GroupSpec& spec) {
  const std::string protocol = "protocol " + std::to_string(spec.ip_protocol);
  // Any protocol would be the selector of the guards; and memberships are told in clear.
  if (!is_protectable(spec.ip_protocol)) return bad(spec, protocol);
  if (spec.port != 0 && !has_ports(spec.ip_protocol)) return bad(spec, protocol + " with a port");
  const Attachment& attachment = spec.attachment;
  if ((attachment.mark & ~attachment.mark_mask) != 0) return bad(spec, "a mark beyond its mask");
  if (attachment.if_id != 0 && attachment.interface == 0)
    return bad(spec, "an XFRM interface id but no interface");
  return {};
}

PolicyState policy_of(const GroupSpec& spec, PolicyKind kind) {
  PolicyState policy;
  policy.kind = kind;
  policy.index = policy_index(is_of_address(kind) ? spec.address_slot : spec.slot, kind);
  policy.destination = spec.destination;
  switch (kind) {
    case PolicyKind::kGuard:
    case PolicyKind::kInGuard:
      return policy;
    case PolicyKind::kMembershipOut:
    case PolicyKind::kMembershipIn:
      policy.ip_protocol = membership_protocol(spec.destination.family);
      return policy;
    case PolicyKind::kPassage:
      policy.attachment.interface = spec.attachment.interface;
      break;
    case PolicyKind::kIn:
      policy.attachment = spec.attachment;
      policy.attachment.interface = 0;
      policy.mode = spec.mode;
      break;
    case PolicyKind::kProtect:
      policy.attachment = protected_under(spec.attachment);
      policy.mode = spec.mode;
      policy.source = spec.own_source;
      policy.reqid = reqid(spec.slot, *spec.active_generation, SaDirection::kOut);
      break;
  }
  policy.ip_protocol = spec.ip_protocol;
  policy.port = spec.port;
  return policy;
}

bool is_wanted(const GroupSpec& spec, PolicyKind kind) {
  switch (kind) {
    case PolicyKind::kProtect:
      return spec.active_generation.has_value();
    case PolicyKind::kPassage:
      return spec.attachment.if_id != 0 && spec.attachment.interface != 0;
    case PolicyKind::kGuard:
    case PolicyKind::kInGuard:
    case PolicyKind::kIn:
    case PolicyKind::kMembershipOut:
    case PolicyKind::kMembershipIn:
      return true;
  }
  return false;
}

SaState sa_of(const GroupSpec& spec, const SenderSa& sender) {
  SaState sa;
  sa.spi = sender.spi;
  sa.source = sender.source;
  sa.destination = spec.destination;
  sa.ip_protocol = spec.ip_protocol;
  sa.port = spec.port;
  sa.attachment = spec.attachment;
  sa.attachment.interface = 0;
  sa.reqid =
      reqid(spec.slot, sender.generation, sender.outbound ? SaDirection::kOut : SaDirection::kIn);
  sa.suite = spec.suite;
  sa.mode = spec.mode;
  sa.replay_window = spec.replay_window;
  sa.esn = spec.esn;
  sa.last_received = sender.last_received;
  sa.key = sender.key.clone();
  sa.hard_lifetime_s = sender.hard_lifetime_s;
  return sa;
}

}  // namespace

std::string ObjectId::text() const {
  switch (kind) {
    case ObjectKind::kSa:
      return "SA " + destination.text() + " spi " + hex32(spi_or_index);
    case ObjectKind::kPolicy:
      return "policy " + destination.text() + " index " + hex32(spi_or_index);
  }
  return {};
}

ObjectId SaState::id() const { return {ObjectKind::kSa, destination, spi, reqid}; }

SaState SaState::clone() const {
  SaState copy;
  copy.spi = spi;
  copy.source = source;
  copy.destination = destination;
  copy.ip_protocol = ip_protocol;
  copy.port = port;
  copy.attachment = attachment;
  copy.reqid = reqid;
  copy.suite = suite;
  copy.mode = mode;
  copy.replay_window = replay_window;
  copy.esn = esn;
  copy.last_received = last_received;
  copy.key = key.clone();
  copy.hard_lifetime_s = hard_lifetime_s;
  copy.regular = regular;
  return copy;
}

bool SaState::same_as(const SaState& other) const {
  return id() == other.id() && source == other.source && ip_protocol == other.ip_protocol &&
         port == other.port && attachment == other.attachment && suite == other.suite &&
         mode == other.mode && replay_window == other.replay_window && esn == other.esn &&
         regular == other.regular && may_have_key(other.key);
}

ObjectId PolicyState::id() const { return {ObjectKind::kPolicy, destination, index, 0}; }

bool PolicyState::same_selector(const PolicyState& other) const {
  return policy_direction(kind) == policy_direction(other.kind) &&
         destination == other.destination && source == other.source &&
         ip_protocol == other.ip_protocol && port == other.port && attachment == other.attachment;
}

KernelState KernelState::clone() const {
  KernelState copy;
  for (const SaState& sa : sas) copy.sas.push_back(sa.clone());
  copy.policies = policies;
  return copy;
}

Result<void> check(const GroupSpec& spec) {
  if (!spec.destination.is_multicast())
    return bad(spec, spec.destination.text() + " is no multicast group");
  // IGMP, MLD, ND and routing live there: a policy on it would cut the host off.
  if (spec.destination.is_link_scope_multicast())
    return bad(spec, spec.destination.text() + " is link-scope");
  if (spec.slot > kMaxGroupSlot || spec.address_slot > kMaxAddressSlot)
    return bad(spec, "slot out of range");
  if (auto sound = check_sender_mode(spec); !sound) return sound;
  if (auto sound = check_own_source(spec); !sound) return sound;
  if (auto sound = check_selector(spec); !sound) return sound;
  return check_senders(spec);
}

Attachment protected_under(const Attachment& attachment) {
  Attachment out = attachment;
  if (out.if_id != 0) out.interface = 0;
  return out;
}

KernelState wanted_state(const GroupSpec& spec) {
  KernelState state;
  for (const PolicyKind kind : kPolicyKinds)
    if (is_wanted(spec, kind)) state.policies.push_back(policy_of(spec, kind));
  for (const bool outbound : {false, true}) {
    for (const SenderSa& sender : spec.senders)
      if (sender.outbound == outbound) state.sas.push_back(sa_of(spec, sender));
  }
  return state;
}

std::vector<ObjectId> policies_at(const IpAddress& destination, GroupSlot slot,
                                  AddressSlot address_slot) {
  std::vector<ObjectId> ids;
  for (const PolicyKind kind : kPolicyKinds)
    ids.push_back({ObjectKind::kPolicy, destination,
                   policy_index(is_of_address(kind) ? address_slot : slot, kind), 0});
  return ids;
}

std::vector<ObjectId> objects_of(const GroupSpec& spec) {
  const KernelState state = wanted_state(spec);
  std::vector<ObjectId> ids;
  for (const PolicyState& policy : state.policies) ids.push_back(policy.id());
  for (const SaState& sa : state.sas) ids.push_back(sa.id());
  return ids;
}

}  // namespace gkmpd::xfrm
