#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "agent/crypto/errors.h"
#include "agent/crypto/x509.h"
#include "tests/unit/crypto/hex.h"
#include "tests/unit/crypto/pki.h"

namespace gkmpd::crypto {
namespace {

constexpr KeyType kTypes[] = {KeyType::kEcdsaP256, KeyType::kEcdsaP384, KeyType::kEd25519};

TEST(Certificate, SaysWhatTheTemplateSaid) {
  const Holder root = Holder::root();
  for (const KeyType type : kTypes) {
    CertificateTemplate wanted = host_template("Host-A.Example");
    wanted.addresses = {*IpAddress::parse("10.9.0.1"), *IpAddress::parse("fd09::1")};
    wanted.permissions = hex("3003020101");
    const Holder host = root.issue(wanted, type);
    const Certificate& made = host.certificate;
    EXPECT_EQ(made.name(), "host-a.example");
    EXPECT_EQ(made.addresses(), wanted.addresses);
    EXPECT_EQ(made.not_before(), wanted.not_before);
    EXPECT_EQ(made.not_after(), wanted.not_after);
    EXPECT_EQ(made.public_key(), host.key.public_key());
    EXPECT_FALSE(made.is_ca());
    EXPECT_TRUE(made.may_sign());
    EXPECT_FALSE(made.is_self_signed());
    EXPECT_TRUE(made.has_extended_usage(oid_eku_gkmp()));
    EXPECT_FALSE(made.has_extended_usage("1.3.6.1.5.5.7.3.4"));
    const auto permissions = made.extension(oid_permissions());
    ASSERT_TRUE(permissions);
    EXPECT_EQ(permissions->value, wanted.permissions);
    EXPECT_FALSE(permissions->critical);
    EXPECT_FALSE(made.extension(oid_group_token()));
    const auto constraints = made.extension("2.5.29.19");
    ASSERT_TRUE(constraints);
    EXPECT_TRUE(constraints->critical);
  }
}

TEST(Certificate, ARootIsACaAndSignsListsNotMessages) {
  for (const KeyType type : kTypes) {
    const Holder root = Holder::root(type);
    EXPECT_TRUE(root.certificate.is_ca());
    EXPECT_TRUE(root.certificate.is_self_signed());
    EXPECT_FALSE(root.certificate.may_sign());
    EXPECT_EQ(root.certificate.name(), "test root");
    EXPECT_FALSE(root.certificate.has_extended_usage(oid_eku_gkmp()));
  }
}

TEST(Certificate, ACommanderMayAlsoSignMail) {
  CertificateTemplate wanted = host_template("c");
  wanted.for_commander = true;
  const Holder commander = Holder::root().issue(wanted);
  EXPECT_TRUE(commander.certificate.has_extended_usage(oid_eku_gkmp()));
  EXPECT_TRUE(commander.certificate.has_extended_usage("1.3.6.1.5.5.7.3.4"));
}

TEST(Certificate, SerialsArePositiveAndDiffer) {
  const Holder root = Holder::root();
  const PublicKey key = PrivateKey::generate(KeyType::kEd25519)->public_key();
  std::vector<std::string> serials;
  for (int i = 0; i < 100; ++i) {
    const auto made = issue_certificate(root.certificate, root.key, key, host_template("h"));
    ASSERT_TRUE(made) << made.error().text();
    serials.push_back(made->serial());
    EXPECT_GE(made->serial().size(), 24U);
    EXPECT_LE(made->serial().size(), 32U);
    EXPECT_EQ(made->serial().find_first_not_of("0123456789ABCDEF"), std::string::npos);
  }
  std::ranges::sort(serials);
  EXPECT_EQ(std::ranges::adjacent_find(serials), serials.end());
}

TEST(Certificate, RoundTripsThroughDerAndPem) {
  const Holder host = Holder::root().issue(host_template("h"));
  const auto from_der = Certificate::from_der(host.certificate.der());
  ASSERT_TRUE(from_der);
  EXPECT_EQ(from_der->serial(), host.certificate.serial());
  const auto from_pem = Certificate::from_pem("some words\n" + host.certificate.to_pem());
  ASSERT_TRUE(from_pem);
  EXPECT_EQ(from_pem->der(), host.certificate.der());
}

TEST(Certificate, PemHoldsManyAndOtherThings) {
  const Holder root = Holder::root();
  const Holder host = root.issue(host_template("h"));
  const std::string pem = std::string(as_text(host.key.to_pem().expose())) +
                          host.certificate.to_pem() + root.certificate.to_pem();
  const auto all = Certificate::all_from_pem(pem);
  ASSERT_TRUE(all) << all.error().text();
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ((*all)[0].der(), host.certificate.der());
  EXPECT_EQ((*all)[1].der(), root.certificate.der());
  EXPECT_EQ(Certificate::from_pem(pem)->der(), host.certificate.der());
  EXPECT_EQ(Certificate::all_from_pem("").error().kind, kBadCertificate);
  EXPECT_EQ(Certificate::all_from_pem(as_text(host.key.to_pem().expose())).error().kind,
            kBadCertificate);
  // A broken second one is not passed over.
  EXPECT_EQ(Certificate::all_from_pem(pem.substr(0, pem.size() - 10)).error().kind,
            kBadCertificate);
}

TEST(Certificate, EveryOtherLengthIsRefused) {
  Bytes der = Holder::root().issue(host_template("h")).certificate.der();
  for (std::size_t size = 0; size < der.size(); ++size) {
    const auto read = Certificate::from_der(ByteView(der).first(size));
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error().kind, kBadCertificate);
  }
  der.push_back(0);
  EXPECT_FALSE(Certificate::from_der(der));
}

TEST(Certificate, NoChangedOctetCrashesOrVerifies) {
  const Holder root = Holder::root();
  const Certificate good = root.issue(host_template("h")).certificate;
  for (std::size_t i = 0; i < good.der().size(); ++i) {
    for (const unsigned flip : {0x01U, 0x80U, 0xffU}) {
      Bytes der = good.der();
      der[i] = static_cast<std::uint8_t>(der[i] ^ flip);
      const auto read = Certificate::from_der(der);
      if (!read) continue;
      EXPECT_FALSE(build_chain(*read, {}, {root.certificate}, kToday)) << i;
    }
  }
}

// OpenSSL finds out for the curves of NIST when it reads the certificate; for Ed25519 we do.
TEST(Certificate, AKeyOffItsCurveIsRefused) {
  for (const KeyType type : kTypes) {
    const Certificate good = Holder::root().issue(host_template("h"), type).certificate;
    const Bytes& spki = good.public_key().spki();
    Bytes der = good.der();
    const auto key = std::ranges::search(der, spki);
    ASSERT_FALSE(key.empty());
    // Every second value is a point of Ed25519, hardly any one of the others.
    std::uint8_t& octet = *(key.end() - 2);
    Result<Certificate> read = good;
    for (int changes = 0; read && changes < 64; ++changes) {
      ++octet;
      read = Certificate::from_der(der);
    }
    ASSERT_FALSE(read) << to_text(type);
    EXPECT_EQ(read.error().kind, kBadCertificate);
    EXPECT_NE(read.error().detail.find("not on its curve"), std::string::npos)
        << read.error().detail;
  }
}

TEST(Certificate, BerIsRefused) {
  const Bytes good = Holder::root().certificate.der();
  ASSERT_EQ(good[0], 0x30);
  ASSERT_EQ(good[1], 0x82);
  // The length in three octets where two do.
  Bytes longer{0x30, 0x83, 0x00};
  longer.insert(longer.end(), good.begin() + 2, good.end());
  EXPECT_EQ(Certificate::from_der(longer).error().kind, kBadCertificate);
  // Indefinite length.
  Bytes indefinite{0x30, 0x80};
  indefinite.insert(indefinite.end(), good.begin() + 4, good.end());
  indefinite.insert(indefinite.end(), {0, 0});
  EXPECT_EQ(Certificate::from_der(indefinite).error().kind, kBadCertificate);
}

TEST(Certificate, SizeIsLimited) {
  const Holder root = Holder::root();
  CertificateTemplate wanted = host_template("h");
  wanted.permissions = Bytes(kMaxCertificateSize, 0);
  const auto made = issue_certificate(root.certificate, root.key, root.key.public_key(), wanted);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, kBadCertificate);
  wanted.permissions = Bytes(kMaxCertificateSize - 1024, 0);
  EXPECT_TRUE(issue_certificate(root.certificate, root.key, root.key.public_key(), wanted));
}

