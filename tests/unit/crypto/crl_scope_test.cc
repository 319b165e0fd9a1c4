// Lists that nobody's program makes by default, put together octet by octet.
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

#include "agent/crypto/errors.h"
#include "agent/crypto/x509.h"
#include "tests/unit/crypto/hex.h"
#include "tests/unit/crypto/pki.h"

namespace gkmpd::crypto {
namespace {

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) append(all, part);
  return all;
}

Bytes tlv(std::uint8_t tag, const Bytes& content) {
  Bytes out{tag};
  if (content.size() >= 0x100) {
    out.push_back(0x82);
    append_u16(out, static_cast<std::uint16_t>(content.size()));
  } else {
    if (content.size() >= 0x80) out.push_back(0x81);
    out.push_back(static_cast<std::uint8_t>(content.size()));
  }
  append(out, content);
  return out;
}

Bytes text(std::uint8_t tag, std::string_view content) {
  return tlv(tag, to_bytes(as_bytes(content)));
}

/// An extension; `id` is the last octet of 2.5.29.x.
Bytes extension(std::uint8_t id, const Bytes& value, bool critical = false) {
  return tlv(0x30, joined({tlv(0x06, {0x55, 0x1d, id}), critical ? tlv(0x01, {0xff}) : Bytes{},
                           tlv(0x04, value)}));
}

constexpr std::uint8_t kCrlNumber = 20;
constexpr std::uint8_t kReason = 21;
constexpr std::uint8_t kDelta = 27;
constexpr std::uint8_t kDistributionPoint = 28;
constexpr std::uint8_t kCertificateIssuer = 29;
constexpr std::uint8_t kUnassigned = 99;

const Bytes kNumber7 = extension(kCrlNumber, hex("020107"));

Bytes entry(const Bytes& serial, const Bytes& extensions = {}) {
  return tlv(0x30, joined({tlv(0x02, serial), text(0x17, "260301000000Z"),
                           extensions.empty() ? Bytes{} : tlv(0x30, extensions)}));
}

struct Parts {
  Bytes version = hex("020101");
  Bytes algorithm = hex("300a06082a8648ce3d040302");  // ecdsa-with-SHA256
  Bytes this_update = text(0x17, "260301000000Z");
  Bytes next_update = text(0x17, "260401000000Z");
  Bytes entries;
  Bytes extensions = kNumber7;
};

/// Issued by "Test Root"; the signature is none.
Bytes list_of(const Parts& parts) {
  const Bytes issuer =
      tlv(0x30, tlv(0x31, tlv(0x30, joined({hex("0603550403"), text(0x0c, "Test Root")}))));
  const Bytes signed_part = tlv(
      0x30, joined({parts.version, parts.algorithm, issuer, parts.this_update, parts.next_update,
                    parts.entries.empty() ? Bytes{} : tlv(0x30, parts.entries),
                    parts.extensions.empty() ? Bytes{} : tlv(0xa0, tlv(0x30, parts.extensions))}));
  return tlv(0x30, joined({signed_part, parts.algorithm, hex("03020000")}));
}

std::string outcome(const Parts& parts) {
  const auto read = Crl::from_der(list_of(parts));
  return read ? "read" : std::string(read.error().name());
}

std::string outcome_with(const Bytes& more_extensions) {
  Parts parts;
  append(parts.extensions, more_extensions);
  return outcome(parts);
}

std::string outcome_of_entry(const Bytes& entry_extensions) {
  Parts parts;
  parts.entries = entry({0x05}, entry_extensions);
  return outcome(parts);
}

TEST(CrlScope, TheUnchangedListIsRead) {
  Parts parts;
  parts.entries = joined({entry({0x05}), entry({0x00, 0xff})});
  const auto read = Crl::from_der(list_of(parts));
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->number(), 7U);
  EXPECT_EQ(read->entry_count(), 2U);
  EXPECT_EQ(read->this_update(), kToday);
}

TEST(CrlScope, DeltaListsAreRefused) {
  EXPECT_EQ(outcome_with(extension(kDelta, hex("020106"), true)), "crypto.crl-scope");
  EXPECT_EQ(outcome_with(extension(kDelta, hex("020106"))), "crypto.crl-scope");
}

TEST(CrlScope, AnyDistributionPointIsRefused) {
  for (const char* value : {"3000", "30038101ff", "30038201ff", "300483020520", "30038401ff",
                            "30038501ff", "3009a007a0058603783a79"}) {
    EXPECT_EQ(outcome_with(extension(kDistributionPoint, hex(value), true)), "crypto.crl-scope")
        << value;
    EXPECT_EQ(outcome_with(extension(kDistributionPoint, hex(value))), "crypto.crl-scope") << value;
  }
}

