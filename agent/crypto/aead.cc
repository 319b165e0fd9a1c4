#include "agent/crypto/aead.h"

#include <openssl/evp.h>

#include <climits>

#include "agent/crypto/errors.h"
#include "agent/crypto/openssl.h"

namespace gkmpd::crypto {
namespace {

using ossl::require;

const EVP_CIPHER* method() {
  static const EVP_CIPHER* const fetched = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  require(fetched != nullptr);
  return fetched;
}

// GCM's default nonce size is ours.
ossl::CipherContext start(const Secret& key, const Nonce& nonce, ByteView associated,
                          bool sealing) {
  require(key.size() == kAeadKeySize && associated.size() <= INT_MAX);
  ossl::CipherContext context(EVP_CIPHER_CTX_new());
  require(context != nullptr);
  require(EVP_CipherInit_ex2(context.get(), method(), key.expose().data(), nonce.data(),
                             sealing ? 1 : 0, nullptr) == 1);
  int size = 0;
  if (!associated.empty()) {
    require(EVP_CipherUpdate(context.get(), nullptr, &size, associated.data(),
                             static_cast<int>(associated.size())) == 1);
  }
  return context;
}

}  // namespace

Bytes aead_seal(const Secret& key, const Nonce& nonce, ByteView associated, ByteView plaintext) {
  require(plaintext.size() <= INT_MAX - kAeadTagSize);
  const ossl::CipherContext context = start(key, nonce, associated, true);
  Bytes sealed(plaintext.size() + kAeadTagSize);
  int size = 0;
  if (!plaintext.empty()) {
    require(EVP_CipherUpdate(context.get(), sealed.data(), &size, plaintext.data(),
                             static_cast<int>(plaintext.size())) == 1);
  }
  std::uint8_t* const tag = sealed.data() + plaintext.size();
  require(EVP_CipherFinal_ex(context.get(), tag, &size) == 1);
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kAeadTagSize, tag) == 1);
  return sealed;
}

Result<Secret> aead_open(const Secret& key, const Nonce& nonce, ByteView associated,
                         ByteView sealed) {
  if (sealed.size() < kAeadTagSize) return fail(kBadSeal, "shorter than its tag");
  if (sealed.size() > INT_MAX) return fail(kBadSeal, "too long");
  const ossl::CipherContext context = start(key, nonce, associated, false);
  const ByteView ciphertext = sealed.first(sealed.size() - kAeadTagSize);
  ByteArray<kAeadTagSize> tag{};
  std::copy(sealed.end() - kAeadTagSize, sealed.end(), tag.begin());
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTagSize, tag.data()) == 1);
  Secret plaintext(ciphertext.size());
  int size = 0;
  if (!ciphertext.empty()) {
    require(EVP_CipherUpdate(context.get(), plaintext.expose_for_writing().data(), &size,
                             ciphertext.data(), static_cast<int>(ciphertext.size())) == 1);
  }
  // GCM is a stream: the last call writes nothing, it only compares the tag.
  std::uint8_t none = 0;
  if (EVP_CipherFinal_ex(context.get(), &none, &size) != 1) {
    return ossl::fail_with_reason(kBadSeal, "not sealed under this key, or changed on the way");
  }
  return plaintext;
}

}  // namespace gkmpd::crypto
