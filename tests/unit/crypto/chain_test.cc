#include <gtest/gtest.h>

#include "agent/crypto/errors.h"
#include "agent/crypto/x509.h"
#include "tests/unit/crypto/pki.h"

namespace gkmpd::crypto {
namespace {

std::string kind_of(const Result<std::vector<Certificate>>& chain) {
  return chain ? "found" : std::string(chain.error().name());
}

TEST(Chain, LeafFirstAnchorLast) {
  for (const KeyType type : {KeyType::kEcdsaP256, KeyType::kEcdsaP384, KeyType::kEd25519}) {
    const Holder root = Holder::root(type);
    const Holder sub = root.issue(ca_template("sub"), type);
    const Holder host = sub.issue(host_template("h"), type);
    const auto chain = build_chain(host.certificate, {sub.certificate}, {root.certificate}, kToday);
    ASSERT_TRUE(chain) << chain.error().text();
    ASSERT_EQ(chain->size(), 3U);
    EXPECT_EQ((*chain)[0].der(), host.certificate.der());
    EXPECT_EQ((*chain)[1].der(), sub.certificate.der());
    EXPECT_EQ((*chain)[2].der(), root.certificate.der());
  }
}

TEST(Chain, AnchorsAreTheOnlyTrust) {
  const Holder root = Holder::root();
  const Holder stranger = Holder::root(KeyType::kEcdsaP256, "Other Root");
  const Holder twin = Holder::root();  // same name, another key
  const Holder sub = root.issue(ca_template("sub"));
  const Holder host = sub.issue(host_template("h"));
  EXPECT_EQ(kind_of(build_chain(host.certificate, {}, {root.certificate}, kToday)),
            "crypto.chain-untrusted");
  EXPECT_EQ(kind_of(build_chain(host.certificate, {sub.certificate}, {}, kToday)),
            "crypto.chain-untrusted");
  EXPECT_EQ(kind_of(build_chain(host.certificate, {sub.certificate, root.certificate},
                                {stranger.certificate}, kToday)),
            "crypto.chain-untrusted");
  EXPECT_EQ(kind_of(build_chain(root.certificate, {}, {stranger.certificate}, kToday)),
            "crypto.chain-untrusted");
  EXPECT_NE(kind_of(build_chain(host.certificate, {sub.certificate}, {twin.certificate}, kToday)),
            "found");
  // A sub-CA is no anchor by being listed as one: the way goes to a root.
  EXPECT_NE(kind_of(build_chain(host.certificate, {}, {sub.certificate}, kToday)), "found");
  EXPECT_EQ(kind_of(build_chain(root.certificate, {}, {root.certificate}, kToday)), "found");
}

TEST(Chain, ValidityIsAskedAtTheGivenTime) {
  const Holder root = Holder::root();
  CertificateTemplate wanted = host_template("h");
  wanted.not_before = kToday;
  wanted.not_after = kToday + std::chrono::days(1);
  const Holder host = root.issue(wanted);
  const auto at = [&](WallTime time) {
    return kind_of(build_chain(host.certificate, {}, {root.certificate}, time));
  };
  EXPECT_EQ(at(wanted.not_before), "found");
  EXPECT_EQ(at(wanted.not_after - seconds(1)), "found");
  EXPECT_EQ(at(wanted.not_before - seconds(1)), "crypto.chain-expired");
  EXPECT_EQ(at(wanted.not_after), "crypto.chain-expired");
  EXPECT_EQ(at(root.certificate.not_after() + seconds(1)), "crypto.chain-expired");
}

TEST(Chain, AHostIssuesNothing) {
  const Holder root = Holder::root();
  const Holder host = root.issue(host_template("h"));
  // Signed with the host's key under the host's name, as a thief of that key could.
  CertificateTemplate pretended = ca_template("h");
  const Certificate false_ca = make_root(host.key, pretended).value();
  const auto forged =
      issue_certificate(false_ca, host.key, host.key.public_key(), host_template("victim"));
  ASSERT_TRUE(forged);
  EXPECT_EQ(kind_of(build_chain(*forged, {host.certificate}, {root.certificate}, kToday)),
            "crypto.chain-invalid");
  EXPECT_NE(kind_of(build_chain(*forged, {false_ca, host.certificate}, {root.certificate}, kToday)),
            "found");
}

TEST(Chain, LengthIsLimited) {
  const Holder root = Holder::root();
  std::vector<Certificate> intermediates;
  Holder issuer = root;
  for (int i = 0; i < 4; ++i) {
    issuer = issuer.issue(ca_template("sub" + std::to_string(i)));
    intermediates.push_back(issuer.certificate);
  }
  const Holder host = issuer.issue(host_template("h"));
  const auto longest = build_chain(host.certificate, intermediates, {root.certificate}, kToday);
  ASSERT_TRUE(longest) << longest.error().text();
  EXPECT_EQ(longest->size(), 6U);
  const Holder fifth = issuer.issue(ca_template("sub4"));
  intermediates.push_back(fifth.certificate);
  const Holder deeper = fifth.issue(host_template("h"));
  EXPECT_NE(kind_of(build_chain(deeper.certificate, intermediates, {root.certificate}, kToday)),
            "found");
}

TEST(Chain, AChangedSignatureIsInvalid) {
  const Holder root = Holder::root();
  Bytes der = root.issue(host_template("h")).certificate.der();
  der.back() ^= 1;
  const auto changed = Certificate::from_der(der);
  ASSERT_TRUE(changed);
  EXPECT_EQ(kind_of(build_chain(*changed, {}, {root.certificate}, kToday)), "crypto.chain-invalid");
}

}  // namespace
}  // namespace gkmpd::crypto
