// The permission extension octet by octet, and the rules that compare permissions.
#include "agent/identity/permissions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/identity/errors.h"

namespace gkmpd::identity {
namespace {

using testing::HasSubstr;

Bytes hex(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != ' ') digits.push_back(c);
  }
  return from_hex(digits).value();
}

Permissions ordinary() { return {2, {"a", "blue"}, {Role::kMember, Role::kSender}, {"demo"}}; }

constexpr const char* kOrdinary =
    "301d 020101 020102 3109 0c0161 0c04626c7565 030206c0 3006 0c0464656d6f";

TEST(Permissions, HaveOneEncoding) {
  EXPECT_EQ(to_hex(encode_permissions(ordinary())), to_hex(hex(kOrdinary)));
  EXPECT_EQ(decode_permissions(hex(kOrdinary)), ordinary());
}

TEST(Permissions, RoundTripAtTheirLimits) {
  Permissions most{255, {}, {}, {}};
  for (std::size_t i = 0; i < kMaxCategories; ++i) {
    most.categories.insert(std::string(i % kMaxNameSize + 1, static_cast<char>('a' + i % 26)));
  }
  for (const Role role :
       {Role::kMember, Role::kSender, Role::kController, Role::kDistributor, Role::kCommander}) {
    most.roles.insert(role);
  }
  for (std::size_t i = 0; i < kMaxGroupNames; ++i) most.groups.push_back(std::to_string(i));
  for (const Permissions& permissions :
       {most, Permissions{}, Permissions{127, {}, {Role::kCommander}, {"*"}},
        Permissions{128, {"z", "aa"}, {Role::kMember}, {"b", "a"}}}) {
    const Bytes der = encode_permissions(permissions);
    const auto decoded = decode_permissions(der);
    ASSERT_TRUE(decoded) << decoded.error().text();
    EXPECT_EQ(*decoded, permissions);
    EXPECT_EQ(encode_permissions(*decoded), der);
  }
}

TEST(Permissions, EveryTruncationIsRefused) {
  const Bytes der = hex(kOrdinary);
  for (std::size_t size = 0; size < der.size(); ++size) {
    const auto decoded = decode_permissions(ByteView(der).first(size));
    ASSERT_FALSE(decoded) << size;
    EXPECT_EQ(decoded.error().kind, kBadPermissions);
  }
}

TEST(Permissions, NoOctetCanBeChangedUnnoticed) {
  const Bytes der = hex(kOrdinary);
  for (std::size_t at = 0; at < der.size(); ++at) {
    for (unsigned flip = 1; flip < 256; ++flip) {
      Bytes other = der;
      other[at] = static_cast<std::uint8_t>(other[at] ^ flip);
      const auto decoded = decode_permissions(other);
      if (!decoded) continue;
      EXPECT_NE(*decoded, ordinary()) << at;
      EXPECT_EQ(encode_permissions(*decoded), other) << at;
    }
  }
}

struct Refused {
  const char* name;
  const char* der;
  const char* why;
};

class RefusedPermissions : public testing::TestWithParam<Refused> {};

TEST_P(RefusedPermissions, AreRefusedWithTheReason) {
  const auto decoded = decode_permissions(hex(GetParam().der));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().kind, kBadPermissions);
  EXPECT_THAT(decoded.error().detail, HasSubstr(GetParam().why));
}

constexpr Refused kRefused[] = {
    {"TrailingOctet", "300d 020101 020102 3100 030100 3000 00", "SEQUENCE"},
    {"OctetInsideBehindAll", "300f 020101 020102 3100 030100 3000 0500", "more than is known"},
    {"IndefiniteLength", "3080 020101 020102 3100 030100 3000 0000", "SEQUENCE"},
    {"LongFormForShortLength", "30810d 020101 020102 3100 030100 3000", "SEQUENCE"},
    {"TwoOctetFormForShortLength", "3082000d 020101 020102 3100 030100 3000", "SEQUENCE"},
    {"LengthBeyondTheEnd", "300e 020101 020102 3100 030100 3000", "SEQUENCE"},
    {"FourOctetLength", "3084ffffffff 020101", "SEQUENCE"},
    {"UnknownVersion", "300d 020102 020102 3100 030100 3000", "version 2"},
    {"PaddedLevel", "300e 020101 02020002 3100 030100 3000", "level"},
    {"NegativeLevel", "300d 020101 020180 3100 030100 3000", "level"},
    {"LevelTooLarge", "300e 020101 02020100 3100 030100 3000", "level"},
    {"EmptyInteger", "300c 020101 0200 3100 030100 3000", "level"},
    {"CategoriesUnsorted", "3014 020101 020102 3107 0c026161 0c0161 030100 3000", "in order"},
    {"CategoryTwice", "3013 020101 020102 3106 0c0161 0c0161 030100 3000", "in order"},
    {"CategoryOtherString", "3010 020101 020102 3103 130161 030100 3000", "UTF8String"},
    {"CategoryUpperCase", "3010 020101 020102 3103 0c0141 030100 3000", "valid name"},
    {"CategoryEmpty", "300f 020101 020102 3102 0c00 030100 3000", "valid name"},
    {"CategoryNotUtf8", "3010 020101 020102 3103 0c01ff 030100 3000", "valid name"},
    {"RolesTrailingZero", "300e 020101 020102 3100 03020580 3000", "last bit"},
    {"RolesUnusedBitsSet", "300e 020101 020102 3100 030206e0 3000", "last bit"},
    {"RolesEmptyWithOctet", "300e 020101 020102 3100 03020000 3000", "last bit"},
    {"RolesUnknownBit", "300e 020101 020102 3100 03020204 3000", "unknown"},
    {"RolesTwoOctets", "300f 020101 020102 3100 0303078080 3000", "short BIT STRING"},
    {"RolesNoOctets", "300c 020101 020102 3100 0300 3000", "short BIT STRING"},
    {"RolesEightUnused", "300e 020101 020102 3100 03020880 3000", "last bit"},
    {"GroupTwice", "3013 020101 020102 3100 030100 3006 0c0161 0c0161", "twice"},
    {"StarBesideGroup", "3013 020101 020102 3100 030100 3006 0c012a 0c0161", "beside"},
    {"GroupNotAName", "3010 020101 020102 3100 030100 3003 0c0141", "not valid"},
    {"FieldsSwapped", "300d 020101 020102 030100 3100 3000", "no categories"},
};

