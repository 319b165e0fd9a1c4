#include "agent/crypto/agreement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

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
  EphemeralKey bob = EphemeralKey::generate(Agreement::kX25519, random);
  EXPECT_EQ(to_hex(bob.share()), kBobPublic);
  const auto shared = std::move(bob).agree(hex(kAlicePublic));
  ASSERT_TRUE(shared);
  EXPECT_EQ(to_hex(shared->expose()),
            "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

TEST(Agreement, Rfc7748Function) {
  FixedRandom random("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
  const auto out =
      EphemeralKey::generate(Agreement::kX25519, random)
          .agree(hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"));
  ASSERT_TRUE(out);
  EXPECT_EQ(to_hex(out->expose()),
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
}

constexpr Agreement kAll[] = {Agreement::kX25519, Agreement::kP256, Agreement::kP384};

TEST(Agreement, BothSidesGetTheSame) {
  SeededRandom random(1);
  for (const Agreement agreement : kAll) {
    EphemeralKey a = EphemeralKey::generate(agreement, random);
    EphemeralKey b = EphemeralKey::generate(agreement, random);
    EXPECT_NE(a.share(), b.share());
    EXPECT_EQ(a.share().size(), share_size(agreement));
    const Bytes of_a = a.share();
    const auto z_a = std::move(a).agree(b.share());
    const auto z_b = std::move(b).agree(of_a);
    ASSERT_TRUE(z_a && z_b);
    EXPECT_EQ(z_a->size(), secret_size(agreement));
    EXPECT_TRUE(z_a->equals(*z_b));
  }
}

struct NistCase {
  Agreement agreement;
  std::string_view scalar;
  std::string_view share;
  std::string_view peer;
  std::string_view z;
};

// NIST's CAVS vectors of ECC CDH, count 0 of each curve.
constexpr NistCase kNist[] = {
    {Agreement::kP256, "7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534",
     "04ead218590119e8876b29146ff89ca61770c4edbbf97d38ce385ed281d8a6b230"
     "28af61281fd35e2fa7002523acc85a429cb06ee6648325389f59edfce1405141",
     "04700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287"
     "db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac",
     "46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b"},
    {Agreement::kP384,
     "3cc3122a68f0d95027ad38c067916ba0eb8c38894d22e1b15618b6818a661774"
     "ad463b205da88cf699ab4d43c9cf98a1",
     "049803807f2f6d2fd966cdd0290bd410c0190352fbec7ff6247de1302df86f25d3"
     "4fe4a97bef60cff548355c015dbb3e5fba26ca69ec2f5b5d9dad20cc9da71138"
     "3a9dbe34ea3fa5a2af75b46502629ad54dd8b7d73a8abb06a3a3be47d650cc99",
     "04a7c76b970c3b5fe8b05d2838ae04ab47697b9eaf52e764592efda27fe7513272"
     "734466b400091adbf2d68c58e0c50066ac68f19f2e1cb879aed43a9969b91a08"
     "39c4c38a49749b661efedf243451915ed0905a32b060992b468c64766fc8437a",
     "5f9d29dc5e31a163060356213669c8ce132e22f57c9a04f40ba7fcead493b457"
     "e5621e766c40a2e3d4d6a04b25e533f1"},
};

TEST(Agreement, NistVectors) {
  for (const NistCase& row : kNist) {
    FixedRandom random(row.scalar);
    EphemeralKey key = EphemeralKey::generate(row.agreement, random);
    EXPECT_EQ(to_hex(key.share()), row.share);
    const auto z = std::move(key).agree(hex(row.peer));
    ASSERT_TRUE(z) << z.error().text();
    EXPECT_EQ(to_hex(z->expose()), row.z);
  }
}

/// Gives one stretch of octets after another.
class Octets final : public Random {
 public:
  explicit Octets(std::vector<Bytes> stretches) : stretches_(std::move(stretches)) {}
  void fill(std::span<std::uint8_t> out) override {
    ASSERT_LT(next_, stretches_.size());
    ASSERT_EQ(out.size(), stretches_[next_].size());
    std::ranges::copy(stretches_[next_++], out.begin());
  }

 private:
  std::vector<Bytes> stretches_;
  std::size_t next_ = 0;
};

TEST(Agreement, NumbersThatAreNoPrivateKeysAreDrawnAgain) {
  const Bytes order = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
  Bytes one(32, 0);
  one.back() = 1;
  Octets random({Bytes(32, 0), Bytes(32, 0xff), order, one});
  // One times the generator is the generator.
  EXPECT_EQ(to_hex(EphemeralKey::generate(Agreement::kP256, random).share()).substr(0, 66),
            "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296");
}

TEST(Agreement, SharesOfAnotherSizeOrOffTheirCurveAreRefused) {
  SeededRandom random(4);
  const auto expect_refused = [&random](Agreement agreement, const Bytes& share) {
    const auto z = EphemeralKey::generate(agreement, random).agree(share);
    ASSERT_FALSE(z) << to_hex(share);
    EXPECT_EQ(z.error().kind, kBadShare);
  };
  for (const Agreement agreement : kAll) {
    const Bytes good = EphemeralKey::generate(agreement, random).share();
    expect_refused(agreement, {});
    expect_refused(agreement, Bytes(good.begin(), good.end() - 1));
    Bytes longer = good;
    longer.push_back(0);
    expect_refused(agreement, longer);
    if (agreement == Agreement::kX25519) continue;
    Bytes changed = good;
    changed.back() ^= 1;
    expect_refused(agreement, changed);
    for (const std::uint8_t form : Bytes{0, 2, 3, 6, 7}) {
      changed = good;
      changed.front() = form;
      expect_refused(agreement, changed);
    }
    expect_refused(agreement, Bytes(good.size(), 0));
  }
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
    const auto z = EphemeralKey::generate(Agreement::kX25519, random).agree(hex(share));
    ASSERT_FALSE(z) << share;
    EXPECT_EQ(z.error().kind, kBadShare);
  }
}

TEST(Agreement, AShareServesOnce) {
  SeededRandom random(3);
  for (const Agreement agreement : kAll) {
    EphemeralKey key = EphemeralKey::generate(agreement, random);
    const Bytes peer = EphemeralKey::generate(agreement, random).share();
    ASSERT_TRUE(std::move(key).agree(peer));
    const auto again = std::move(key).agree(peer);  // NOLINT(bugprone-use-after-move)
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().name(), "crypto.bad-share");
  }
}

}  // namespace
}  // namespace gkmpd::crypto
