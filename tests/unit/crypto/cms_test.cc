#include "agent/crypto/cms.h"

#include <gtest/gtest.h>

#include <string>

#include "agent/crypto/errors.h"
#include "tests/unit/crypto/pki.h"

namespace gkmpd::crypto {
namespace {

constexpr std::string_view kText = "kind = \"x\"\nversion = 1\n";

struct Signed {
  Holder root = Holder::root();
  Holder commander;
  Bytes der;

  explicit Signed(KeyType type = KeyType::kEcdsaP256)
      : commander(root.issue(host_template("commander"), type)),
        der(cms_sign(as_bytes(kText), oid_group_token(), commander.certificate, commander.key,
                     {root.certificate})
                .value()) {}
};

std::string name_of(const Result<CmsContent>& read) {
  return read ? "read" : std::string(read.error().name());
}

TEST(Cms, GivesBackTheOctetsAndTheSigner) {
  for (const KeyType type : {KeyType::kEcdsaP256, KeyType::kEcdsaP384}) {
    const Signed made(type);
    const auto read = cms_verify(made.der, oid_group_token());
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(as_text(read->content), kText);
    EXPECT_EQ(read->signer.der(), made.commander.certificate.der());
    ASSERT_EQ(read->others.size(), 1U);
    EXPECT_EQ(read->others[0].der(), made.root.certificate.der());
  }
}

TEST(Cms, AnyContentSurvivesUnchanged) {
  const Signed made;
  Bytes binary(1000);
  for (std::size_t i = 0; i < binary.size(); ++i) binary[i] = static_cast<std::uint8_t>(i * 7);
  for (const Bytes& content : {Bytes{}, Bytes{'\n'}, Bytes{'\r', '\n', '\n', 0x1a, 0}, binary}) {
    const auto der =
        cms_sign(content, oid_group_token(), made.commander.certificate, made.commander.key, {});
    ASSERT_TRUE(der) << der.error().text();
    const auto read = cms_verify(*der, oid_group_token());
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(read->content, content);
    EXPECT_TRUE(read->others.empty());
  }
}

TEST(Cms, TheSignerAmongTheOthersTravelsOnce) {
  const Signed made;
  const auto der =
      cms_sign(as_bytes(kText), oid_group_token(), made.commander.certificate, made.commander.key,
               {made.commander.certificate, made.root.certificate, made.root.certificate});
  ASSERT_TRUE(der);
  EXPECT_EQ(cms_verify(*der, oid_group_token())->others.size(), 1U);
}

TEST(Cms, UnsuitableKeysAreRefused) {
  const Signed made;
  const Holder ed = made.root.issue(host_template("ed"), KeyType::kEd25519);
  const auto with_ed = cms_sign(as_bytes(kText), oid_group_token(), ed.certificate, ed.key, {});
  EXPECT_EQ(with_ed.error().kind, kKeyUnsuitable);
  const auto with_other =
      cms_sign(as_bytes(kText), oid_group_token(), made.commander.certificate, made.root.key, {});
  EXPECT_EQ(with_other.error().kind, kKeyUnsuitable);
}

TEST(Cms, SizeIsLimited) {
  const Signed made;
  const auto sign = [&](std::size_t size) {
    return cms_sign(Bytes(size), oid_group_token(), made.commander.certificate, made.commander.key,
                    {});
  };
  EXPECT_EQ(sign(kMaxCmsSize + 1).error().kind, kBadCms);
  EXPECT_EQ(sign(kMaxCmsSize).error().kind, kBadCms);
  EXPECT_TRUE(sign(kMaxCmsSize - 2048));
}

TEST(Cms, AnotherContentTypeIsRefused) {
  const Signed made;
  EXPECT_EQ(name_of(cms_verify(made.der, oid_permissions())), "crypto.bad-cms");
  EXPECT_EQ(name_of(cms_verify(made.der, "1.2.840.113549.1.7.1")), "crypto.bad-cms");
}

TEST(Cms, TheSignedContentTypeIsThatOfTheContent) {
  // Signed as something else, then passed off as a token: only the type in the signed attributes
  // tells, and it stands behind the certificate.
  const Signed made;
  Bytes der =
      cms_sign(as_bytes(kText), oid_eku_gkmp(), made.commander.certificate, made.commander.key, {})
          .value();
  ASSERT_EQ(name_of(cms_verify(der, oid_eku_gkmp())), "read");
  // Object identifiers of the project differ in their last octet alone, 2 and 3.
  std::size_t at = as_text(der).find(kText);
  while (!(der[at] == 2 && der[at + 1] == 0xa0)) --at;
  der[at] = 3;
  EXPECT_EQ(name_of(cms_verify(der, oid_group_token())), "crypto.bad-cms");
}

TEST(Cms, EveryOtherLengthIsRefused) {
  Signed made;
  for (std::size_t size = 0; size < made.der.size(); ++size) {
    ASSERT_EQ(name_of(cms_verify(ByteView(made.der).first(size), oid_group_token())),
              "crypto.bad-cms")
        << size;
  }
  made.der.push_back(0);
  EXPECT_EQ(name_of(cms_verify(made.der, oid_group_token())), "crypto.bad-cms");
}

TEST(Cms, ChangedContentIsNoticed) {
  const Signed made;
  const std::string_view all = as_text(made.der);
  const std::size_t at = all.find(kText);
  ASSERT_NE(at, std::string_view::npos);
  for (std::size_t i = 0; i < kText.size(); ++i) {
    Bytes changed = made.der;
    changed[at + i] ^= 1;
    EXPECT_EQ(name_of(cms_verify(changed, oid_group_token())), "crypto.bad-signature");
  }
}

TEST(Cms, WhateverIsChangedNothingElseIsRead) {
  const Signed made;
  for (std::size_t i = 0; i < made.der.size(); ++i) {
    for (const unsigned flip : {0x01U, 0x80U}) {
      Bytes changed = made.der;
      changed[i] = static_cast<std::uint8_t>(changed[i] ^ flip);
      const auto read = cms_verify(changed, oid_group_token());
      // What is not signed (certificates, for one) is for the chain to judge; the content is not
      // among it.
      if (read) {
        EXPECT_EQ(as_text(read->content), kText) << i;
      }
    }
  }
}

TEST(Cms, ASignatureUnderAnotherCertificateOfThatNameAndNumberFails) {
  const Signed made;
  const Bytes& signer = made.commander.certificate.der();
  const Bytes key = made.commander.certificate.public_key().spki();
  const Bytes other_key = PrivateKey::generate(KeyType::kEcdsaP256)->public_key().spki();
  // The same certificate with another key in it: signatures are not looked at here.
  Bytes changed = made.der;
  const std::size_t at = as_text(changed).find(as_text(signer));
  ASSERT_NE(at, std::string_view::npos);
  const std::size_t key_at = as_text(changed).find(as_text(key), at);
  ASSERT_LT(key_at, at + signer.size());
  std::copy(other_key.begin(), other_key.end(),
            changed.begin() + static_cast<std::ptrdiff_t>(key_at));
  EXPECT_EQ(name_of(cms_verify(changed, oid_group_token())), "crypto.bad-signature");
}

}  // namespace
}  // namespace gkmpd::crypto
