#include <algorithm>
#include <set>

#include "agent/crypto/hash.h"
#include "agent/identity/errors.h"
#include "agent/identity/token.h"
#include "agent/identity/toml_reader.h"

namespace gkmpd::identity {
namespace {

MemberList::Entry read_entry(FieldReader& reader) {
  MemberList::Entry entry;
  reader.name("name", entry.name);
  reader.address("address", Presence::kOptional, entry.address);
  if (entry.address && (entry.address->is_multicast() || entry.address->is_unspecified())) {
    reader.refuse("address", "must be the host's own unicast address");
  }
  reader.refuse_unknown();
  return entry;
}

}  // namespace

Result<MemberList> parse_member_list(std::string_view toml_text, std::string_view group) {
  if (toml_text.size() > kMaxMemberListSize) {
    return fail(kMemberListSyntax, "a member list may have " + std::to_string(kMaxMemberListSize) +
                                       " octets, this one has " + std::to_string(toml_text.size()));
  }
  auto table = parse_toml(toml_text, kMemberListSyntax);
  if (!table) return pass_on(table);

  MemberList list;
  FieldErrors errors(kMemberListSyntax);
  FieldReader reader(*table, "", errors);
  std::string kind;
  reader.text("kind", Presence::kRequired, kind);
  if (kind != kMemberListKind) {
    reader.refuse("kind", "must be \"" + std::string(kMemberListKind) + "\"");
  }
  std::string named_group;
  reader.name("group", named_group);
  if (named_group != group) {
    reader.refuse("group", "is not \"" + std::string(group) +
                               "\", which the token is for; take that group's list");
  }
  std::set<std::string_view> seen;
  for (FieldReader& member : reader.tables("member", kMaxMembers)) {
    list.members.push_back(read_entry(member));
  }
  for (const MemberList::Entry& entry : list.members) {
    if (!seen.insert(entry.name).second) {
      reader.refuse("member", "names \"" + entry.name + "\" twice");
    }
  }
  reader.refuse_unknown();
  if (auto read = errors.result(); !read) return pass_on(read);
  return list;
}

Result<MemberList> check_member_list(std::string_view toml_text, const GroupPolicy& policy) {
  if (crypto::sha256({as_bytes(toml_text)}) != policy.member_list_hash) {
    return fail(kMemberListDiffers,
                "the member list is not the one that the token's member_list_sha256 names; give "
                "the list that the token was signed with, or have a new token signed with this "
                "one");
  }
  auto list = parse_member_list(toml_text, policy.group);
  if (!list) return list;
  for (const std::string& sender : policy.senders) {
    const bool listed = std::ranges::any_of(
        list->members, [&](const MemberList::Entry& entry) { return entry.name == sender; });
    if (!listed && std::ranges::count(policy.controllers, sender) == 0) {
      return fail(kMemberListDiffers, "the token names \"" + sender +
                                          "\" as a sender, and the member list does not hold "
                                          "it; add it there, or take it from the senders");
    }
  }
  return list;
}

}  // namespace gkmpd::identity
