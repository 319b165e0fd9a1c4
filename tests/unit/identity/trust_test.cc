// Who passes as a host, and which revocation lists are believed.
#include "agent/identity/trust.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/crypto/errors.h"
#include "agent/crypto/hash.h"
#include "agent/identity/errors.h"
#include "tests/support/pki.h"

namespace gkmpd::identity {
namespace {

using test::HostOptions;
using test::kDay;
using test::kNow;
using test::TestHost;
using test::TestPki;
using testing::ElementsAre;
using testing::HasSubstr;

void expect_refused(const Result<Host>& host, ErrorKind kind, const char* what = "") {
  ASSERT_FALSE(host);
  EXPECT_EQ(host.error().kind, kind) << host.error().text();
  EXPECT_THAT(host.error().detail, HasSubstr(what));
}

TEST(Hashes, BindAnchorAndName) {
  Digest anchor{};
  anchor.fill(7);
  EXPECT_EQ(name_hash(anchor, "a"),
            crypto::sha256({as_bytes("GKMP/1 host"), anchor, as_bytes("a")}));
  const Digest whole = crypto::sha256({as_bytes("GKMP/1 group"), anchor, as_bytes("demo")});
  const GroupId id = group_id(anchor, "demo");
  EXPECT_TRUE(equal(id, ByteView(whole).first(16)));
  Digest other = anchor;
  other[0] = 0;
  EXPECT_NE(group_id(other, "demo"), id);
  EXPECT_NE(group_id(anchor, "demo2"), id);
}

/// CN "no name", which issue_certificate would not write.
constexpr const char* kNameless =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBdTCCARugAwIBAgIUMRUjNtVmfOUOS0ipD88yZ1vTTvcwCgYIKoZIzj0EAwIw\n"
    "EjEQMA4GA1UEAwwHbm8gbmFtZTAgFw0yNjExMjMxMjU0MzNaGA8yMTI2MTAzMDEy\n"
    "NTQzM1owEjEQMA4GA1UEAwwHbm8gbmFtZTBZMBMGByqGSM49AgEGCCqGSM49AwEH\n"
    "A0IABFzHYmt4oa1+joSNEXRzyWH6hE1ueamW8yeDjsgcDGs4JuSVo8e6NBz6jQuq\n"
    "4Ca6+XfCI490zkz4XBYqTyBgAiGjTTBLMB0GA1UdDgQWBBTduMnXmiLCXAFJ/IXi\n"
    "d8yJ5Y2n+jAfBgNVHSMEGDAWgBTduMnXmiLCXAFJ/IXid8yJ5Y2n+jAJBgNVHRME\n"
    "AjAAMAoGCCqGSM49BAMCA0gAMEUCICHWzMBT3Zj5CdDwMhE5VV6GsNqmSGe0jiIB\n"
    "vD16Qo5JAiEAqQdNO6lhNs0MGI/MVodckjNmhqy1+kwF3s+jWjzru6U=\n"
    "-----END CERTIFICATE-----\n";

class TrustTest : public testing::Test {
 protected:
  TestPki pki_{11};
};

TEST_F(TrustTest, AnchorMustBeASelfSignedCa) {
  EXPECT_TRUE(TrustStore::make(pki_.anchor()));
  const TestHost host = pki_.host("a");
  EXPECT_EQ(TrustStore::make(host.certificate).error().kind, kBadAnchor);
  const TestHost sub = pki_.host("sub", {.is_ca = true});
  EXPECT_EQ(TrustStore::make(sub.certificate).error().kind, kBadAnchor);
}

TEST_F(TrustTest, AHostIsKnownByNameAndPermissions) {
  const HostOptions options{.level = 3,
                            .categories = {"blue", "red"},
                            .roles = {Role::kMember, Role::kController},
                            .groups = {"demo"}};
  const TestHost a = pki_.host("a", options);
  const TrustStore trust = pki_.trust();
  const auto host = trust.check_host(a.certificate, {}, kNow);
  ASSERT_TRUE(host) << host.error().text();
  EXPECT_EQ(host->name, "a");
  EXPECT_EQ(host->hash, name_hash(trust.anchor_key_hash(), "a"));
  EXPECT_EQ(host->permissions,
            (Permissions{3, {"blue", "red"}, {Role::kMember, Role::kController}, {"demo"}}));
  EXPECT_EQ(host->certificate.der(), a.certificate.der());
}

TEST_F(TrustTest, EveryKeyTypeServes) {
  const TrustStore trust = pki_.trust();
  for (const auto type :
       {crypto::KeyType::kEcdsaP256, crypto::KeyType::kEcdsaP384, crypto::KeyType::kEd25519}) {
    const TestHost a = pki_.host("a", {.key_type = type});
    EXPECT_TRUE(trust.check_host(a.certificate, {}, kNow)) << crypto::to_text(type);
  }
}

TEST_F(TrustTest, FormIsChecked) {
  const TrustStore trust = pki_.trust();
  const auto check = [&](const TestHost& host) {
    return trust.check_host(host.certificate, {}, kNow);
  };
  expect_refused(check(pki_.host("sub", {.is_ca = true})), kNotAHostCertificate);
  expect_refused(check(pki_.host("a", {.permissions_der = Bytes{}})), kNotAHostCertificate,
                 "lacks the permission extension");
  expect_refused(check(pki_.host("a", {.permissions_der = Bytes{0x30, 0x00}})), kBadPermissions);
  expect_refused(trust.check_host(crypto::Certificate::from_pem(kNameless).value(), {}, kNow),
                 kNotAHostCertificate, "names no host");
  expect_refused(trust.check_host(pki_.anchor(), {}, kNow), kNotAHostCertificate);
}

TEST_F(TrustTest, FormComesBeforeChainAndChainBeforeLists) {
  TestPki stranger{12};
  const auto bare = TrustStore::make(pki_.anchor());
  ASSERT_TRUE(bare);
  expect_refused(
      bare->check_host(stranger.host("a", {.permissions_der = Bytes{}}).certificate, {}, kNow),
      kNotAHostCertificate);
  expect_refused(bare->check_host(stranger.host("a").certificate, {}, kNow),
                 crypto::kChainUntrusted);
  expect_refused(bare->check_host(pki_.host("a").certificate, {}, kNow), kNoCrl);
}

TEST_F(TrustTest, ValidityForgivesTheSkewOnly) {
  const TrustStore trust = pki_.trust();
  const TestHost a = pki_.host("a", {.not_before = kNow, .not_after = kNow + kDay});
  const auto at = [&](WallTime now) { return trust.check_host(a.certificate, {}, now); };
  EXPECT_TRUE(at(kNow - kClockSkew));
  expect_refused(at(kNow - kClockSkew - seconds(2)), crypto::kChainExpired);
  EXPECT_TRUE(at(kNow + kDay + kClockSkew - seconds(1)));
  expect_refused(at(kNow + kDay + kClockSkew + seconds(2)), crypto::kChainExpired);
}

TEST_F(TrustTest, TheRevokedAreRefusedAndOthersNot) {
  const TestHost a = pki_.host("a");
  const TestHost b = pki_.host("b");
  TrustStore trust = pki_.trust();
  ASSERT_TRUE(trust.check_host(a.certificate, {}, kNow));
  pki_.revoke(a.certificate);
  const auto accepted = trust.accept_crl(pki_.crl(), kNow);
  ASSERT_TRUE(accepted) << accepted.error().text();
  EXPECT_TRUE(accepted->changed);
  EXPECT_FALSE(accepted->replaced_same_number);
  expect_refused(trust.check_host(a.certificate, {}, kNow), kRevoked, "\"a\"");
  EXPECT_TRUE(trust.check_host(b.certificate, {}, kNow));
  // A new certificate for the same name is another certificate.
  EXPECT_TRUE(trust.check_host(pki_.reissue(a, {}).certificate, {}, kNow));
}

TEST_F(TrustTest, AnExpiredListStillServes) {
  const TestHost a = pki_.host("a");
  EXPECT_TRUE(pki_.trust().check_host(a.certificate, {}, kNow + 200 * kDay));
}

TEST_F(TrustTest, ListsNeverGoBack) {
  TrustStore trust = pki_.trust();
  ASSERT_TRUE(trust.accept_crl(pki_.crl_numbered(5), kNow));
  const auto stale = trust.accept_crl(pki_.crl_numbered(4, kNow + kDay), kNow + kDay);
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().kind, kCrlStale);
  EXPECT_EQ(trust.crl()->number(), 5U);
  EXPECT_THAT(trust.crl_versions(), ElementsAre(CrlVersion{trust.anchor_key_hash(), 5}));
}

TEST_F(TrustTest, TheSameListAgainChangesNothing) {
  TrustStore trust = pki_.trust();
  const auto again = trust.accept_crl(pki_.crl(), kNow);
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_FALSE(again->changed);
}

TEST_F(TrustTest, OneNumberWithTwoContentsTakesTheLaterWithAnAlarm) {
  TrustStore trust = pki_.trust();
  const std::uint64_t number = trust.crl()->number();
  for (const WallTime not_later : {kNow, kNow - seconds(1)}) {
    pki_.revoke(pki_.host("x").certificate);
    const auto conflict = trust.accept_crl(pki_.crl_numbered(number, not_later), kNow);
    ASSERT_FALSE(conflict);
    EXPECT_EQ(conflict.error().kind, kCrlConflict);
  }
  const auto later = trust.accept_crl(pki_.crl_numbered(number, kNow + seconds(1)), kNow);
  ASSERT_TRUE(later) << later.error().text();
  EXPECT_TRUE(later->changed);
  EXPECT_TRUE(later->replaced_same_number);
}

TEST_F(TrustTest, ListsOfTheFutureAreRefused) {
  TrustStore trust = pki_.trust();
  const auto future = trust.accept_crl(pki_.crl_numbered(9, kNow + kClockSkew + seconds(1)), kNow);
  ASSERT_FALSE(future);
  EXPECT_EQ(future.error().kind, kCrlFromFuture);
  EXPECT_TRUE(trust.accept_crl(pki_.crl_numbered(9, kNow + kClockSkew), kNow));
}

TEST_F(TrustTest, ListsOfStrangersAreRefused) {
  TestPki stranger{12};  // same name, other key
  TrustStore trust = pki_.trust();
  const auto untrusted = trust.accept_crl(stranger.crl_numbered(99), kNow);
  ASSERT_FALSE(untrusted);
  EXPECT_EQ(untrusted.error().kind, kCrlUntrusted);
  EXPECT_EQ(trust.crl()->number(), 1U);
}

/// A sub-CA between the anchor and a host.
class ChainTest : public TrustTest {
 protected:
  HostOptions sub_options(std::uint8_t level = 2) {
    return {.level = level, .categories = {"blue"}, .groups = {"demo"}, .is_ca = true};
  }
  crypto::Crl list_of(const TestHost& issuer, std::vector<crypto::RevokedEntry> revoked = {},
                      std::uint64_t number = 1) {
    return crypto::make_crl(issuer.certificate, issuer.key, number, kNow, kNow + kDay, revoked)
        .value();
  }
};

TEST_F(ChainTest, PassesWithTheListsOfBothIssuers) {
  const TestHost sub = pki_.host("sub", sub_options());
  const TestHost a = pki_.host("a", {.issuer = &sub});
  TrustStore trust = pki_.trust();
  expect_refused(trust.check_host(a.certificate, {}, kNow), crypto::kChainUntrusted);
  expect_refused(trust.check_host(a.certificate, {sub.certificate}, kNow), kNoCrl, "\"sub\"");

  const auto accepted = trust.accept_crl(list_of(sub), kNow, {sub.certificate});
  ASSERT_TRUE(accepted) << accepted.error().text();
  const auto host = trust.check_host(a.certificate, {sub.certificate}, kNow);
  EXPECT_TRUE(host) << host.error().text();
  EXPECT_EQ(trust.crl_versions().size(), 2U);

  const std::vector<crypto::RevokedEntry> revoked = {{a.certificate.serial(), kNow}};
  ASSERT_TRUE(trust.accept_crl(list_of(sub, revoked, 2), kNow, {sub.certificate}));
  expect_refused(trust.check_host(a.certificate, {sub.certificate}, kNow), kRevoked, "\"a\"");
}

TEST_F(ChainTest, ARevokedIssuerTakesItsHostsAndListsAlong) {
  const TestHost sub = pki_.host("sub", sub_options());
  const TestHost a = pki_.host("a", {.issuer = &sub});
  TrustStore trust = pki_.trust();
  ASSERT_TRUE(trust.accept_crl(list_of(sub), kNow, {sub.certificate}));
  pki_.revoke(sub.certificate);
  ASSERT_TRUE(trust.accept_crl(pki_.crl(), kNow));
  expect_refused(trust.check_host(a.certificate, {sub.certificate}, kNow), kRevoked, "\"sub\"");
  EXPECT_EQ(trust.accept_crl(list_of(sub, {}, 2), kNow, {sub.certificate}).error().kind,
            kCrlUntrusted);
}

TEST_F(ChainTest, NobodyGrantsMoreThanHeHas) {
  const TestHost sub = pki_.host("sub", sub_options(1));
  TrustStore trust = pki_.trust();
  ASSERT_TRUE(trust.accept_crl(list_of(sub), kNow, {sub.certificate}));
  const auto check = [&](const HostOptions& options) {
    return trust.check_host(pki_.host("a", options).certificate, {sub.certificate}, kNow);
  };
  EXPECT_TRUE(check({.level = 1, .issuer = &sub}));
  expect_refused(check({.level = 2, .issuer = &sub}), kExceedsIssuer, "level 2");
  expect_refused(check({.level = 1, .categories = {"red"}, .issuer = &sub}), kExceedsIssuer);
  expect_refused(check({.level = 1, .groups = {"*"}, .issuer = &sub}), kExceedsIssuer);
}

TEST_F(ChainTest, AnIssuerWithoutPermissionsGrantsNone) {
  const TestHost sub = pki_.host("sub", {.is_ca = true, .permissions_der = Bytes{}});
  TrustStore trust = pki_.trust();
  ASSERT_TRUE(trust.accept_crl(list_of(sub), kNow, {sub.certificate}));
  const TestHost a = pki_.host("a", {.issuer = &sub});
  expect_refused(trust.check_host(a.certificate, {sub.certificate}, kNow), kExceedsIssuer,
                 "\"sub\"");
}

TEST_F(ChainTest, LengthIsBounded) {
  const TestHost a = pki_.host("a");
  const std::vector<crypto::Certificate> many(kMaxChain, pki_.anchor());
  expect_refused(pki_.trust().check_host(a.certificate, many, kNow), crypto::kChainInvalid);
}

}  // namespace
}  // namespace gkmpd::identity
