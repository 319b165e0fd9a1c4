// Opening of single ESP packets, against vectors of another implementation and packets made here.
#include "tests/support/esp_open/esp_cipher.h"

#include <gtest/gtest.h>

#include "tests/support/esp_open/made.h"

namespace gkmpd::esp_open {
namespace {

constexpr const char* kWrong = "tag or padding wrong";
constexpr const char* kUnknown = "algorithm not known";

struct Suite {
  const char* name;
  SaKey key;
  const char* foreign;  // see OpensAForeignVector
};

class EspCipher : public ::testing::TestWithParam<Suite> {
 protected:
  const SaKey key_ = GetParam().key;
  [[nodiscard]] bool opens(View frame) const {
    return open_esp(*read_esp(frame), key_).has_value();
  }
};

// Made with another program (Python's cryptography: AESGCM, and AES in CBC with hmac) from the keys
// of made.h, SPI 0x0a001001, sequence number 1, IV f1a9e902a6dc8a01, for CBC a0a1...af, and the
// text "abcdef" with next header 59 in the shortest padding.
TEST_P(EspCipher, OpensAForeignVector) {
  Octets frame;
  ASSERT_TRUE(read_hex(GetParam().foreign, frame));
  const auto esp = read_esp(frame);
  ASSERT_TRUE(esp);
  EXPECT_EQ(esp->spi, kSpi);
  EXPECT_EQ(esp->sequence, 1U);
  const auto content = open_esp(*esp, key_);
  ASSERT_TRUE(content) << content.error();
  EXPECT_EQ(content->next_header, kNoNextHeader);
  EXPECT_EQ(std::string(content->payload.begin(), content->payload.end()), "abcdef");
}

TEST_P(EspCipher, EveryOctetCounts) {
  const Octets frame = seal(key_, kSpi, 1, {1, 2, 3}, kNoNextHeader);
  ASSERT_TRUE(opens(frame));
  for (std::size_t i = 0; i < frame.size(); ++i) {
    auto changed = frame;
    changed[i] ^= 1;
    EXPECT_FALSE(opens(changed)) << i;
  }
  for (std::size_t size = 8; size < frame.size(); ++size) {
    EXPECT_FALSE(opens(View(frame).first(size))) << size;
  }
}

TEST_P(EspCipher, EveryOctetOfTheKeysCounts) {
  const Octets frame = seal(key_, kSpi, 1, {1, 2, 3}, kNoNextHeader);
  for (Octets SaKey::* part : {&SaKey::key, &SaKey::auth_key}) {
    for (std::size_t i = 0; i < (key_.*part).size(); ++i) {
      SaKey wrong = key_;
      (wrong.*part)[i] ^= 1;
      EXPECT_FALSE(open_esp(*read_esp(frame), wrong)) << i;
    }
  }
}

TEST_P(EspCipher, TakesOnlyPaddingThatCounts) {
  const auto opens_with = [this](Octets end) {
    Octets plain(16 - end.size(), 0xaa);
    append(plain, end);
    return opens(seal_with_trailer(key_, kSpi, 1, plain));
  };
  EXPECT_TRUE(opens_with({1, 2, 3, 3, kNoNextHeader}));
  EXPECT_TRUE(opens_with({0, kNoNextHeader}));
  EXPECT_FALSE(opens_with({1, 2, 4, 3, kNoNextHeader}));
  EXPECT_FALSE(opens_with({15, kNoNextHeader}));  // fifteen octets of padding, fourteen there
}

TEST_P(EspCipher, RefusesOtherAlgorithmsAndLengths) {
  const Octets frame = seal(key_, kSpi, 1, {}, kNoNextHeader);
  const auto error = [&frame](const SaKey& key) {
    const auto content = open_esp(*read_esp(frame), key);
    return content ? std::string("opened") : content.error();
  };
  ASSERT_EQ(error(key_), "opened");
  SaKey other = key_;
  other.key.pop_back();
  EXPECT_EQ(error(other), kUnknown);
  other = key_;
  other.icv_bits = 96;
  EXPECT_EQ(error(other), kUnknown);
  other = key_;
  other.algorithm = "rfc7539esp(chacha20,poly1305)";
  EXPECT_EQ(error(other), kUnknown);
  other = key_;
  other.auth = "hmac(sha1)";
  EXPECT_EQ(error(other), kUnknown);
  // With the right key of another suite it is opened in vain.
  for (const SaKey& foreign : {gcm128_key(), gcm256_key(), cbc_key()}) {
    const bool same = foreign.algorithm == key_.algorithm && foreign.key.size() == key_.key.size();
    EXPECT_EQ(error(foreign), same ? "opened" : kWrong);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Suites, EspCipher,
    ::testing::Values(Suite{"gcm128", gcm128_key(),
                            "0a00100100000001f1a9e902a6dc8a01a1e5b4ff531d2e97baa04ce6daa98e34"
                            "4858dc8858e6e4c1"},
                      Suite{"gcm256", gcm256_key(),
                            "0a00100100000001f1a9e902a6dc8a011839af5362531867010524353e88ec8a"
                            "88df1e880e070a0d"},
                      Suite{"cbc", cbc_key(),
                            "0a00100100000001a0a1a2a3a4a5a6a7a8a9aaabacadaeafaee4e0c5a146a90d"
                            "d2b4e98918f7cb1eb68576b19632707993a8978207c9d963"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(EspCipherCbc, RefusesABlockThatIsNotWhole) {
  constexpr std::size_t kIcvSize = 16;
  const SaKey key = cbc_key();
  Octets frame = seal(key, kSpi, 1, Octets(40), kNoNextHeader);
  frame.resize(frame.size() - kIcvSize);
  append_icv(frame, key);
  ASSERT_TRUE(open_esp(*read_esp(frame), key));
  frame.resize(frame.size() - kIcvSize - 8);
  append_icv(frame, key);
  EXPECT_EQ(open_esp(*read_esp(frame), key).error(), kWrong);
}

}  // namespace
}  // namespace gkmpd::esp_open
