// What a core dump of this process would hold is searched for keys while they are used and after. A
// program of its own: OpenSSL's memory is chosen before it allocates anything.
#include "agent/crypto/memory.h"

#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <memory>
#include <utility>
#include <vector>

#include "agent/base/secret_memory.h"
#include "agent/crypto/aead.h"
#include "agent/crypto/agreement.h"
#include "agent/crypto/errors.h"
#include "agent/crypto/hash.h"
#include "agent/crypto/random.h"
#include "agent/crypto/signature.h"
#include "tests/support/disclose/process_memory.h"
#include "tests/unit/crypto/private_keys.h"

namespace gkmpd::crypto {
namespace {

/// Sixteen octets are enough to be sure, and what is left of a key is seldom all of it.
constexpr std::size_t kPiece = 16;

/// From hexadecimal digits without a copy on the way.
Secret secret_of(std::string_view hex) {
  Secret octets(hex.size() / 2);
  const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i < octets.size(); ++i) {
    octets.expose_for_writing()[i] =
        static_cast<std::uint8_t>(value(hex[2 * i]) << 4 | value(hex[2 * i + 1]));
  }
  return octets;
}

/// In how many places of the memory that a dump would hold a piece of `key` lies, forwards or
/// backwards. Looks where it lies: a copy would be found too.
int places_in_dump(const Secret& key) {
  std::ifstream smaps("/proc/self/smaps");
  const auto mappings = disclose::read_mappings(smaps);
  Secret backwards = key.clone();
  std::ranges::reverse(backwards.expose_for_writing());
  int places = 0;
  for (const auto& mapping : mappings) {
    if (!mapping.dumped || !mapping.writable) continue;
    const ByteView memory{reinterpret_cast<const std::uint8_t*>(mapping.from),
                          mapping.to - mapping.from};
    for (const ByteView form : {key.expose(), std::as_const(backwards).expose()}) {
      for (const std::size_t at : {std::size_t{0}, form.size() - kPiece}) {
        const ByteView piece = form.subspan(at, kPiece);
        if (memmem(memory.data(), memory.size(), piece.data(), piece.size()) != nullptr) ++places;
      }
    }
  }
  return places;
}

class Memory : public testing::Test {
 protected:
  void SetUp() override {
    const auto apart = keep_openssl_apart();
    ASSERT_TRUE(apart) << apart.error().text();
    ASSERT_TRUE(secrets_stay_out_of_dumps());
  }
};

TEST_F(Memory, TheSearchSeesHeapAndStack) {
  Secret key(32);
  SystemRandom().fill(key.expose_for_writing());
  EXPECT_EQ(places_in_dump(key), 0);
  {
    Bytes copy = to_bytes(key.expose());
    EXPECT_EQ(places_in_dump(key), 2);
    std::ranges::reverse(copy);
    EXPECT_EQ(places_in_dump(key), 2);
    wipe(copy);
  }
  ByteArray<kPiece> half{};
  std::ranges::copy(key.expose().last(kPiece), half.begin());
  EXPECT_EQ(places_in_dump(key), 1);
  wipe(half);
  EXPECT_EQ(places_in_dump(key), 0);
}

TEST_F(Memory, PrivateKeys) {
  for (const KeyCase& row : kCases) {
    const Secret octets = secret_of(row.private_hex);
    {
      const auto key = PrivateKey::from_pem(Secret::copy_of(as_bytes(row.pem)));
      ASSERT_TRUE(key) << key.error().text();
      EXPECT_EQ(places_in_dump(octets), 0) << "read: " << row.pem;
      ASSERT_TRUE(key->sign(SignatureContext::kCreate1, {as_bytes("x")}));
      EXPECT_EQ(places_in_dump(octets), 0) << "signed with: " << row.pem;
      (void)key->to_pem();
      EXPECT_EQ(places_in_dump(octets), 0) << "written: " << row.pem;
    }
    EXPECT_EQ(places_in_dump(octets), 0) << "let go of: " << row.pem;
  }
}

TEST_F(Memory, KeysOfExchanges) {
  for (const Agreement agreement : {Agreement::kX25519, Agreement::kP256, Agreement::kP384}) {
    SCOPED_TRACE(static_cast<int>(agreement));
    // The first draw is below the order of either curve.
    Secret octets(secret_size(agreement));
    SeededRandom(1).fill(octets.expose_for_writing());
    SeededRandom random(1);
    SeededRandom other(2);
    EphemeralKey peer = EphemeralKey::generate(agreement, other);
    EphemeralKey own = EphemeralKey::generate(agreement, random);
    EXPECT_EQ(places_in_dump(octets), 0) << "made";
    const auto shared = std::move(own).agree(peer.share());
    ASSERT_TRUE(shared);
    EXPECT_EQ(places_in_dump(octets), 0) << "used";
    EXPECT_EQ(places_in_dump(*shared), 0) << "agreed on";
  }
}

TEST_F(Memory, SymmetricKeys) {
  for (const Hash hash : {Hash::kSha256, Hash::kSha384}) {
    Secret key(32);
    SystemRandom().fill(key.expose_for_writing());
    const Secret extracted = hkdf_extract(hash, {}, key);
    const Secret expanded = hkdf_expand(hash, extracted, {as_bytes("x")}, 64);
    (void)hmac_sha256(key, {as_bytes("x")});
    const auto opened = aead_open(key, {}, {}, aead_seal(key, {}, {}, expanded.expose()));
    ASSERT_TRUE(opened);
    EXPECT_EQ(places_in_dump(key), 0);
    EXPECT_EQ(places_in_dump(extracted), 0);
    EXPECT_EQ(places_in_dump(expanded), 0);
  }
}

TEST_F(Memory, WhatOpensslGivesBackIsWiped) {
  constexpr std::size_t kSize = 100;
  auto* const block = static_cast<std::uint8_t*>(OPENSSL_malloc(kSize));
  std::fill_n(block, kSize, std::uint8_t{0xab});
  OPENSSL_free(block);
  auto* const again = static_cast<std::uint8_t*>(OPENSSL_malloc(kSize));
  EXPECT_EQ(again, block);
  EXPECT_EQ(std::count(again, again + kSize, 0xab), 0);
  OPENSSL_free(again);
}

TEST_F(Memory, BlocksGrowAndShrinkWithTheirContent) {
  void* block = OPENSSL_realloc(nullptr, 10);
  ASSERT_NE(block, nullptr);
  std::memcpy(block, "0123456789", 10);
  block = OPENSSL_realloc(block, 10'000);
  EXPECT_EQ(std::memcmp(block, "0123456789", 10), 0);
  block = OPENSSL_realloc(block, 5);
  EXPECT_EQ(std::memcmp(block, "01234", 5), 0);
  EXPECT_EQ(OPENSSL_realloc(block, 0), nullptr);
  OPENSSL_free(nullptr);
  EXPECT_EQ(OPENSSL_malloc(SecretMemory::kMaxSize), nullptr);
  EXPECT_EQ(OPENSSL_malloc(SIZE_MAX), nullptr);
}

}  // namespace
}  // namespace gkmpd::crypto
