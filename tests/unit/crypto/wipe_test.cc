// OpenSSL's heap is watched: no block that it gives back may still hold a private key. A program of
// its own, since the hooks must be set before OpenSSL allocates anything.
#include <gtest/gtest.h>
#include <malloc.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "agent/crypto/aead.h"
#include "agent/crypto/agreement.h"
#include "agent/crypto/hash.h"
#include "agent/crypto/random.h"
#include "agent/crypto/signature.h"
#include "tests/unit/crypto/hex.h"

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

void* allocate(std::size_t size, const char*, int) { return std::malloc(size); }

void give_back(void* block, const char*, int) {
  look_at(block);
  std::free(block);
}

void* move_to(void* block, std::size_t size, const char*, int) {
  if (block == nullptr) return std::malloc(size);
  void* const moved = std::malloc(size);
  if (moved == nullptr) return nullptr;
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

struct KeyCase {
  KeyType type;
  std::string_view pem;
  std::string_view private_hex;
};

// Made by the openssl program, which also told the private octets.
constexpr KeyCase kCases[] = {
    {KeyType::kEcdsaP256,
     "-----BEGIN PRIVATE KEY-----\n"
     "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg1Zuigo7CbIhC9Hjb\n"
     "9Loaj6VmijrniJB+iMCuYjWMlymhRANCAAQoPP+kSVSKcmq7PCpXURFL5nNqSbWl\n"
     "fViaU81g8V5wO35Ao4HtY6NlR26tMpDWSjcVaLSsoOvDkPZWZ6ekBSXZ\n"
     "-----END PRIVATE KEY-----\n",
     "d59ba2828ec26c8842f478dbf4ba1a8fa5668a3ae788907e88c0ae62358c9729"},
    {KeyType::kEcdsaP384,
     "-----BEGIN PRIVATE KEY-----\n"
     "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDAW7sPJwUANTP7SOr3g\n"
     "xhz1E+Xxl9rQ+IYomBX2+w8INMfE8xg6v/lA+fz7GSKwINShZANiAAT8mH2uN0X2\n"
     "rcogaVSbQ/U2t/SW7gCVjPdjpVNjJjvFHy7JE3WMryI4EoGshfdeY/RlU3Mibf9j\n"
     "GgFfmBDbAVUHanpD1+RKrWhhuLK8h+bhnz72OgcEiA3mOhBVfmtsTYc=\n"
     "-----END PRIVATE KEY-----\n",
     "16eec3c9c1400d4cfed23abde0c61cf513e5f197dad0f886289815f6fb0f0834c7c4f3183abff940f9fcfb1922b02"
     "0d4"},
    {KeyType::kEd25519,
     "-----BEGIN PRIVATE KEY-----\n"
     "MC4CAQAwBQYDK2VwBCIEIGrAL4u/jHIEEb3vxVrztzb+WrbuWZu+US1JT4D7ja2Y\n"
     "-----END PRIVATE KEY-----\n",
     "6ac02f8bbf8c720411bdefc55af3b736fe5ab6ee599bbe512d494f80fb8dad98"},
};

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
