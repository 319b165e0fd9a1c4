#include "agent/keys/esp.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "agent/crypto/hash.h"
#include "agent/keys/errors.h"

namespace gkmpd::keys {
namespace {

constexpr crypto::Hash kHash = crypto::Hash::kSha256;

TEST(Spi, PutsItsFieldsWhereTheProfileSays) {
  EXPECT_EQ(spi(0x0a, {1, 1, 0x5, 0x13}, 0x0102), 0x0a530102U);
  EXPECT_EQ(spi(255, {9, 9, 15, 15}, 0xffff), 0xffffffffU);
  EXPECT_EQ(spi(1, {9, 9, 0, 16}, 1), 0x01000001U);
  EXPECT_EQ(spi(1, {9, 9, 0, 17}, kSharedSenderId), 0x01010000U);
}

TEST(Spi, RefusesFieldsThatDoNotFit) {
  for (const auto& refused :
       {spi(0, {1, 1, 0, 1}, 1), spi(1, {1, 1, 16, 1}, 1), spi(0, {1, 1, 0, 1}, kSharedSenderId)}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, kSpiField);
  }
}

TEST(EspKeys, AreOfTheSuitesLengthAndDifferByEveryInput) {
  const Digest statement = crypto::sha256({as_bytes("statement")});
  const Secret gtek = Secret::copy_of(Bytes(32, 3));
  const EspKeys keys(kHash, gtek, statement);
  std::set<std::string> seen;
  const auto add = [&](const Secret& key) {
    EXPECT_EQ(key.size(), 20U);
    EXPECT_TRUE(seen.insert(to_hex(key.expose())).second);
  };
  add(keys.sender_key(xfrm::EspSuite::kAesGcm128, 0x0a000001, 1));
  add(keys.sender_key(xfrm::EspSuite::kAesGcm128, 0x0a000002, 1));
  add(keys.sender_key(xfrm::EspSuite::kAesGcm128, 0x0a000001, 2));
  add(EspKeys(kHash, gtek, crypto::sha256({as_bytes("other")}))
          .sender_key(xfrm::EspSuite::kAesGcm128, 0x0a000001, 1));
  add(EspKeys(kHash, Secret::copy_of(Bytes(32, 4)), statement)
          .sender_key(xfrm::EspSuite::kAesGcm128, 0x0a000001, 1));
}

// Two suites with keys of one length have different keys all the same.
TEST(EspKeys, EverySuiteHasKeysOfItsOwn) {
  const EspKeys keys(kHash, Secret::copy_of(Bytes(32, 3)), crypto::sha256({as_bytes("statement")}));
  std::set<std::string> beginnings;
  for (const xfrm::EspSuite suite : xfrm::kEspSuites) {
    const Secret key = keys.sender_key(suite, 0x0a000001, 1);
    EXPECT_EQ(key.size(), xfrm::key_material_size(suite));
    EXPECT_TRUE(beginnings.insert(to_hex(key.expose().first(20))).second);
  }
  EXPECT_EQ(beginnings.size(), 12U);
}

TEST(EspKeys, FollowTheProtocolDocument) {
  const Digest statement = crypto::sha256({as_bytes("statement")});
  const Secret gtek = Secret::copy_of(Bytes(32, 3));
  const Secret root =
      Secret::copy_of(crypto::hmac_sha256(Secret::copy_of(statement), {gtek.expose()}));
  Bytes info = to_bytes(as_bytes("GKMP/1 esp"));
  info.insert(info.end(), {0, 1, 0x0a, 0, 0, 1, 0, 1, 1});  // 0 | suite | SPI | id | HKDF counter
  const Digest block = crypto::hmac_sha256(root, {info});
  EXPECT_EQ(to_hex(EspKeys(kHash, gtek, statement)
                       .sender_key(xfrm::EspSuite::kAesGcm128, 0x0a000001, 1)
                       .expose()),
            to_hex(ByteView(block).first(20)));
}

TEST(EspKeys, TheSharedKeyHasALabelOfItsOwn) {
  using enum xfrm::EspSuite;
  const Digest statement = crypto::sha256({as_bytes("statement")});
  const Secret gtek = Secret::copy_of(Bytes(32, 3));
  const EspKeys keys(kHash, gtek, statement);
  const Secret shared = keys.shared_key(kAesCbc128HmacSha256, 0x0a000000);
  EXPECT_EQ(shared.size(), 48U);
  const Secret root = crypto::hkdf_extract(kHash, statement, gtek);
  Bytes info = to_bytes(as_bytes("GKMP/1 esp-shared"));
  info.insert(info.end(), {0, 3, 0x0a, 0, 0, 0});  // 0 | suite | SPI
  EXPECT_TRUE(shared.equals(crypto::hkdf_expand(kHash, root, {info}, 48)));
  EXPECT_FALSE(shared.equals(keys.sender_key(kAesCbc128HmacSha256, 0x0a000000, kSharedSenderId)));
  EXPECT_FALSE(shared.equals(keys.shared_key(kAesCbc128HmacSha256, 0x0a010000)));
  EXPECT_EQ(keys.sender_key(kAesGcm256, 0x0a000001, 1).size(), 36U);
}

}  // namespace
}  // namespace gkmpd::keys
