#include "agent/crypto/random.h"

#include <gtest/gtest.h>

#include <set>

#include "agent/crypto/signature.h"

namespace gkmpd::crypto {
namespace {

Secret key_pem(KeyType type = KeyType::kEcdsaP256) { return PrivateKey::generate(type)->to_pem(); }

TEST(SystemRandom, DeliversAndDoesNotRepeat) {
  SystemRandom random;
  std::set<ByteArray<16>> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.array<16>());
  EXPECT_EQ(seen.size(), 1000U);
  random.fill({});
}

TEST(SeededRandom, SameSeedSameOctetsForEver) {
  SeededRandom a(7);
  SeededRandom b(7);
  SeededRandom other(8);
  const auto first = a.array<40>();
  EXPECT_EQ(first, b.array<40>());
  EXPECT_NE(first, other.array<40>());
  EXPECT_NE(first, a.array<40>());
  // SHA-256("GKMP/1 seeded random" | u64 seed) is the seed of blocks SHA-256(it | u64 number).
  SeededRandom zero(0);
  EXPECT_EQ(to_hex(zero.array<32>()),
            "9515858e3edd6ae831e0f0118231cc0751be7953779f3f50fc283567aee2f141");
}

TEST(OpenSslOverride, RepeatsKeysAndSignatures) {
  const auto run = [] {
    const SeededRandom::OpenSslOverride override(5);
    Bytes all;
    for (const auto type : {KeyType::kEcdsaP256, KeyType::kEcdsaP384, KeyType::kEd25519}) {
      const auto key = PrivateKey::generate(type);
      append(all, key->to_pem().expose());
      append(all, *key->sign(SignatureContext::kCreate1, {as_bytes("x")}));
    }
    return all;
  };
  EXPECT_EQ(run(), run());
}

TEST(OpenSslOverride, NestsAndGivesTheRealOneBack) {
  {
    const SeededRandom::OpenSslOverride outer(1);
    const Secret outer_first = key_pem();
    {
      const SeededRandom::OpenSslOverride inner(1);
      EXPECT_TRUE(key_pem().equals(outer_first));
    }
    // The outer stream goes on where it was.
    const Secret outer_second = key_pem();
    EXPECT_FALSE(outer_second.equals(outer_first));
    const SeededRandom::OpenSslOverride again(1);
    EXPECT_TRUE(key_pem().equals(outer_first));
    EXPECT_TRUE(key_pem().equals(outer_second));
  }
  SystemRandom system;
  SeededRandom seeded(1);
  EXPECT_NE(system.array<32>(), seeded.array<32>());
  EXPECT_FALSE(key_pem().equals(key_pem()));
}

}  // namespace
}  // namespace gkmpd::crypto