INSTANTIATE_TEST_SUITE_P(Forms, RefusedPermissions, testing::ValuesIn(kRefused),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Permissions, MoreThanTheMaximaAreRefused) {
  Permissions many = ordinary();
  for (std::size_t i = 0; many.categories.size() <= kMaxCategories; ++i) {
    many.categories.insert("c" + std::to_string(i));
  }
  EXPECT_THAT(decode_permissions(encode_permissions(many)).error().detail,
              HasSubstr("too many categories"));
  many = ordinary();
  while (many.groups.size() <= kMaxGroupNames) {
    many.groups.push_back("g" + std::to_string(many.groups.size()));
  }
  EXPECT_THAT(decode_permissions(encode_permissions(many)).error().detail,
              HasSubstr("too many groups"));
  EXPECT_THAT(decode_permissions(Bytes(kMaxPermissionsSize + 1)).error().detail,
              HasSubstr("too large"));
}

TEST(Names, AreLowerCaseAndBounded) {
  for (const char* name : {"a", "host-1.example", "0_x"}) EXPECT_TRUE(is_valid_name(name)) << name;
  EXPECT_TRUE(is_valid_name(std::string(kMaxNameSize, 'a')));
  EXPECT_FALSE(is_valid_name(std::string(kMaxNameSize + 1, 'a')));
  for (const char* name : {"", "A", "a b", "a/b", "\xc3\xa4", "*", "a\n"}) {
    EXPECT_FALSE(is_valid_name(name)) << name;
  }
  EXPECT_FALSE(is_valid_name(std::string_view("a\0", 2)));
}

TEST(Roles, HaveNamesBothWays) {
  for (const Role role :
       {Role::kMember, Role::kSender, Role::kController, Role::kDistributor, Role::kCommander}) {
    EXPECT_EQ(role_from_text(to_text(role)), role);
  }
  EXPECT_FALSE(role_from_text("Member"));
}

TEST(Groups, AreCoveredByNameOrStar) {
  Permissions holder = ordinary();
  EXPECT_TRUE(holder.covers_group("demo"));
  EXPECT_FALSE(holder.covers_group("demo2"));
  EXPECT_FALSE(holder.covers_group("*"));
  holder.groups = {"*"};
  EXPECT_TRUE(holder.covers_group("anything"));
  holder.groups.clear();
  EXPECT_FALSE(holder.covers_group("demo"));
}

TEST(Dominance, NeedsLevelAndEveryCategory) {
  const Permissions holder = ordinary();
  EXPECT_TRUE(check_dominates(holder, {2, {"a", "blue"}}));
  EXPECT_TRUE(check_dominates(holder, {1, {"blue"}}));
  EXPECT_TRUE(check_dominates(holder, {0, {}}));
  EXPECT_EQ(check_dominates(holder, {3, {}}).error().kind, kLevelTooLow);
  const auto missing = check_dominates(holder, {0, {"a", "red"}});
  EXPECT_EQ(missing.error().kind, kCategoryMissing);
  EXPECT_THAT(missing.error().detail, HasSubstr("\"red\""));
}

TEST(Dominance, HigherLevelDoesNotReplaceACategory) {
  EXPECT_EQ(check_dominates({255, {"a"}, {}, {}}, {0, {"blue"}}).error().kind, kCategoryMissing);
}

TEST(Within, ComparesEveryField) {
  const Permissions outer = ordinary();
  EXPECT_TRUE(check_within(outer, outer));
  EXPECT_TRUE(check_within(Permissions{}, outer));
  const auto exceeds = [&](Permissions inner, const char* what) {
    const auto within = check_within(inner, outer);
    ASSERT_FALSE(within) << what;
    EXPECT_EQ(within.error().kind, kExceedsIssuer);
    EXPECT_THAT(within.error().detail, HasSubstr(what));
  };
  exceeds({3, {}, {}, {}}, "level 3");
  exceeds({0, {"red"}, {}, {}}, "category \"red\"");
  exceeds({0, {}, {Role::kCommander}, {}}, "role commander");
  exceeds({0, {}, {}, {"other"}}, "group \"other\"");
  exceeds({0, {}, {}, {"*"}}, "group \"*\"");
  EXPECT_TRUE(check_within({0, {}, {}, {"*"}}, {0, {}, {}, {"*"}}));
}

}  // namespace
}  // namespace gkmpd::identity
