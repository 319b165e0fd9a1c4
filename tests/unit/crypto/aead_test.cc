#include "agent/crypto/aead.h"

#include <gtest/gtest.h>

#include "agent/crypto/errors.h"
#include "tests/unit/crypto/hex.h"

namespace gkmpd::crypto {
namespace {

// Test case 16 of McGrew and Viega, "The Galois/Counter Mode of Operation".
constexpr std::string_view kKey =
    "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
constexpr std::string_view kNonce = "cafebabefacedbaddecaf888";
constexpr std::string_view kAssociated = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
constexpr std::string_view kPlaintext =
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
constexpr std::string_view kSealed =
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
    "76fc6ece0f4e1768cddf8853bb2d551b";

TEST(Aead, KnownAnswer) {
  const Secret key = secret_hex(kKey);
  const auto nonce = array_hex<kAeadNonceSize>(kNonce);
  EXPECT_EQ(to_hex(aead_seal(key, nonce, hex(kAssociated), hex(kPlaintext))), kSealed);
  const auto opened = aead_open(key, nonce, hex(kAssociated), hex(kSealed));
  ASSERT_TRUE(opened) << opened.error().text();
  EXPECT_EQ(to_hex(opened->expose()), kPlaintext);
}

TEST(Aead, EmptyPartsAreSealedToo) {
  const Secret key = secret_hex(kKey);
  const Bytes sealed = aead_seal(key, {}, {}, {});
  EXPECT_EQ(sealed.size(), kAeadTagSize);
  const auto opened = aead_open(key, {}, {}, sealed);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(opened->empty());
  EXPECT_FALSE(aead_open(key, {}, as_bytes("x"), sealed));
}

TEST(Aead, AnyChangedBitIsNoticed) {
  const Secret key = secret_hex(kKey);
  const auto nonce = array_hex<kAeadNonceSize>(kNonce);
  const Bytes associated = hex(kAssociated);
  const Bytes sealed = hex(kSealed);
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes changed = sealed;
    changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1U << bit % 8));
    const auto opened = aead_open(key, nonce, associated, changed);
    ASSERT_FALSE(opened) << bit;
    EXPECT_EQ(opened.error().kind, kBadSeal);
  }
  Nonce other_nonce = nonce;
  other_nonce[11] ^= 1;
  EXPECT_FALSE(aead_open(key, other_nonce, associated, sealed));
  EXPECT_FALSE(aead_open(Secret(kAeadKeySize), nonce, associated, sealed));
  EXPECT_FALSE(aead_open(key, nonce, as_bytes("other"), sealed));
}

TEST(Aead, EveryShorterOrLongerFormIsRefused) {
  const Secret key = secret_hex(kKey);
  const auto nonce = array_hex<kAeadNonceSize>(kNonce);
  Bytes sealed = hex(kSealed);
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    const auto opened = aead_open(key, nonce, hex(kAssociated), ByteView(sealed).first(size));
    ASSERT_FALSE(opened) << size;
    EXPECT_EQ(opened.error().name(), "crypto.bad-seal");
  }
  sealed.push_back(0);
  EXPECT_FALSE(aead_open(key, nonce, hex(kAssociated), sealed));
}

TEST(Aead, AKeyOfAnotherSizeEndsTheProcess) {
  EXPECT_DEATH((void)aead_seal(Secret(16), {}, {}, {}), "");
}

}  // namespace
}  // namespace gkmpd::crypto
