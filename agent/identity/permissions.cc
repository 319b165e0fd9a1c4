#include "agent/identity/permissions.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "agent/identity/der.h"
#include "agent/identity/errors.h"

namespace gkmpd::identity {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::string_view kEveryGroup = "*";

constexpr std::array kRoles = {
    std::pair{Role::kMember, std::string_view("member")},
    std::pair{Role::kSender, std::string_view("sender")},
    std::pair{Role::kController, std::string_view("controller")},
    std::pair{Role::kDistributor, std::string_view("distributor")},
    std::pair{Role::kCommander, std::string_view("commander")},
};

tl::unexpected<Error> bad(const std::string& what) {
  return fail(kBadPermissions,
              "permission extension: " + what + "; have the certificate issued again");
}

std::uint8_t bit_of(Role role) {
  return static_cast<std::uint8_t>(0x80U >> static_cast<unsigned>(role));
}

/// DER orders the elements of a SET OF by their encodings, so shorter names come first.
bool in_der_order(ByteView a, ByteView b) {
  if (a.size() != b.size()) return a.size() < b.size();
  return std::ranges::lexicographical_compare(a, b);
}

Result<std::set<std::string>> decode_categories(ByteView content) {
  der::Reader reader(content);
  std::set<std::string> categories;
  ByteView previous;
  while (!reader.at_end()) {
    const auto name = reader.take(der::kUtf8String);
    if (!name) return bad("categories are not UTF8Strings");
    if (!is_valid_name(as_text(*name))) return bad("a category's name is not a valid name");
    if (!categories.empty() && !in_der_order(previous, *name)) {
      return bad("categories are not in order, or one stands twice");
    }
    if (categories.size() == kMaxCategories) return bad("too many categories");
    categories.emplace(as_text(*name));
    previous = *name;
  }
  return categories;
}

/// Named-bit form (X.690 11.2.2): no trailing zero bits, unused bits zero.
Result<std::set<Role>> decode_roles(ByteView content) {
  std::set<Role> roles;
  if (content.size() == 1 && content[0] == 0) return roles;
  if (content.size() != 2) return bad("roles are not a short BIT STRING");
  const std::uint8_t bits = content[1];
  if (bits == 0 || std::countr_zero(bits) != content[0]) return bad("roles' last bit is not set");
  std::uint8_t known = 0;
  for (const auto& [role, text] : kRoles) {
    known = static_cast<std::uint8_t>(known | bit_of(role));
    if ((bits & bit_of(role)) != 0) roles.insert(role);
  }
  if ((bits & ~known) != 0) return bad("a role is unknown");
  return roles;
}

Result<std::vector<std::string>> decode_groups(ByteView content) {
  der::Reader reader(content);
  std::vector<std::string> groups;
  while (!reader.at_end()) {
    const auto name = reader.take(der::kUtf8String);
    if (!name) return bad("groups are not UTF8Strings");
    const std::string group(as_text(*name));
    if (group != kEveryGroup && !is_valid_name(group)) return bad("a group's name is not valid");
    if (std::ranges::count(groups, group) != 0) return bad("a group stands twice");
    if (groups.size() == kMaxGroupNames) return bad("too many groups");
    groups.push_back(group);
  }
  if (groups.size() > 1 && std::ranges::count(groups, kEveryGroup) != 0) {
    return bad("\"*\" stands beside other groups");
  }
  return groups;
}

}  // namespace

std::string_view to_text(Role role) {
  for (const auto& [known, text] : kRoles) {
    if (known == role) return text;
  }
  return "unknown";
}

Result<Role> role_from_text(std::string_view text) {
  for (const auto& [role, known] : kRoles) {
    if (known == text) return role;
  }
  return fail(kBadPermissions,
              "no such role; roles are member, sender, controller, distributor and commander");
}

bool Permissions::covers_group(std::string_view group) const {
  return std::ranges::any_of(groups, [group](const std::string& covered) {
    return covered == kEveryGroup || covered == group;
  });
}