TEST(Issuing, NamesAndTimesThatDoNotFitAreRefused) {
  const Holder root = Holder::root();
  const auto refused = [&](const CertificateTemplate& wanted) {
    const auto made = issue_certificate(root.certificate, root.key, root.key.public_key(), wanted);
    return !made && made.error().kind == kBadCertificate;
  };
  for (const std::string& name :
       {std::string(), std::string("a b"), std::string("a,DNS:b"), std::string("a\0b", 3),
        std::string("h\xc3\xa9"), std::string(65, 'a')}) {
    EXPECT_TRUE(refused(host_template(name))) << name;
  }
  EXPECT_FALSE(refused(host_template(std::string(64, 'a'))));
  CertificateTemplate backwards = host_template("h");
  backwards.not_after = backwards.not_before - std::chrono::seconds(1);
  EXPECT_TRUE(refused(backwards));
  CertificateTemplate endless = host_template("h");
  endless.not_after = WallTime(std::chrono::days(365 * 9000));
  EXPECT_TRUE(refused(endless));
  CertificateTemplate far = host_template("h");
  far.not_after = WallTime(std::chrono::days(365 * 200));
  EXPECT_EQ(root.issue(far).certificate.not_after(), far.not_after);
}

TEST(Issuing, OnlyACaWithItsOwnKeyIssues) {
  const Holder root = Holder::root();
  const Holder host = root.issue(host_template("h"));
  EXPECT_EQ(issue_certificate(host.certificate, host.key, root.key.public_key(), host_template("x"))
                .error()
                .kind,
            kKeyUnsuitable);
  EXPECT_EQ(issue_certificate(root.certificate, host.key, root.key.public_key(), host_template("x"))
                .error()
                .kind,
            kKeyUnsuitable);
  EXPECT_EQ(make_crl(host.certificate, host.key, 1, kToday, kToday + kYear, {}).error().kind,
            kKeyUnsuitable);
}

