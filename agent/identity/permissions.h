// The permission certificate's content (RFC 2093 3.12, 3.15) and the rule that compares it with
// what a group asks (readings: dominance).
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "agent/base/bytes.h"
#include "agent/base/error.h"
#include "agent/identity/names.h"

namespace gkmpd::identity {

inline constexpr std::size_t kMaxCategories = 64;
inline constexpr std::size_t kMaxGroupNames = 64;
inline constexpr std::size_t kMaxPermissionsSize = 8 * 1024;

/// Bits of the roles BIT STRING, in the order of its named bits.
enum class Role : std::uint8_t {
  kMember = 0,
  kSender = 1,
  kController = 2,
  kDistributor = 3,
  kCommander = 4,
};

[[nodiscard]] std::string_view to_text(Role role);
[[nodiscard]] Result<Role> role_from_text(std::string_view text);

/// DER: SEQUENCE { version INTEGER (1), level INTEGER (0..255), categories SET OF UTF8String,
/// roles BIT STRING, groups SEQUENCE OF UTF8String }. `groups` names what the host may control or
/// command; "*" alone means every group.
struct Permissions {
  std::uint8_t level = 0;
  std::set<std::string> categories;
  std::set<Role> roles;
  std::vector<std::string> groups;

  [[nodiscard]] bool has(Role role) const { return roles.contains(role); }
  [[nodiscard]] bool covers_group(std::string_view group) const;

  friend bool operator==(const Permissions&, const Permissions&) = default;
};

/// Strict DER: anything that encode() would not produce is `identity.bad-permissions`.
[[nodiscard]] Result<Permissions> decode_permissions(ByteView der);
[[nodiscard]] Bytes encode_permissions(const Permissions& permissions);

/// What a host must have to hold a group's keys.
struct Classification {
  std::uint8_t level = 0;
  std::set<std::string> categories;

  friend bool operator==(const Classification&, const Classification&) = default;
};

/// Level at least the group's and categories a superset; `identity.level-too-low`,
/// `identity.category-missing` (the detail names it).
[[nodiscard]] Result<void> check_dominates(const Permissions& holder, const Classification& group);

/// Everything `inner` has is within what `outer` (its issuer) has; `identity.exceeds-issuer`.
[[nodiscard]] Result<void> check_within(const Permissions& inner, const Permissions& outer);

}  // namespace gkmpd::identity