Result<Permissions> decode_permissions(ByteView der) {
  if (der.size() > kMaxPermissionsSize) return bad("too large");
  der::Reader outer(der);
  const auto sequence = outer.take(der::kSequence);
  if (!sequence || !outer.at_end()) return bad("not exactly one SEQUENCE");

  der::Reader fields(*sequence);
  const auto version = fields.take_small_integer();
  if (!version) return bad("no version");
  if (*version != kVersion) return bad("version " + std::to_string(*version) + " is unknown");
  const auto level = fields.take_small_integer();
  if (!level) return bad("level is not a number from 0 to 255");
  const auto categories_content = fields.take(der::kSet);
  if (!categories_content) return bad("no categories");
  const auto roles_content = fields.take(der::kBitString);
  if (!roles_content) return bad("no roles");
  const auto groups_content = fields.take(der::kSequence);
  if (!groups_content) return bad("no groups");
  if (!fields.at_end()) return bad("more than is known");

  auto categories = decode_categories(*categories_content);
  if (!categories) return pass_on(categories);
  auto roles = decode_roles(*roles_content);
  if (!roles) return pass_on(roles);
  auto groups = decode_groups(*groups_content);
  if (!groups) return pass_on(groups);
  return Permissions{*level, std::move(*categories), std::move(*roles), std::move(*groups)};
}

Bytes encode_permissions(const Permissions& permissions) {
  std::vector<ByteView> ordered;
  for (const std::string& name : permissions.categories) ordered.push_back(as_bytes(name));
  std::ranges::sort(ordered, in_der_order);
  Bytes categories;
  for (const ByteView name : ordered) append(categories, der::encode(der::kUtf8String, name));

  std::uint8_t bits = 0;
  for (const Role role : permissions.roles) bits = static_cast<std::uint8_t>(bits | bit_of(role));
  Bytes roles{0};
  if (bits != 0) roles = {static_cast<std::uint8_t>(std::countr_zero(bits)), bits};

  Bytes groups;
  for (const std::string& name : permissions.groups) {
    append(groups, der::encode(der::kUtf8String, as_bytes(name)));
  }

  Bytes content = der::encode_small_integer(kVersion);
  append(content, der::encode_small_integer(permissions.level));
  append(content, der::encode(der::kSet, categories));
  append(content, der::encode(der::kBitString, roles));
  append(content, der::encode(der::kSequence, groups));
  return der::encode(der::kSequence, content);
}

Result<void> check_dominates(const Permissions& holder, const Classification& group) {
  if (holder.level < group.level) {
    return fail(kLevelTooLow, "the group asks for level " + std::to_string(group.level) +
                                  " and the certificate grants " + std::to_string(holder.level) +
                                  "; have one issued with the group's level");
  }
  for (const std::string& category : group.categories) {
    if (!holder.categories.contains(category)) {
      return fail(kCategoryMissing, "the certificate lacks the group's category \"" + category +
                                        "\"; have one issued with it");
    }
  }
  return {};
}

Result<void> check_within(const Permissions& inner, const Permissions& outer) {
  const auto exceeds = [](const std::string& what) {
    return fail(kExceedsIssuer, what +
                                    " is more than the issuer's certificate grants; have the "
                                    "certificate issued by somebody who may grant it");
  };
  if (inner.level > outer.level) return exceeds("level " + std::to_string(inner.level));
  for (const std::string& category : inner.categories) {
    if (!outer.categories.contains(category)) return exceeds("category \"" + category + "\"");
  }
  for (const Role role : inner.roles) {
    if (!outer.has(role)) return exceeds("role " + std::string(to_text(role)));
  }
  for (const std::string& group : inner.groups) {
    if (!outer.covers_group(group)) return exceeds("group \"" + group + "\"");
  }
  return {};
}

}  // namespace gkmpd::identity