TEST(CrlScope, UnknownCriticalExtensionsAreRefused) {
  EXPECT_EQ(outcome_with(extension(kUnassigned, hex("0500"), true)), "crypto.crl-scope");
  EXPECT_EQ(outcome_with(extension(kUnassigned, hex("0500"))), "read");
  EXPECT_EQ(outcome_of_entry(extension(kUnassigned, hex("0500"), true)), "crypto.crl-scope");
  EXPECT_EQ(outcome_of_entry(extension(kUnassigned, hex("0500"))), "read");
}

TEST(CrlScope, EntriesOfOtherIssuersAreRefused) {
  // GeneralNames with one dNSName "x".
  const Bytes issuer = hex("3003820178");
  EXPECT_EQ(outcome_of_entry(extension(kCertificateIssuer, issuer, true)), "crypto.crl-scope");
  EXPECT_EQ(outcome_of_entry(extension(kCertificateIssuer, issuer)), "crypto.crl-scope");
}

TEST(CrlScope, TheNumberMustBeThereAndFit) {
  const auto number = [](const Bytes& extensions) {
    Parts parts;
    parts.extensions = extensions;
    return outcome(parts);
  };
  EXPECT_EQ(number({}), "crypto.bad-crl");
  EXPECT_EQ(number(extension(kUnassigned, hex("0500"))), "crypto.bad-crl");
  EXPECT_EQ(number(extension(kCrlNumber, hex("020900ffffffffffffffff"))), "read");
  EXPECT_EQ(number(extension(kCrlNumber, hex("0209010000000000000000"))), "crypto.bad-crl");
  EXPECT_EQ(number(extension(kCrlNumber, hex("0201ff"))), "crypto.bad-crl") << "negative";
  EXPECT_EQ(number(extension(kCrlNumber, hex("0400"))), "crypto.bad-crl");
  EXPECT_EQ(number(extension(kCrlNumber, hex("02020007"))), "crypto.bad-crl") << "not DER";
  EXPECT_EQ(number(joined({kNumber7, kNumber7})), "crypto.bad-crl") << "twice";
}

TEST(CrlScope, VersionAlgorithmAndTimesAreChecked) {
  Parts version1;
  version1.version = {};
  EXPECT_EQ(outcome(version1), "crypto.bad-crl");
  Parts sha1;
  sha1.algorithm = hex("300906072a8648ce3d0401");
  EXPECT_EQ(outcome(sha1), "crypto.bad-crl");
  Parts without_next;
  without_next.next_update = {};
  const auto endless = Crl::from_der(list_of(without_next));
  ASSERT_TRUE(endless) << endless.error().text();
  EXPECT_EQ(endless->next_update(), std::nullopt);
  for (const char* time : {"2603010000Z", "260301000000+0000", "261301000000Z"}) {
    Parts odd;
    odd.this_update = text(0x17, time);
    EXPECT_EQ(outcome(odd), "crypto.bad-crl") << time;
  }
}

TEST(CrlScope, SerialNumbersAreNumbers) {
  for (const Bytes& serial : {hex("80"), Bytes(21, 0x01), hex("0001"), Bytes{}}) {
    Parts parts;
    parts.entries = entry(serial);
    EXPECT_EQ(outcome(parts), "crypto.bad-crl") << to_hex(serial);
  }
}

TEST(CrlScope, RemovedIsNotRevokedButAnotherEntryMayBe) {
  const Holder root = Holder::root();
  const Certificate host = root.issue(host_template("h")).certificate;
  Bytes serial = hex(host.serial());
  if (serial[0] >= 0x80) serial.insert(serial.begin(), 0);
  const auto revokes = [&](const Bytes& entries) {
    Parts parts;
    parts.entries = entries;
    const auto read = Crl::from_der(list_of(parts));
    EXPECT_TRUE(read) << read.error().text();
    return read && read->revokes(host);
  };
  const Bytes removed = entry(serial, extension(kReason, hex("0a0108")));
  const Bytes stolen = entry(serial, extension(kReason, hex("0a0101")));
  EXPECT_TRUE(revokes(entry(serial)));
  EXPECT_TRUE(revokes(stolen));
  EXPECT_FALSE(revokes(removed));
  EXPECT_TRUE(revokes(joined({removed, stolen})));
  EXPECT_TRUE(revokes(joined({stolen, removed})));
  EXPECT_FALSE(revokes(entry({0x05})));
  EXPECT_EQ(outcome_of_entry(extension(kReason, hex("0400"))), "crypto.bad-crl");
}

}  // namespace
}  // namespace gkmpd::crypto
