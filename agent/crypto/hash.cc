#include "agent/crypto/hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <algorithm>

#include "agent/crypto/openssl.h"

namespace gkmpd::crypto {
namespace {

using ossl::require;

constexpr std::size_t kHashSize = std::tuple_size_v<Digest>;

// Fetched once: a fetch by name costs more than hashing a message of ours. Never freed: it lives as
// long as the process.
const EVP_MD* sha256_method() {
  static const EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  require(method != nullptr);
  return method;
}

EVP_MAC* hmac_method() {
  static EVP_MAC* const method = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  require(method != nullptr);
  return method;
}

class Hmac {
 public:
  explicit Hmac(ByteView key) : context_(EVP_MAC_CTX_new(hmac_method())) {
    require(context_ != nullptr);
    char name[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end()};
    // A null pointer would mean "keep the key you have", of which there is none.
    static constexpr std::uint8_t kNothing = 0;
    const std::uint8_t* start = key.empty() ? &kNothing : key.data();
    require(EVP_MAC_init(context_.get(), start, key.size(), parameters) == 1);
  }

  void add(ByteView part) {
    if (!part.empty()) require(EVP_MAC_update(context_.get(), part.data(), part.size()) == 1);
  }

  void finish(std::span<std::uint8_t, kHashSize> out) {
    std::size_t size = 0;
    require(EVP_MAC_final(context_.get(), out.data(), &size, out.size()) == 1);
    require(size == kHashSize);
  }

 private:
  ossl::MacContext context_;
};

}  // namespace

Digest sha256(std::initializer_list<ByteView> parts) {
  const ossl::DigestContext context(EVP_MD_CTX_new());
  require(context != nullptr);
  require(EVP_DigestInit_ex2(context.get(), sha256_method(), nullptr) == 1);
  for (const ByteView part : parts) {
    if (!part.empty()) require(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
  }
  Digest digest{};
  require(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
  return digest;
}

Digest hmac_sha256(const Secret& key, std::initializer_list<ByteView> parts) {
  Hmac hmac(key.expose());
  for (const ByteView part : parts) hmac.add(part);
  Digest digest{};
  hmac.finish(digest);
  return digest;
}

Secret hkdf_extract(ByteView salt, const Secret& input) {
  // An absent salt is as many zeros as the hash is long: HMAC pads an empty key to just that.
  Hmac hmac(salt);
  hmac.add(input.expose());
  Secret prk(kHashSize);
  hmac.finish(prk.expose_for_writing().first<kHashSize>());
  return prk;
}

Secret hkdf_expand(const Secret& prk, std::initializer_list<ByteView> info, std::size_t size) {
  require(size <= 255 * kHashSize);
  Secret out(size);
  Secret block(kHashSize);
  std::size_t done = 0;
  for (std::uint8_t number = 1; done < size; ++number) {
    Hmac hmac(prk.expose());
    if (number > 1) hmac.add(block.expose());
    for (const ByteView part : info) hmac.add(part);
    hmac.add({&number, 1});
    hmac.finish(block.expose_for_writing().first<kHashSize>());
    const std::size_t take = std::min(kHashSize, size - done);
    std::ranges::copy(block.expose().first(take), out.expose_for_writing().subspan(done).begin());
    done += take;
  }
  return out;
}

}  // namespace gkmpd::crypto
