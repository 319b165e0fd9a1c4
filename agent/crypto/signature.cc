#include "agent/crypto/signature.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "agent/base/wipe_stack.h"
#include "agent/crypto/edwards.h"
#include "agent/crypto/errors.h"
#include "agent/crypto/hash.h"
#include "agent/crypto/key_access.h"
#include "agent/crypto/openssl.h"

namespace gkmpd::crypto {
namespace {

using ossl::require;

// Everything of a SubjectPublicKeyInfo before the key's own octets. A key of ours has exactly this
// in front and exactly `key_size` octets behind: that leaves no room for explicit curve parameters,
// compressed points, other DER forms or trailing octets.
struct SpkiForm {
  KeyType type;
  std::string_view name;
  const char* openssl_name;
  std::string_view prefix_hex;
  std::size_t key_size;
};

constexpr std::array<SpkiForm, 3> kForms{{
    {KeyType::kEcdsaP256, "p256", "P-256", "3059301306072a8648ce3d020106082a8648ce3d03010703420004",
     64},
    {KeyType::kEcdsaP384, "p384", "P-384", "3076301006072a8648ce3d020106052b8104002203620004", 96},
    {KeyType::kEd25519, "ed25519", "ED25519", "302a300506032b6570032100", 32},
}};

const SpkiForm& form_of(KeyType type) { return kForms[static_cast<std::size_t>(type)]; }

const SpkiForm* recognize(ByteView spki) {
  for (const SpkiForm& form : kForms) {
    const Bytes prefix = from_hex(form.prefix_hex).value_or(Bytes{});
    if (spki.size() == prefix.size() + form.key_size && equal(spki.first(prefix.size()), prefix)) {
      return &form;
    }
  }
  return nullptr;
}

// Both give the key's own octets to OpenSSL: its reader of whole SubjectPublicKeyInfos takes
// several times as long.
ossl::Pkey import_ed25519(ByteView spki) {
  const ByteView point = spki.last(kEdwardsPointSize);
  return ossl::Pkey(
      EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, point.data(), point.size()));
}

ossl::Pkey import_ec(const SpkiForm& form, ByteView spki) {
  Bytes point = to_bytes(spki.last(form.key_size + 1));  // with the octet that says "uncompressed"
  std::string group = form.openssl_name;
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
      OSSL_PARAM_construct_end()};
  const ossl::PkeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  if (context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
    return nullptr;
  }
  return ossl::Pkey(key);
}

ossl::Pkey import(const SpkiForm& form, ByteView spki) {
  return form.type == KeyType::kEd25519 ? import_ed25519(spki) : import_ec(form, spki);
}

std::string_view context_text(SignatureContext context) {
  switch (context) {
    case SignatureContext::kCreate1:
      return "create-1";
    case SignatureContext::kCreate2:
      return "create-2";
    case SignatureContext::kNegotiate1:
      return "negotiate-1";
    case SignatureContext::kStatement:
      return "statement";
    case SignatureContext::kJoin:
      return "join";
    case SignatureContext::kHeartbeat:
      return "heartbeat";
  }
  std::abort();  // not a value of the enum
}

const EVP_MD* content_digest(KeyType type) {
  switch (type) {
    case KeyType::kEcdsaP256:
      return EVP_sha256();
    case KeyType::kEcdsaP384:
      return EVP_sha384();
    case KeyType::kEd25519:
      return EVP_sha512();
  }
  std::abort();  // not a value of the enum
}

Bytes hash_content(KeyType type, std::initializer_list<ByteView> content) {
  const ossl::DigestContext hash(EVP_MD_CTX_new());
  require(hash != nullptr);
  require(EVP_DigestInit_ex2(hash.get(), content_digest(type), nullptr) == 1);
  for (const ByteView part : content) {
    if (!part.empty()) require(EVP_DigestUpdate(hash.get(), part.data(), part.size()) == 1);
  }
  ByteArray<EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  require(EVP_DigestFinal_ex(hash.get(), digest.data(), &size) == 1);
  return to_bytes(ByteView(digest).first(size));
}

// What a signature is made over (profile P3).
Bytes signed_message(KeyType type, SignatureContext context,
                     std::initializer_list<ByteView> content) {
  Bytes message(64, 0x20);
  append(message, as_bytes("GKMP/1 "));
  append(message, as_bytes(context_text(context)));
  message.push_back(0);
  append(message, hash_content(type, content));
  return message;
}

}  // namespace

