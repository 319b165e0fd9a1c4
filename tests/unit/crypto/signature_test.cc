#include "agent/crypto/signature.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "agent/crypto/errors.h"
#include "agent/crypto/hash.h"
#include "tests/unit/crypto/hex.h"

namespace gkmpd::crypto {
namespace {

constexpr KeyType kTypes[] = {KeyType::kEcdsaP256, KeyType::kEcdsaP384, KeyType::kEd25519};
constexpr SignatureContext kContexts[] = {
    SignatureContext::kCreate1, SignatureContext::kCreate2, SignatureContext::kNegotiate1,
    SignatureContext::kStatement, SignatureContext::kHeartbeat};

// Both keys and both signatures were made by the openssl program.
constexpr std::string_view kEd25519Pem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIB9SPxVwPBpeL1RPAXe7Yiig1QZaNag0hmO6E8ZFjNBy\n"
    "-----END PRIVATE KEY-----\n";
constexpr std::string_view kP384Pem =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MIGkAgEBBDD7RcDEcJmkVKub+EcXRjN7sIRpkFbAHtnpANGFxcGXTfmkcBgas+os\n"
    "o6Ed/zzrJ/ugBwYFK4EEACKhZANiAARdIk4oPGkglShLjwbigUAPKp3Vt0K9zAml\n"
    "1bOAnnNKpc0xazwXe31w35n806vp2JtJrTIZytq0jEeI/rIrm+AJtJ/t98W56/a4\n"
    "L7JRtk40frIn22rn8PW3W+VPOZZrh6w=\n"
    "-----END EC PRIVATE KEY-----\n";

PrivateKey key_of(std::string_view pem) {
  return PrivateKey::from_pem(Secret::copy_of(as_bytes(pem))).value();
}

TEST(Signature, Ed25519KnownAnswer) {
  // pkeyutl -sign -rawin over 64 spaces | "GKMP/1 heartbeat" | 0 | SHA-512("onetwo").
  const auto signature =
      key_of(kEd25519Pem).sign(SignatureContext::kHeartbeat, {as_bytes("one"), as_bytes("two")});
  ASSERT_TRUE(signature);
  EXPECT_EQ(to_hex(*signature),
            "e326dc204065433df9f666dd1166c4646f614a6a05ac67c0c05bd5e0041cc7b1"
            "54ed441198089903035a9211a450a117790e63b9805e174ab69c416482aa7201");
}

TEST(Signature, EcdsaOfTheOpensslProgramHolds) {
  // dgst -sha384 -sign over 64 spaces | "GKMP/1 create-2" | 0 | SHA-384("onetwo").
  const Bytes signature = hex(
      "3065023100e08d658c9d1f0662991459ef11a9e759264f9f6f110dee99d90d8119845e040aa3b833680aaa9b1d1d"
      "6882a526214cb2023074f3bd575c487ac9e526b5cba186f32c17119bcc5c51291da7f0e07e12821ba97237a09197"
      "6a17571354d45177eec14c");
  const PrivateKey key = key_of(kP384Pem);
  EXPECT_TRUE(key.public_key().verify(SignatureContext::kCreate2, {as_bytes("onetwo")}, signature));
  EXPECT_FALSE(
      key.public_key().verify(SignatureContext::kCreate1, {as_bytes("onetwo")}, signature));
}

TEST(Signature, HoldsForItsContextContentAndKeyOnly) {
  for (const KeyType type : kTypes) {
    const PrivateKey key = PrivateKey::generate(type).value();
    const PrivateKey other = PrivateKey::generate(type).value();
    EXPECT_EQ(key.public_key().type(), type);
    for (const SignatureContext context : kContexts) {
      const Bytes signature = key.sign(context, {as_bytes("con"), as_bytes("tent")}).value();
      EXPECT_TRUE(key.public_key().verify(context, {as_bytes("content")}, signature));
      for (const SignatureContext wrong : kContexts) {
        if (wrong == context) continue;
        EXPECT_FALSE(key.public_key().verify(wrong, {as_bytes("content")}, signature));
      }
      const auto changed = key.public_key().verify(context, {as_bytes("Content")}, signature);
      ASSERT_FALSE(changed);
      EXPECT_EQ(changed.error().kind, kBadSignature);
      EXPECT_FALSE(other.public_key().verify(context, {as_bytes("content")}, signature));
    }
  }
}

TEST(Signature, OtherFormsOfItAreRefused) {
  for (const KeyType type : kTypes) {
    const PrivateKey key = PrivateKey::generate(type).value();
    const Bytes good = key.sign(SignatureContext::kCreate1, {as_bytes("x")}).value();
    const auto holds = [&](ByteView signature) {
      return key.public_key()
          .verify(SignatureContext::kCreate1, {as_bytes("x")}, signature)
          .has_value();
    };
    ASSERT_TRUE(holds(good));
    for (std::size_t size = 0; size < good.size(); ++size) {
      EXPECT_FALSE(holds(ByteView(good).first(size))) << size;
    }
    Bytes longer = good;
    longer.push_back(0);
    EXPECT_FALSE(holds(longer));
    for (std::size_t i = 0; i < good.size(); ++i) {
      Bytes changed = good;
      changed[i] ^= 1;
      EXPECT_FALSE(holds(changed)) << i;
    }
    if (type == KeyType::kEd25519) continue;
    // The same numbers with the outer length in long form: BER, not DER.
    Bytes ber{good[0], 0x81};
    ber.insert(ber.end(), good.begin() + 1, good.end());
    EXPECT_FALSE(holds(ber));
  }
}

TEST(PublicKey, RoundTripsThroughSpki) {
  for (const KeyType type : kTypes) {
    const PrivateKey key = PrivateKey::generate(type).value();
    const auto read = PublicKey::from_spki(key.public_key().spki());
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(*read, key.public_key());
    EXPECT_EQ(read->type(), type);
    EXPECT_EQ(read->fingerprint(), sha256({key.public_key().spki()}));
    const Bytes signature = key.sign(SignatureContext::kStatement, {}).value();
    EXPECT_TRUE(read->verify(SignatureContext::kStatement, {}, signature));
  }
}

TEST(PublicKey, AnyOtherLengthIsRefused) {
  for (const KeyType type : kTypes) {
    Bytes spki = PrivateKey::generate(type)->public_key().spki();
    for (std::size_t size = 0; size < spki.size(); ++size) {
      const auto read = PublicKey::from_spki(ByteView(spki).first(size));
      ASSERT_FALSE(read) << size;
      EXPECT_EQ(read.error().kind, kBadKey);
    }
    spki.push_back(0);
    EXPECT_FALSE(PublicKey::from_spki(spki));
  }
}

TEST(PublicKey, PointsOffTheCurveAreRefused) {
  for (const KeyType type : {KeyType::kEcdsaP256, KeyType::kEcdsaP384}) {
    Bytes spki = PrivateKey::generate(type)->public_key().spki();
    spki.back() ^= 1;
    const auto read = PublicKey::from_spki(spki);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().kind, kBadKey);
  }
}

TEST(PublicKey, Ed25519PointsAreOnTheirCurveInTheirOneForm) {
  const auto is_read = [](const Bytes& point) {
    Bytes spki = hex("302a300506032b6570032100");
    append(spki, point);
    return PublicKey::from_spki(spki).has_value();
  };
  // Which small y have an x was computed apart from this code.
  for (const int y : {0, 1, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 19}) {
    Bytes point(32);
    point[0] = static_cast<std::uint8_t>(y);
    EXPECT_TRUE(is_read(point)) << y;
    point[31] = 0x80;
    EXPECT_EQ(is_read(point), y != 1) << "x = 0 has no sign; " << y;
  }
  for (const int y : {2, 7, 8, 11, 12, 13, 17}) {
    Bytes point(32);
    point[0] = static_cast<std::uint8_t>(y);
    EXPECT_FALSE(is_read(point)) << y;
  }
  // y of p, p + 1 and 2^255 - 1 are not reduced.
  for (const int low : {0xed, 0xee, 0xff}) {
    Bytes point(32, 0xff);
    point[0] = static_cast<std::uint8_t>(low);
    EXPECT_FALSE(is_read(point)) << low;
    point[31] = 0x7f;
    EXPECT_FALSE(is_read(point)) << low;
  }
}

TEST(PublicKey, OtherFormsAndAlgorithmsAreRefused) {
  const std::string_view others[] = {
      // The generator of P-256, compressed.
      "3039301306072a8648ce3d020106082a8648ce3d030107032200036b17d1f2e12c4247f8bce6e563a440f277037d"
      "812deb33a0f4a13945d898c296",
      // The point at infinity.
      "301a301306072a8648ce3d020106082a8648ce3d03010703020000",
      // X25519.
      "302a300506032b656e0321008520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
  };
  for (const std::string_view spki : others) {
    const auto read = PublicKey::from_spki(hex(spki));
    ASSERT_FALSE(read) << spki;
    EXPECT_EQ(read.error().kind, kBadKey);
  }
}

TEST(PrivateKey, RoundTripsThroughPem) {
  for (const KeyType type : kTypes) {
    const PrivateKey key = PrivateKey::generate(type).value();
    const Secret pem = key.to_pem();
    EXPECT_TRUE(as_text(pem.expose()).starts_with("-----BEGIN PRIVATE KEY-----\n"));
    const auto read = PrivateKey::from_pem(pem);
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(read->public_key(), key.public_key());
  }
}

TEST(PrivateKey, ParametersInFrontDoNotHurt) {
  // As `openssl ecparam -genkey` writes them.
  const std::string pem =
      "-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n" +
      std::string(kP384Pem);
  EXPECT_EQ(key_of(pem).public_key(), key_of(kP384Pem).public_key());
}

TEST(PrivateKey, WhatIsNoneOfOursIsRefused) {
  const std::string_view texts[] = {
      "",
      "no PEM",
      // X25519 (RFC 7748, Bob).
      "-----BEGIN PRIVATE KEY-----\n"
      "MC4CAQAwBQYDK2VuBCIEIF2rCH5iSopLeeF/i4OADuZvO7EpJhi2/Rwviyf/iODr\n"
      "-----END PRIVATE KEY-----\n",
      // Under a passphrase.
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
      "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAg5M7NJ6P02HwICCAAw\n"
      "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEFcLYtY4mq5xgFnSas7YSPQEQOmz\n"
      "+SB0IHwby7gy7yyJ8QCdWj6HjsWzLcfWXnSnmKp36DTICJ6UfIRi7MS+4yFruEFB\n"
      "wcF16jW6HoDsDyaLat4=\n"
      "-----END ENCRYPTED PRIVATE KEY-----\n",
      // The public half is of another key.
      "-----BEGIN EC PRIVATE KEY-----\n"
      "MHcCAQEEIBUz6b+5RZTL48tQHIEKiwySauL5aMOes6hvVMxD7QsWoAoGCCqGSM49\n"
      "AwEHoUQDQgAE6X2lGoCFKRANd17ark0MIjmpYU2MUKq6gGL9tVyFUikMXp9Lijc1\n"
      "joaziPsPeXCM8qpArE/XW4pYsTHIfyuYaw==\n"
      "-----END EC PRIVATE KEY-----\n",
      // P-256 with its curve spelt out.
      "-----BEGIN EC PRIVATE KEY-----\n"
      "MIIBaAIBAQQg4I1xtRpEBTS+1jLWwXAMPfyTTQRvEcYIqUXZg27pLBWggfowgfcC\n"
      "AQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAAAAAAAAAAAAAA////////////////\n"
      "MFsEIP////8AAAABAAAAAAAAAAAAAAAA///////////////8BCBaxjXYqjqT57Pr\n"
      "vVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSdNgiG5wSTamZ44ROdJreBn36QBEEE\n"
      "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54W\n"
      "K84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA//////////+85vqtpxeehPO5ysL8\n"
      "YyVRAgEBoUQDQgAEFsIn7xURYrZwkSYIROW7uXnXrXemcnI6SRUG5MIheRWJXtan\n"
      "bAla2U9oIPCigILGhFnVGZc5OYTgGf0y02CsVw==\n"
      "-----END EC PRIVATE KEY-----\n",
  };
  for (const std::string_view text : texts) {
    const auto key = PrivateKey::from_pem(Secret::copy_of(as_bytes(text)));
    ASSERT_FALSE(key) << text;
    EXPECT_EQ(key.error().kind, kBadKey);
  }
}

TEST(PrivateKey, TruncatedPemIsRefused) {
  for (std::size_t size = 0; size < kP384Pem.size() - 1; ++size) {
    EXPECT_FALSE(PrivateKey::from_pem(Secret::copy_of(as_bytes(kP384Pem.substr(0, size))))) << size;
  }
}

TEST(KeyType, TextRoundTrips) {
  for (const KeyType type : kTypes) EXPECT_EQ(key_type_from_text(to_text(type)), type);
  EXPECT_EQ(to_text(KeyType::kEcdsaP256), "p256");
  EXPECT_EQ(to_text(KeyType::kEcdsaP384), "p384");
  EXPECT_EQ(to_text(KeyType::kEd25519), "ed25519");
  EXPECT_EQ(key_type_from_text("P256").error().kind, kBadKey);
}

}  // namespace
}  // namespace gkmpd::crypto