TEST(Request, RoundTripsForEveryKeyType) {
  for (const KeyType type : kTypes) {
    const PrivateKey key = PrivateKey::generate(type).value();
    const auto made = CertificateRequest::make(key, "Host-B");
    ASSERT_TRUE(made) << made.error().text();
    const auto read = CertificateRequest::from_pem(made->to_pem());
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(read->name(), "host-b");
    EXPECT_EQ(read->public_key(), key.public_key());
    EXPECT_EQ(read->der(), made->der());
  }
}

TEST(Request, OthersAreRefused) {
  const PrivateKey key = PrivateKey::generate(KeyType::kEcdsaP256).value();
  EXPECT_EQ(CertificateRequest::make(key, "").error().kind, kBadRequest);
  EXPECT_EQ(CertificateRequest::make(key, "a b").error().kind, kBadRequest);
  const Bytes good = CertificateRequest::make(key, "h")->der();
  for (std::size_t size = 0; size < good.size(); ++size) {
    ASSERT_EQ(CertificateRequest::from_der(ByteView(good).first(size)).error().kind, kBadRequest);
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes changed = good;
    changed[i] ^= 1;
    EXPECT_FALSE(CertificateRequest::from_der(changed)) << i;
  }
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(CertificateRequest::from_der(longer));
  EXPECT_EQ(CertificateRequest::from_pem("").error().kind, kBadRequest);
  EXPECT_EQ(CertificateRequest::from_pem(Holder::root().certificate.to_pem()).error().kind,
            kBadRequest);
}

}  // namespace
}  // namespace gkmpd::crypto
