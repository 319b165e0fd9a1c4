// What a command to create a group means for it: whom to ask, which tuple and sender ids come next.
#include <algorithm>
#include <limits>

#include "agent/protocol/controller_group.h"
#include "agent/protocol/errors.h"

namespace gkmpd::protocol {

Result<void> ControllerGroup::take_members(const identity::MemberList& list) {
  for (const identity::MemberList::Entry& listed : list.members) {
    if (listed.name == context_.self.name) continue;
    const IpFamily family = token_.policy.family();
    std::optional<IpAddress> address = listed.address;
    if (!address) {
      const auto known = context_.config.hosts.find(listed.name);
      const IpAddress* found =
          known == context_.config.hosts.end() ? nullptr : find_family(known->second, family);
      if (found == nullptr) {
        return fail(kNoAddress, std::string("no ") + (family == IpFamily::kV4 ? "IPv4" : "IPv6") +
                                    " address for " + listed.name +
                                    ": put one into the member list, or under [hosts] of the "
                                    "configuration");
      }
      address = *found;
    }
    if (address->family != family) {
      return fail(kAddressFamily, listed.name + " has address " + address->text() +
                                      ", which is of another family than the group's");
    }
    members_.push_back({.name = listed.name, .address = *address, .why = {}, .retry_at = {}});
  }
  receiver_initiated_ = members_.empty();
  if (receiver_initiated_ && token_.policy.joins != identity::JoinPolicy::kPermitted) {
    return fail(kNoMembers,
                "the member list names nobody but this host, and the token does not let others "
                "join: list somebody, or have a token signed with joins = \"permitted\"");
  }
  return {};
}

/// The next tuple (profile P1, S5): terms restart with a token version, epochs count on.
Result<void> ControllerGroup::plan_epoch() {
  if (const GroupFloor* held = context_.floor(token_.group_id)) floor_ = *held;
  constexpr auto kMax = std::numeric_limits<std::uint32_t>::max();
  const std::uint32_t version = token_.policy.version;
  const bool same_version = floor_.tuple.token_version == version;
  const std::uint32_t term = same_version ? floor_.tuple.term : 0;
  if (term == kMax) return fail(kNumbersExhausted, "sign a token with a higher version");
  // Epochs count on over token versions too; but a controller that once signed the last one must
  // not end the group for ever. A higher version is above it, whatever its epoch.
  if (floor_.tuple.epoch == kMax && !same_version) floor_.tuple.epoch = 0;
  if (floor_.tuple.epoch == kMax) {
    return fail(kNumbersExhausted, "all epochs are used: sign a token with a higher version");
  }
  floor_.tuple = {version, term + 1, rank_, floor_.tuple.epoch + 1};
  floor_.token = {version, token_.hash};
  return {};
}

/// Ids of this epoch (profile P24): the block is saved as used together with the tuple.
Result<void> ControllerGroup::assign_senders() {
  constexpr std::uint32_t kMaxId = std::numeric_limits<std::uint16_t>::max();
  // The one SA that all share is never burnt: no run.
  const bool shared = token_.policy.sender_mode == xfrm::SenderMode::kShared;
  const std::uint16_t run = shared ? std::uint16_t{1} : kSenderRun;
  const auto needed = static_cast<std::uint32_t>(token_.policy.senders.size()) * run;
  // An id may serve again in another epoch: its SPI and key are others there.
  if (floor_.next_sender_id == 0 || floor_.next_sender_id + needed > kMaxId) {
    floor_.next_sender_id = 1;
  }
  for (const std::string& name : token_.policy.senders) {
    IpAddress source = *context_.own_address(token_.policy.family());
    if (name != context_.self.name) {
      const auto listed = std::ranges::find(members_, name, &Entry::name);
      if (listed == members_.end()) {
        return fail(kSenderNotListed, "the token's sender " + name +
                                          " is not in the member list: it would get no keys");
      }
      source = listed->address;
    }
    senders_.entries.push_back({context_.name_hash(name), floor_.next_sender_id, run, {source}});
    floor_.next_sender_id = static_cast<std::uint16_t>(floor_.next_sender_id + run);
  }
  return {};
}

}  // namespace gkmpd::protocol
