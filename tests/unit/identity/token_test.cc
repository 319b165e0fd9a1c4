// Tokens from signing to acceptance, and the order in which they are refused.
#include "agent/identity/token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/crypto/cms.h"
#include "agent/crypto/errors.h"
#include "agent/crypto/hash.h"
#include "agent/identity/errors.h"
#include "tests/support/pki.h"

namespace gkmpd::identity {
namespace {

using test::HostOptions;
using test::kDay;
using test::kNow;
using test::policy_text;
using test::PolicyOptions;
using test::TestHost;
using test::TestPki;
using testing::HasSubstr;

void expect_refused(const Result<GroupToken>& token, ErrorKind kind, const char* what = "") {
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().kind, kind) << token.error().text();
  EXPECT_THAT(token.error().detail, HasSubstr(what));
}

HostOptions commander_of(std::vector<std::string> groups, std::uint8_t level = 2) {
  return {.level = level,
          .categories = {"blue"},
          .roles = {Role::kCommander},
          .groups = std::move(groups)};
}

class TokenTest : public testing::Test {
 protected:
  TokenCheck check_at(WallTime now) { return {.trust = &trust_, .now = now}; }
  Result<GroupToken> check(const Bytes& der) { return check_token(der, check_at(kNow)); }

  TestPki pki_{21};
  TestHost commander_ = pki_.host("chief", commander_of({"demo"}));
  TrustStore trust_ = pki_.trust();
};

TEST_F(TokenTest, PassesAsItWasSigned) {
  const std::string text = policy_text({});
  const Bytes der = pki_.token(text, commander_);
  const auto token = check(der);
  ASSERT_TRUE(token) << token.error().text();
  EXPECT_EQ(token->der, der);
  EXPECT_EQ(token->hash, crypto::sha256({der}));
  EXPECT_EQ(token->policy.group, "demo");
  EXPECT_EQ(token->group_id, group_id(trust_.anchor_key_hash(), "demo"));
  EXPECT_EQ(token->commander.name, "chief");
  const auto content = crypto::cms_verify(der, crypto::oid_group_token());
  ASSERT_TRUE(content);
  EXPECT_EQ(as_text(content->content), text);
}

TEST_F(TokenTest, SigningRefusesWhatCheckingWould) {
  const auto sign = [&](const std::string& text) {
    return sign_token(text, commander_.certificate, commander_.key, {});
  };
  EXPECT_EQ(sign("x").error().kind, kTokenSyntax);
  EXPECT_EQ(sign(policy_text({.spi_prefix = 0})).error().kind, kTokenField);
  EXPECT_EQ(sign(policy_text({.suite = "x"})).error().kind, kTokenUnsupported);
}

TEST_F(TokenTest, SizeComesFirst) {
  expect_refused(check(Bytes(kMaxTokenSize + 1, 0x30)), kTokenTooLarge);
  expect_refused(check(Bytes(kMaxTokenSize, 0x30)), crypto::kBadCms);
}

TEST_F(TokenTest, OnlyOurContentTypePasses) {
  expect_refused(check(pki_.token_of_anything(policy_text({}), commander_, "1.2.840.113549.1.7.1")),
                 crypto::kBadCms);
}

/// Some octets around the signed content (a CMS version, say) mean nothing to anybody; the text and
/// the signer can never change.
TEST_F(TokenTest, ADamagedOneNeverSaysAnythingElse) {
  const std::string text = policy_text({});
  const Bytes der = pki_.token(text, commander_);
  int passed = 0;
  for (std::size_t at = 0; at < der.size(); ++at) {
    Bytes other = der;
    other[at] ^= 0x01;
    const auto token = check(other);
    if (!token) continue;
    ++passed;
    const auto content = crypto::cms_verify(other, crypto::oid_group_token());
    ASSERT_TRUE(content);
    EXPECT_EQ(as_text(content->content), text) << at;
    EXPECT_EQ(token->commander.certificate.der(), commander_.certificate.der()) << at;
    EXPECT_NE(token->hash, crypto::sha256({der})) << at;
  }
  EXPECT_LT(passed, 20);
}

TEST_F(TokenTest, EveryOtherLengthIsRefused) {
  const Bytes der = pki_.token(policy_text({}), commander_);
  for (std::size_t size = 0; size < der.size(); ++size) {
    EXPECT_FALSE(check({der.begin(), der.begin() + static_cast<std::ptrdiff_t>(size)})) << size;
  }
  Bytes longer = der;
  longer.push_back(0);
  expect_refused(check(longer), crypto::kBadCms);
}

TEST_F(TokenTest, StrangersAreRefusedBeforeTheirTextIsRead) {
  TestPki stranger{22};
  const Bytes der = stranger.token_of_anything("not even TOML =", stranger.commander());
  expect_refused(check(der), crypto::kChainUntrusted);
}

TEST_F(TokenTest, ARevokedCommanderIsRefusedBeforeItsTextIsRead) {
  const Bytes der = pki_.token_of_anything("not even TOML =", commander_);
  expect_refused(check(der), kTokenSyntax);
  pki_.revoke(commander_.certificate);
  ASSERT_TRUE(trust_.accept_crl(pki_.crl(), kNow));
  expect_refused(check(der), kRevoked);
}

TEST_F(TokenTest, TheSignerMustBeACommanderOfTheGroup) {
  const auto by = [&](const HostOptions& options) {
    return check(pki_.token(policy_text({}), pki_.host("x", options)));
  };
  HostOptions controller = commander_of({"demo"});
  controller.roles = {Role::kController, Role::kMember, Role::kSender, Role::kDistributor};
  expect_refused(by(controller), kNotCommander);
  expect_refused(check(pki_.token_of_anything("not even TOML =", pki_.host("x", controller))),
                 kNotCommander, "commander");
  expect_refused(by(commander_of({"other"})), kCommanderScope, "\"demo\"");
  expect_refused(by(commander_of({})), kCommanderScope);
  expect_refused(by(commander_of({"demo"}, 1)), kCommanderScope, "level");
  HostOptions red = commander_of({"demo"});
  red.categories = {"red"};
  expect_refused(by(red), kCommanderScope, "\"blue\"");
  EXPECT_TRUE(by(commander_of({"*"}, 255)));
}

TEST_F(TokenTest, ValidityForgivesTheSkewOnly) {
  const Bytes der = pki_.token(
      policy_text({.not_before = kNow + kDay, .not_after = kNow + 2 * kDay}), commander_);
  const auto at = [&](WallTime now) { return check_token(der, check_at(now)); };
  expect_refused(at(kNow + kDay - kClockSkew - seconds(1)), kTokenNotYet);
  EXPECT_TRUE(at(kNow + kDay - kClockSkew));
  EXPECT_TRUE(at(kNow + 2 * kDay + kClockSkew));
  expect_refused(at(kNow + 2 * kDay + kClockSkew + seconds(1)), kTokenExpired);
}

struct Marks {
  GroupId group{};
  TokenMark mark;
  mutable int asked = 0;
};

std::optional<TokenMark> look_up(const void* context, const GroupId& group) {
  const auto* marks = static_cast<const Marks*>(context);
  ++marks->asked;
  if (group != marks->group) return std::nullopt;
  return marks->mark;
}

TEST_F(TokenTest, TheMarkIsNeverUndercut) {
  const Bytes der = pki_.token(policy_text({.version = 5}), commander_);
  const GroupId id = group_id(trust_.anchor_key_hash(), "demo");
  const auto with_mark = [&](const Marks& marks) {
    TokenCheck check = check_at(kNow);
    check.mark_of = look_up;
    check.mark_context = &marks;
    return check_token(der, check);
  };
  const Digest own = crypto::sha256({der});
  const Marks older{id, {4, Digest{}}};
  EXPECT_TRUE(with_mark(older));
  EXPECT_EQ(older.asked, 1);
  EXPECT_TRUE(with_mark({id, {5, own}}));
  expect_refused(with_mark({id, {5, Digest{}}}), kTokenConflict);
  expect_refused(with_mark({id, {6, own}}), kTokenOld);
  EXPECT_TRUE(with_mark({GroupId{}, {6, Digest{}}}));
}

TEST_F(TokenTest, LimitsComeAfterTheMark) {
  const Bytes der = pki_.token(policy_text({.version = 5}), commander_);
  LocalLimits limits;
  limits.groups = {"other"};
  TokenCheck check = check_at(kNow);
  check.limits = &limits;
  expect_refused(check_token(der, check), kTokenLimits, "\"demo\"");
  const Marks newer{group_id(trust_.anchor_key_hash(), "demo"), {6, Digest{}}};
  check.mark_of = look_up;
  check.mark_context = &newer;
  expect_refused(check_token(der, check), kTokenOld);
}

TEST_F(TokenTest, GroupMakesWhatBelongsTogether) {
  const auto group = pki_.group({{"a", IpAddress::parse("10.9.0.1")}, {"b", std::nullopt}});
  const auto token = check(group.token);
  ASSERT_TRUE(token) << token.error().text();
  EXPECT_EQ(token->group_id, group.id);
  EXPECT_TRUE(check_member_list(group.member_list, token->policy));
}

TEST(TestPkiTest, IsDeterministic) {
  TestPki one{5};
  TestPki two{5};
  EXPECT_EQ(one.anchor().der(), two.anchor().der());
  EXPECT_EQ(one.host("a").certificate.der(), two.host("a").certificate.der());
  EXPECT_EQ(one.crl().der(), one.crl().der());
  EXPECT_EQ(one.group({{"a", std::nullopt}}).token, two.group({{"a", std::nullopt}}).token);
  EXPECT_NE(one.anchor().der(), TestPki{6}.anchor().der());
  // The signing time is the tests', not the machine's.
  const Bytes token = one.token(policy_text({}), one.commander());
  EXPECT_THAT(std::string(as_text(token)), HasSubstr("270115080000Z"));
}

}  // namespace
}  // namespace gkmpd::identity
