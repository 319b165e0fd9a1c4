// OpenSSL's heap is watched: no block that it gives back may still hold a private key. A program of
// its own, since the hooks must be set before OpenSSL allocates anything.
#include <gtest/gtest.h>
#include <malloc.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "agent/crypto/aead.h"
#include "agent/crypto/agreement.h"
#include "agent/crypto/hash.h"
#include "agent/crypto/random.h"
#include "agent/crypto/signature.h"
#include "tests/unit/crypto/hex.h"
#include "tests/unit/crypto/private_keys.h"

namespace gkmpd::crypto {
namespace {

// What must not be found, in either order of octets; not empty while somebody watches.
Bytes watched;
Bytes watched_backwards;
int unwiped = 0;

void look_at(const void* block) {
  if (block == nullptr || watched.empty()) return;
  const ByteView octets{static_cast<const std::uint8_t*>(block),
                        malloc_usable_size(const_cast<void*>(block))};
  const auto holds = [&](const Bytes& what) { return !std::ranges::search(octets, what).empty(); };
  if (holds(watched) || holds(watched_backwards)) ++unwiped;
}

void* allocate(std::size_t size, const char*, int) {
  void* const block = std::malloc(size);
  // What others have left in it is not OpenSSL's.
  if (block != nullptr) std::memset(block, 0, malloc_usable_size(block));
  return block;
}

void give_back(void* block, const char*, int) {
  look_at(block);
  std::free(block);
}

void* move_to(void* block, std::size_t size, const char* file, int line) {
  void* const moved = allocate(size, file, line);
  if (block == nullptr || moved == nullptr) return moved;
  const std::size_t held = malloc_usable_size(block);
  std::copy_n(static_cast<const std::uint8_t*>(block), std::min(held, size),
              static_cast<std::uint8_t*>(moved));
  look_at(block);
  std::free(block);
  return moved;
}

const bool hooked = CRYPTO_set_mem_functions(allocate, move_to, give_back) == 1;

/// Counts blocks given back with `secret` inside while it lives.
class Watch {
 public:
  explicit Watch(Bytes secret) {
    watched_backwards.assign(secret.rbegin(), secret.rend());
    watched = std::move(secret);
    unwiped = 0;
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() {
    watched.clear();
    watched_backwards.clear();
  }
  [[nodiscard]] int found() const { return unwiped; }
};

TEST(Wipe, TheHooksSeeWhatIsNotWiped) {
  ASSERT_TRUE(hooked);
  const Watch watch(hex("00112233445566778899aabbccddeeff"));
  auto* const block = static_cast<std::uint8_t*>(OPENSSL_malloc(40));
  std::ranges::copy(watched, block + 3);
  OPENSSL_free(block);
  EXPECT_EQ(watch.found(), 1);
}

TEST(Wipe, PrivateKeysLeaveNothingBehind) {
  for (const KeyCase& row : kCases) {
    const Secret pem = Secret::copy_of(as_bytes(row.pem));
    // Sixteen octets are enough to be sure, and find copies without leading zeros.
    const Secret octets = secret_hex(row.private_hex);
    const Watch watch(to_bytes(octets.expose().last(16)));
    {
      const auto key = PrivateKey::from_pem(pem);
      ASSERT_TRUE(key) << key.error().text();
      EXPECT_EQ(key->public_key().type(), row.type);
      EXPECT_EQ(watch.found(), 0) << "reading " << row.pem;
      EXPECT_TRUE(PrivateKey::from_pem(key->to_pem()));
      EXPECT_EQ(watch.found(), 0) << "writing " << row.pem;
      ASSERT_TRUE(key->sign(SignatureContext::kCreate1, {as_bytes("x")}));
      EXPECT_EQ(watch.found(), 0) << "signing " << row.pem;
    }
    EXPECT_EQ(watch.found(), 0) << "letting go of " << row.pem;
  }
}

TEST(Wipe, KeysOfExchangesLeaveNothingBehind) {
  SeededRandom random(1);
  const auto private_octets = SeededRandom(1).array<32>();
  const Bytes peer = [] {
    SeededRandom other(2);
    return EphemeralKey::generate(Agreement::kX25519, other).share();
  }();
  const Watch watch(to_bytes(ByteView(private_octets).first(16)));
  const auto shared = EphemeralKey::generate(Agreement::kX25519, random).agree(peer);
  ASSERT_TRUE(shared);
  EXPECT_EQ(watch.found(), 0);
}

TEST(Wipe, SymmetricKeysAndPlaintextLeaveNothingBehind) {
  const Bytes octets = hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
  const Secret key = Secret::copy_of(octets);
  const Watch watch(to_bytes(ByteView(octets).first(16)));
  (void)hmac_sha256(key, {as_bytes("x")});
  (void)hkdf_expand(Hash::kSha256, hkdf_extract(Hash::kSha256, {}, key), {as_bytes("x")}, 64);
  const Bytes sealed = aead_seal(key, {}, {}, key.expose());
  ASSERT_TRUE(aead_open(key, {}, {}, sealed));
  EXPECT_EQ(watch.found(), 0);
}

}  // namespace
}  // namespace gkmpd::crypto
