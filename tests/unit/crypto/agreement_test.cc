#include "agent/crypto/agreement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "agent/crypto/errors.h"
#include "agent/crypto/random.h"
#include "tests/unit/crypto/hex.h"

namespace gkmpd::crypto {
namespace {

class FixedRandom final : public Random {
 public:
  explicit FixedRandom(std::string_view octets_hex) : octets_(hex(octets_hex)) {}
  void fill(std::span<std::uint8_t> out) override {
    ASSERT_EQ(out.size(), octets_.size());
    std::ranges::copy(octets_, out.begin());
  }

 private:
  Bytes octets_;
};

// RFC 7748, 6.1.
constexpr std::string_view kBobPrivate =
    "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
constexpr std::string_view kBobPublic =
    "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
constexpr std::string_view kAlicePublic =
    "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";

TEST(Agreement, Rfc7748DiffieHellman) {
  FixedRandom random(kBobPrivate);
  EphemeralKey bob = EphemeralKey::generate(random);
  EXPECT_EQ(to_hex(bob.share()), kBobPublic);
  const auto shared = std::move(bob).agree(array_hex<kShareSize>(kAlicePublic));
  ASSERT_TRUE(shared);
  EXPECT_EQ(to_hex(shared->expose()),
            "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

TEST(Agreement, Rfc7748Function) {
  FixedRandom random("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
  const auto out = EphemeralKey::generate(random).agree(
      array_hex<kShareSize>("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"));
  ASSERT_TRUE(out);
  EXPECT_EQ(to_hex(out->expose()),
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
}

TEST(Agreement, BothSidesGetTheSame) {
  SeededRandom random(1);
  EphemeralKey a = EphemeralKey::generate(random);
  EphemeralKey b = EphemeralKey::generate(random);
  EXPECT_NE(a.share(), b.share());
  const Share of_a = a.share();
  const auto z_a = std::move(a).agree(b.share());
  const auto z_b = std::move(b).agree(of_a);
  ASSERT_TRUE(z_a && z_b);
  EXPECT_TRUE(z_a->equals(*z_b));
}

TEST(Agreement, SharesWithoutSecretAreRefused) {
  // Points of small order: 0, 1, one of order 8, p - 1, p, p + 1.
  const std::string_view shares[] = {
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0100000000000000000000000000000000000000000000000000000000000000",
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  };
  SeededRandom random(2);
  for (const std::string_view share : shares) {
    const auto z = EphemeralKey::generate(random).agree(array_hex<kShareSize>(share));
    ASSERT_FALSE(z) << share;
    EXPECT_EQ(z.error().kind, kBadShare);
  }
}

TEST(Agreement, AShareServesOnce) {
  SeededRandom random(3);
  EphemeralKey key = EphemeralKey::generate(random);
  const Share peer = EphemeralKey::generate(random).share();
  ASSERT_TRUE(std::move(key).agree(peer));
  const auto again = std::move(key).agree(peer);  // NOLINT(bugprone-use-after-move)
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().name(), "crypto.bad-share");
}

}  // namespace
}  // namespace gkmpd::crypto