const EVP_MD* signing_digest(KeyType type) {
  return type == KeyType::kEd25519 ? nullptr : content_digest(type);
}

std::string_view to_text(KeyType type) { return form_of(type).name; }

Result<KeyType> key_type_from_text(std::string_view text) {
  const auto* const form = std::ranges::find(kForms, text, &SpkiForm::name);
  if (form == kForms.end()) {
    return fail(kBadKey, "key types are p256, p384 and ed25519");
  }
  return form->type;
}

Result<PublicKey> PublicKey::from_spki(ByteView spki_der) {
  const SpkiForm* const form = recognize(spki_der);
  return KeyAccess::public_key(spki_der, form == nullptr ? nullptr : import(*form, spki_der));
}

Result<PublicKey> KeyAccess::public_key(ByteView spki_der, ossl::Pkey already_read) {
  const SpkiForm* const form = recognize(spki_der);
  if (form == nullptr) {
    return fail(kBadKey, "not a P-256, P-384 or Ed25519 key in its usual form");
  }
  // Whether a point of P-256 or P-384 is on its curve OpenSSL has computed.
  if (already_read == nullptr ||
      (form->type == KeyType::kEd25519 && !is_edwards_point(spki_der.last(kEdwardsPointSize)))) {
    return ossl::fail_with_reason(kBadKey, "the point is not on its curve");
  }
  PublicKey result;
  result.key_ = std::move(already_read);
  result.type_ = form->type;
  result.spki_ = to_bytes(spki_der);
  result.fingerprint_ = sha256({spki_der});
  return result;
}

Result<void> PublicKey::verify(SignatureContext context, std::initializer_list<ByteView> content,
                               ByteView signature) const {
  const Bytes message = signed_message(type_, context, content);
  const ossl::DigestContext state(EVP_MD_CTX_new());
  require(state != nullptr);
  require(EVP_DigestVerifyInit(state.get(), nullptr, signing_digest(type_), nullptr, key_.get()) ==
          1);
  // ECDSA values that are not DER, or have octets behind them, fail here too.
  if (signature.empty() || EVP_DigestVerify(state.get(), signature.data(), signature.size(),
                                            message.data(), message.size()) != 1) {
    return ossl::fail_with_reason(kBadSignature, "the signature does not hold");
  }
  return {};
}

Result<PrivateKey> KeyAccess::private_key(ossl::Pkey key) {
  auto public_key = PublicKey::from_spki(ossl::encoded(i2d_PUBKEY, key.get()));
  if (!public_key) return pass_on(public_key);
  PrivateKey result;
  result.key_ = std::move(key);
  result.public_key_ = std::move(*public_key);
  return result;
}

Result<PrivateKey> PrivateKey::generate(KeyType type) {
  const StackWiper stack;
  const char* const name = form_of(type).openssl_name;
  ossl::Pkey key(type == KeyType::kEd25519 ? EVP_PKEY_Q_keygen(nullptr, nullptr, name)
                                           : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", name));
  if (key == nullptr) return ossl::fail_with_reason(kLibrary, "no key could be made");
  return KeyAccess::private_key(std::move(key));
}

Result<Bytes> PrivateKey::sign(SignatureContext context,
                               std::initializer_list<ByteView> content) const {
  const StackWiper stack;
  const KeyType type = public_key_.type();
  const Bytes message = signed_message(type, context, content);
  const ossl::DigestContext state(EVP_MD_CTX_new());
  require(state != nullptr);
  std::size_t size = 0;
  if (EVP_DigestSignInit(state.get(), nullptr, signing_digest(type), nullptr, key_.get()) != 1 ||
      EVP_DigestSign(state.get(), nullptr, &size, message.data(), message.size()) != 1) {
    return ossl::fail_with_reason(kLibrary, "cannot sign");
  }
  Bytes signature(size);
  if (EVP_DigestSign(state.get(), signature.data(), &size, message.data(), message.size()) != 1) {
    return ossl::fail_with_reason(kLibrary, "cannot sign");
  }
  signature.resize(size);
  return signature;
}

}  // namespace gkmpd::crypto
