#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "agent/crypto/errors.h"
#include "agent/crypto/x509.h"
#include "tests/unit/crypto/pki.h"

namespace gkmpd::crypto {
namespace {

constexpr KeyType kTypes[] = {KeyType::kEcdsaP256, KeyType::kEcdsaP384, KeyType::kEd25519};

TEST(Crl, SaysWhatItWasMadeOf) {
  for (const KeyType type : kTypes) {
    const Holder root = Holder::root(type);
    const Holder good = root.issue(host_template("good"), type);
    const Holder bad = root.issue(host_template("bad"), type);
    const Crl crl = root.crl(7, {{bad.certificate.serial(), kToday}, {"01", kToday}});
    EXPECT_EQ(crl.number(), 7U);
    EXPECT_EQ(crl.this_update(), kToday);
    EXPECT_EQ(crl.next_update(), kToday + std::chrono::days(30));
    EXPECT_EQ(crl.entry_count(), 2U);
    EXPECT_TRUE(crl.revokes(bad.certificate));
    EXPECT_FALSE(crl.revokes(good.certificate));
    EXPECT_TRUE(crl.issued_by(root.certificate));
    const auto again = Crl::from_pem(crl.to_pem());
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_EQ(again->der(), crl.der());
    EXPECT_TRUE(again->revokes(bad.certificate));
  }
}

TEST(Crl, AnEmptyListIsAList) {
  const Holder root = Holder::root();
  const Crl crl = root.crl(0, {});
  EXPECT_EQ(crl.entry_count(), 0U);
  EXPECT_EQ(crl.number(), 0U);
  EXPECT_FALSE(crl.revokes(root.certificate));
  EXPECT_EQ(root.crl(std::numeric_limits<std::uint64_t>::max(), {}).number(),
            std::numeric_limits<std::uint64_t>::max());
}

TEST(Crl, SerialsOfAnotherIssuerAreNotMeant) {
  const Holder root = Holder::root();
  const Holder other = Holder::root(KeyType::kEcdsaP256, "Other Root");
  const Holder host = root.issue(host_template("h"));
  EXPECT_FALSE(other.crl(1, {{host.certificate.serial(), kToday}}).revokes(host.certificate));
  EXPECT_TRUE(root.crl(1, {{host.certificate.serial(), kToday}}).revokes(host.certificate));
}

TEST(Crl, IssuedByItsIssuerOnly) {
  const Holder root = Holder::root();
  const Holder twin = Holder::root();  // same name, another key
  const Holder other = Holder::root(KeyType::kEcdsaP256, "Other Root");
  const Crl crl = root.crl(1, {});
  EXPECT_FALSE(crl.issued_by(twin.certificate));
  EXPECT_FALSE(crl.issued_by(other.certificate));
  // The issuer's name and key, but a certificate that does not make it a CA.
  const auto host = issue_certificate(root.certificate, root.key, root.key.public_key(),
                                      host_template("test-root"));
  ASSERT_TRUE(host);
  const Certificate named = make_root(root.key, ca_template("test-root")).value();
  const Crl of_named =
      make_crl(named, root.key, 1, kToday, kToday + std::chrono::days(1), {}).value();
  EXPECT_TRUE(of_named.issued_by(named));
  EXPECT_FALSE(of_named.issued_by(*host));
  Bytes der = crl.der();
  der.back() ^= 1;
  const auto changed = Crl::from_der(der);
  ASSERT_TRUE(changed);
  EXPECT_FALSE(changed->issued_by(root.certificate));
}

TEST(Crl, EveryOtherLengthIsRefused) {
  Bytes der = Holder::root().crl(3, {{"0A", kToday}}).der();
  for (std::size_t size = 0; size < der.size(); ++size) {
    const auto read = Crl::from_der(ByteView(der).first(size));
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error().kind, kBadCrl);
  }
  der.push_back(0);
  EXPECT_EQ(Crl::from_der(der).error().kind, kBadCrl);
  EXPECT_EQ(Crl::from_pem("").error().kind, kBadCrl);
}

TEST(Crl, EntriesAndTimesThatDoNotFitAreRefused) {
  const Holder root = Holder::root();
  const auto refused = [&](const std::string& serial) {
    const auto made =
        make_crl(root.certificate, root.key, 1, kToday, kToday + kYear, {{serial, kToday}});
    return !made && made.error().kind == kBadCrl;
  };
  for (const char* serial : {"", "0", "xy", "-01", "112233445566778899001122334455667788990011"}) {
    EXPECT_TRUE(refused(serial)) << serial;
  }
  EXPECT_FALSE(refused("FF"));
  EXPECT_EQ(make_crl(root.certificate, root.key, 1, kToday, kToday, {}).error().kind, kBadCrl);
}

TEST(Crl, ALongListIsSearched) {
  const Holder root = Holder::root();
  std::vector<RevokedEntry> revoked;
  constexpr std::uint32_t kEntries = 100000;
  for (std::uint32_t i = 0; i < kEntries; ++i) {
    Bytes serial;
    // Odd numbers, so that half of a range is not listed; in no order.
    append_u32(serial, (i * 7919 % kEntries) * 2 + 1);
    revoked.push_back({to_hex(serial), kToday});
  }
  const Holder host = root.issue(host_template("h"));
  revoked.push_back({host.certificate.serial(), kToday});
  const Crl crl = root.crl(1, revoked);
  EXPECT_EQ(crl.entry_count(), kEntries + 1);
  EXPECT_TRUE(crl.revokes(host.certificate));
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(crl.revokes(root.certificate));
  EXPECT_TRUE(crl.issued_by(root.certificate));
}

}  // namespace
}  // namespace gkmpd::crypto
