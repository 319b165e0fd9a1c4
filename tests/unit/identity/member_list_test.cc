#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/crypto/hash.h"
#include "agent/identity/errors.h"
#include "agent/identity/token.h"
#include "tests/support/pki.h"

namespace gkmpd::identity {
namespace {

using testing::HasSubstr;

std::string two() {
  return test::member_list_text("demo", {{"a", std::nullopt}, {"b", IpAddress::parse("10.9.0.2")}});
}

void expect_refused(const std::string& text, const char* what) {
  const auto list = parse_member_list(text, "demo");
  ASSERT_FALSE(list) << text;
  EXPECT_EQ(list.error().kind, kMemberListSyntax);
  EXPECT_THAT(list.error().detail, HasSubstr(what));
}

TEST(MemberListTest, KeepsOrderAndAddresses) {
  const auto list = parse_member_list(two(), "demo");
  ASSERT_TRUE(list) << list.error().text();
  ASSERT_EQ(list->members.size(), 2U);
  EXPECT_EQ(list->members[0].name, "a");
  EXPECT_EQ(list->members[0].address, std::nullopt);
  EXPECT_EQ(list->members[1].name, "b");
  EXPECT_EQ(list->members[1].address, IpAddress::parse("10.9.0.2"));
}

TEST(MemberListTest, IsForItsGroupOnly) {
  const auto list = parse_member_list(two(), "other");
  ASSERT_FALSE(list);
  EXPECT_EQ(list.error().kind, kMemberListSyntax);
  EXPECT_THAT(list.error().detail, HasSubstr("\"other\""));
}

TEST(MemberListTest, FormIsStrict) {
  expect_refused("", "kind");
  expect_refused("kind = \"x\"\n", "kind");
  expect_refused("kind = \"gkmp-member-list-1\"\ngroup = \"demo\"\n", "member: is missing");
  expect_refused("kind = \"gkmp-member-list-1\"\ngroup = \"demo\"\nmember = []\n", "member");
  expect_refused("kind = \"gkmp-member-list-1\"\ngroup = \"demo\"\nmember = [\"a\"]\n", "member");
  expect_refused(two() + "[[member]]\nname = \"a\"\n", "names \"a\" twice");
  expect_refused(two() + "[[member]]\nname = \"C\"\n", "member 3 name");
  expect_refused(two() + "[[member]]\n", "member 3 name");
  expect_refused(two() + "port = 1\n", "member 2 port: is not a key");
  expect_refused("colour = 1\n" + two(), "colour: is not a key");
  expect_refused(two() + "[[member]]\nname = \"c\"\naddress = \"10.9.0\"\n", "member 3 address");
  expect_refused(two() + "[[member]]\nname = \"c\"\naddress = \"239.1.1.1\"\n", "unicast");
  expect_refused(two() + "[[member]]\nname = \"c\"\naddress = \"0.0.0.0\"\n", "unicast");
  expect_refused(two() + "[[member\n", "line");
}

TEST(MemberListTest, NumberOfMembersIsBounded) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kMaxMembers; ++i) names.push_back("h" + std::to_string(i));
  EXPECT_TRUE(parse_member_list(test::member_list_text("demo", names), "demo"));
  names.emplace_back("one-more");
  expect_refused(test::member_list_text("demo", names), "1 to 4096");
  expect_refused("#" + std::string(kMaxMemberListSize, 'x'), "octets");
}

GroupPolicy policy_for(const std::string& list, std::vector<std::string> senders) {
  test::PolicyOptions options;
  options.member_list_text = list;
  options.senders = std::move(senders);
  options.controllers = {"boss"};
  return parse_policy(test::policy_text(options)).value();
}

TEST(MemberListTest, IsBoundToTheTokenByItsHash) {
  EXPECT_TRUE(check_member_list(two(), policy_for(two(), {"b"})));
  const auto other = check_member_list(two() + "\n", policy_for(two(), {"b"}));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, kMemberListDiffers);
}

TEST(MemberListTest, SendersAreMembersOrControllers) {
  EXPECT_TRUE(check_member_list(two(), policy_for(two(), {"a", "boss"})));
  const auto stranger = check_member_list(two(), policy_for(two(), {"a", "x"}));
  ASSERT_FALSE(stranger);
  EXPECT_EQ(stranger.error().kind, kMemberListDiffers);
  EXPECT_THAT(stranger.error().detail, HasSubstr("\"x\""));
}

}  // namespace
}  // namespace gkmpd::identity
