#include "agent/crypto/hash.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/crypto/hex.h"

namespace gkmpd::crypto {
namespace {

TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256({as_bytes("abc")})),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Digest, KnownAnswersOfBothHashes) {
  EXPECT_EQ(to_hex(digest(Hash::kSha256, {as_bytes("a"), as_bytes("bc")})),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(digest(Hash::kSha384, {as_bytes("a"), as_bytes("bc")})),
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
            "8086072ba1e7cc2358baeca134c825a7");
}

TEST(Sha256, PartsAreConcatenated) {
  EXPECT_EQ(sha256({as_bytes("a"), ByteView{}, as_bytes("bc")}), sha256({as_bytes("abc")}));
}

struct HmacCase {
  const char* key;
  std::string_view data;
  const char* mac;
};

TEST(HmacSha256, Rfc4231) {
  const std::string long_key(262, 'a');  // 131 octets 0xaa
  const HmacCase cases[] = {
      {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"4a656665", "what do ya want for nothing?",
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {long_key.c_str(), "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
  };
  for (const HmacCase& row : cases) {
    EXPECT_EQ(to_hex(hmac_sha256(secret_hex(row.key), {as_bytes(row.data)})), row.mac) << row.data;
    EXPECT_EQ(to_hex(hmac_sha256(secret_hex(row.key),
                                 {as_bytes(row.data.substr(0, 3)), as_bytes(row.data.substr(3))})),
              row.mac);
  }
}

TEST(HmacSha256, AnEmptyKeyIsAKey) {
  EXPECT_EQ(to_hex(hmac_sha256(Secret(), {})),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

struct HkdfCase {
  const char* input;
  const char* salt;
  const char* info;
  const char* prk;
  const char* output;
};

constexpr HkdfCase kRfc5869[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
     "f0f1f2f3f4f5f6f7f8f9", "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2"
     "e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
     "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8"
     "e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
     "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcddd"
     "edfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
     "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
     "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590"
     "e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
     "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
     "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
};

TEST(Hkdf, Rfc5869) {
  for (const HkdfCase& row : kRfc5869) {
    const Secret prk = hkdf_extract(Hash::kSha256, hex(row.salt), secret_hex(row.input));
    EXPECT_EQ(to_hex(prk.expose()), row.prk);
    const Bytes info = hex(row.info);
    const Bytes wanted = hex(row.output);
    EXPECT_EQ(to_hex(hkdf_expand(Hash::kSha256, prk, {info}, wanted.size()).expose()), row.output);
    const ByteView whole = info;
    const std::size_t half = info.size() / 2;
    EXPECT_EQ(to_hex(hkdf_expand(Hash::kSha256, prk, {whole.first(half), whole.subspan(half)},
                                 wanted.size())
                         .expose()),
              row.output);
  }
}

/// RFC 4231's first case is HMAC-SHA-384, which is what Extract is; Expand's first block is an HMAC
/// over info and the number 1.
TEST(Hkdf, WithSha384IsMadeOfHmacSha384) {
  const Secret prk =
      hkdf_extract(Hash::kSha384, Bytes(20, 0x0b), Secret::copy_of(as_bytes("Hi There")));
  EXPECT_EQ(to_hex(prk.expose()),
            "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
            "faea9ea9076ede7f4af152e8b2fa9cb6");
  const Secret expanded = hkdf_expand(Hash::kSha384, prk, {as_bytes("x")}, 60);
  Bytes input = to_bytes(as_bytes("x"));
  input.push_back(1);
  const Secret first = hkdf_extract(Hash::kSha384, prk.expose(), Secret::copy_of(input));
  EXPECT_TRUE(equal(expanded.expose().first(48), first.expose()));
  input = to_bytes(first.expose());
  append(input, as_bytes("x"));
  input.push_back(2);
  const Secret second = hkdf_extract(Hash::kSha384, prk.expose(), Secret::copy_of(input));
  EXPECT_TRUE(equal(expanded.expose().subspan(48), second.expose().first(12)));
}

TEST(Hkdf, SizesFromNothingToTheLimit) {
  const Secret prk(32);
  EXPECT_TRUE(hkdf_expand(Hash::kSha256, prk, {}, 0).empty());
  const Secret longest = hkdf_expand(Hash::kSha256, prk, {as_bytes("x")}, std::size_t{255} * 32);
  EXPECT_EQ(longest.size(), 8160U);
  for (const std::size_t size : {1U, 31U, 32U, 33U, 64U}) {
    EXPECT_TRUE(equal(hkdf_expand(Hash::kSha256, prk, {as_bytes("x")}, size).expose(),
                      longest.expose().first(size)))
        << size;
  }
  EXPECT_EQ(hkdf_expand(Hash::kSha384, Secret(48), {}, std::size_t{255} * 48).size(), 12240U);
  EXPECT_DEATH((void)hkdf_expand(Hash::kSha256, prk, {}, std::size_t{255} * 32 + 1), "");
}

}  // namespace
}  // namespace gkmpd::crypto
