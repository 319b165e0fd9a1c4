// Opening of single ESP packets, against vectors of another implementation and packets made here.
#include "tests/support/esp_open/esp_cipher.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/esp_open/made.h"

namespace gkmpd::esp_open {
namespace {

constexpr const char* kWrong = "tag or padding wrong";
constexpr const char* kUnknown = "algorithm not known";

struct Suite {
  const char* name;
  SaKey key;
  const char* foreign;      // see OpensAForeignVector
  const char* foreign_esn;  // see OpensAForeignVectorWithEsn
};

class EspCipher : public ::testing::TestWithParam<Suite> {
 protected:
  const SaKey key_ = GetParam().key;
  [[nodiscard]] bool opens(View frame) const {
    return open_esp(*read_esp(frame), key_).has_value();
  }
};

// Made with another program (Python's cryptography: AESGCM, ChaCha20Poly1305, and AES in CBC, with
// hmac) from the keys of made.h, SPI 0x0a001001, sequence number 1, IV f1a9e902a6dc8a01, for CBC
// a0a1...af, and the text "abcdef" with next header 59 in the shortest padding.
void expect_foreign(const char* digits, const SaKey& key, std::uint64_t sequence) {
  Octets frame;
  ASSERT_TRUE(read_hex(digits, frame));
  const auto esp = read_esp(frame);
  ASSERT_TRUE(esp);
  EXPECT_EQ(esp->spi, kSpi);
  EXPECT_EQ(esp->sequence, 1U);
  const auto content = open_esp(*esp, key);
  ASSERT_TRUE(content) << content.error();
  EXPECT_EQ(content->next_header, kNoNextHeader);
  EXPECT_EQ(content->sequence, sequence);
  EXPECT_EQ(std::string(content->payload.begin(), content->payload.end()), "abcdef");
}

TEST_P(EspCipher, OpensAForeignVector) { expect_foreign(GetParam().foreign, key_, 1); }

// The same under the upper half 5, which is not in the packet.
TEST_P(EspCipher, OpensAForeignVectorWithEsn) {
  for (const std::uint32_t high : {4U, 5U, 6U})
    expect_foreign(GetParam().foreign_esn, with_esn(key_, high), 0x500000001);
  Octets frame;
  ASSERT_TRUE(read_hex(GetParam().foreign_esn, frame));
  for (const std::uint32_t high : {0U, 3U, 7U})
    EXPECT_FALSE(open_esp(*read_esp(frame), with_esn(key_, high))) << high;
  EXPECT_FALSE(opens(frame));
  ASSERT_TRUE(read_hex(GetParam().foreign, frame = {}));
  EXPECT_FALSE(open_esp(*read_esp(frame), with_esn(key_, 5)));
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
  other.key.push_back(0);
  EXPECT_EQ(error(other), kUnknown);
  other = key_;
  other.auth_key.push_back(0);
  EXPECT_EQ(error(other), key_.auth.empty() ? "opened" : kUnknown);
  other = key_;
  other.icv_bits = 96;
  EXPECT_EQ(error(other), kUnknown);
  other = key_;
  other.algorithm = "rfc4309(ccm(aes))";
  EXPECT_EQ(error(other), kUnknown);
  other = key_;
  other.auth = "hmac(sha1)";
  EXPECT_EQ(error(other), kUnknown);
  // With the right key of another suite it is opened in vain.
  for (const SaKey& foreign : keys_of_all_suites()) {
    const bool same = foreign == key_;
    EXPECT_EQ(error(foreign), same ? "opened" : kWrong);
  }
}

const Suite kSuites[] = {Suite{"gcm128", gcm128_key(),
                               "0a00100100000001f1a9e902a6dc8a01a1e5b4ff531d2e97baa04ce6daa98e34"
                               "4858dc8858e6e4c1",
                               "0a00100100000001f1a9e902a6dc8a01a1e5b4ff531d2e9745b996cbbb911589"
                               "e8b9c32f6db69539"},
                         Suite{"gcm192", gcm192_key(),
                               "0a00100100000001f1a9e902a6dc8a011da183f0ad6140d8845588eb1327c0d0"
                               "417a7e0a3895b3f1",
                               "0a00100100000001f1a9e902a6dc8a011da183f0ad6140d88139d5c95ac5395d"
                               "ec27b30473fe1dd2"},
                         Suite{"gcm256", gcm256_key(),
                               "0a00100100000001f1a9e902a6dc8a011839af5362531867010524353e88ec8a"
                               "88df1e880e070a0d",
                               "0a00100100000001f1a9e902a6dc8a011839af5362531867ef6264480ec14175"
                               "c165e2892b635d0e"},
                         Suite{"chacha", chacha_key(),
                               "0a00100100000001f1a9e902a6dc8a01e2a1046fa4ae1e062b6e94346f9e443a"
                               "eb438977343d63ac",
                               "0a00100100000001f1a9e902a6dc8a01e2a1046fa4ae1e0614908c81eccf7c0a"
                               "f37cf4d6f4c1e9a4"},
                         Suite{"gmac128", gmac128_key(),
                               "0a00100100000001f1a9e902a6dc8a01616263646566003b25118fd57090f3e5"
                               "3109650fcc8c7293",
                               "0a00100100000001f1a9e902a6dc8a01616263646566003be487083b9d7150bc"
                               "f20ff4629e341cdb"},
                         Suite{"gmac256", gmac256_key(),
                               "0a00100100000001f1a9e902a6dc8a01616263646566003ba6ec5dc0eeb7e572"
                               "02e4ddc41edeb432",
                               "0a00100100000001f1a9e902a6dc8a01616263646566003ba5b51a1d660c2706"
                               "fc5c93488b8a0584"},
                         Suite{"cbc", cbc_key(),
                               "0a00100100000001a0a1a2a3a4a5a6a7a8a9aaabacadaeafaee4e0c5a146a90d"
                               "d2b4e98918f7cb1eb68576b19632707993a8978207c9d963",
                               "0a00100100000001a0a1a2a3a4a5a6a7a8a9aaabacadaeafaee4e0c5a146a90d"
                               "d2b4e98918f7cb1e83533089cacc603721ca114633c432bb"},
                         Suite{"cbcsha384", cbc_sha384_key(),
                               "0a00100100000001a0a1a2a3a4a5a6a7a8a9aaabacadaeaf82d2536898719e90"
                               "da198ef1acb3dfc0b6662bcbab5e34ee104444fb1c1841cba2380d9fdc970108",
                               "0a00100100000001a0a1a2a3a4a5a6a7a8a9aaabacadaeaf82d2536898719e90"
                               "da198ef1acb3dfc00e2c56566ccc043bbe67ebc676620b88ebfe3bb092ceb996"},
                         Suite{"cbcsha512", cbc_sha512_key(),
                               "0a00100100000001a0a1a2a3a4a5a6a7a8a9aaabacadaeaf82d2536898719e90"
                               "da198ef1acb3dfc073e044628158cc8385811a1cec649976efc591c2417dbbdc"
                               "3e5d0753cd824913",
                               "0a00100100000001a0a1a2a3a4a5a6a7a8a9aaabacadaeaf82d2536898719e90"
                               "da198ef1acb3dfc00631389c04ae5d5de2b318ecf7bca1bd7cfb0b6dbb31cd8c"
                               "dfa5313db69caeaf"},
                         Suite{"nullsha256", null_sha256_key(),
                               "0a00100100000001616263646566003bcd37b940b97ad9f88af02201ef76075f",
                               "0a00100100000001616263646566003b472e46960f87233f98464d3835b05340"},
                         Suite{"nullsha384", null_sha384_key(),
                               "0a00100100000001616263646566003b5598a669ba55ce77fd241c462102e21d"
                               "a49cd5140c817715",
                               "0a00100100000001616263646566003bc9fa503a2b5ec96cf83c8a20caad0dbb"
                               "e4faf875d7179fca"},
                         Suite{"nullsha512", null_sha512_key(),
                               "0a00100100000001616263646566003bc11ea909567c3ccfd83502d17a42b265"
                               "8011763a0e8fcf3e4c9814a07888c4ed",
                               "0a00100100000001616263646566003b040ac598edbc9fa802b34bcc637c57b6"
                               "b8c1c50b74b35523ac060742ecfd73b9"}};

INSTANTIATE_TEST_SUITE_P(Suites, EspCipher, ::testing::ValuesIn(kSuites),
                         [](const auto& tested) { return std::string(tested.param.name); });

// What GMAC and NULL leave readable is what they say it is.
TEST(EspCipherIntegrity, LeavesThePayloadReadable) {
  for (const SaKey& key : keys_of_all_suites()) {
    const Octets frame = seal(key, kSpi, 1, test_payload(), kNoNextHeader);
    const Octets text = test_payload();
    const bool readable = !std::ranges::search(frame, text).empty();
    EXPECT_EQ(readable, key.algorithm == "rfc4543(gcm(aes))" || key.algorithm == "ecb(cipher_null)")
        << key.algorithm;
  }
}

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
