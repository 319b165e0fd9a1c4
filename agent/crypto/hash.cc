#include "agent/crypto/hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <algorithm>
#include <string>

#include "agent/crypto/openssl.h"

namespace gkmpd::crypto {
namespace {

using ossl::require;

constexpr const char* name_of(Hash hash) { return hash == Hash::kSha256 ? "SHA256" : "SHA384"; }

// Fetched once: a fetch by name costs more than hashing a message of ours. Never freed: they live
// as long as the process.
const EVP_MD* digest_method(Hash hash) {
  static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, name_of(Hash::kSha256), nullptr);
  static const EVP_MD* const sha384 = EVP_MD_fetch(nullptr, name_of(Hash::kSha384), nullptr);
  const EVP_MD* const method = hash == Hash::kSha256 ? sha256 : sha384;
  require(method != nullptr);
  return method;
}

void digest_into(Hash hash, std::initializer_list<ByteView> parts, std::span<std::uint8_t> out) {
  const ossl::DigestContext context(EVP_MD_CTX_new());
  require(context != nullptr && out.size() == digest_size(hash));
  require(EVP_DigestInit_ex2(context.get(), digest_method(hash), nullptr) == 1);
  for (const ByteView part : parts) {
    if (!part.empty()) require(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
  }
  require(EVP_DigestFinal_ex(context.get(), out.data(), nullptr) == 1);
}

EVP_MAC* hmac_method() {
  static EVP_MAC* const method = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  require(method != nullptr);
  return method;
}

class Hmac {
 public:
  Hmac(Hash hash, ByteView key) : context_(EVP_MAC_CTX_new(hmac_method())) {
    require(context_ != nullptr);
    std::string name = name_of(hash);
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0),
        OSSL_PARAM_construct_end()};
    // A null pointer would mean "keep the key you have", of which there is none.
    static constexpr std::uint8_t kNothing = 0;
    const std::uint8_t* start = key.empty() ? &kNothing : key.data();
    require(EVP_MAC_init(context_.get(), start, key.size(), parameters) == 1);
  }

  void add(ByteView part) {
    if (!part.empty()) require(EVP_MAC_update(context_.get(), part.data(), part.size()) == 1);
  }

  void finish(std::span<std::uint8_t> out) {
    std::size_t size = 0;
    require(EVP_MAC_final(context_.get(), out.data(), &size, out.size()) == 1);
    require(size == out.size());
  }

 private:
  ossl::MacContext context_;
};

}  // namespace

Bytes digest(Hash hash, std::initializer_list<ByteView> parts) {
  Bytes out(digest_size(hash));
  digest_into(hash, parts, out);
  return out;
}

Digest sha256(std::initializer_list<ByteView> parts) {
  Digest out{};
  digest_into(Hash::kSha256, parts, out);
  return out;
}

Digest hmac_sha256(const Secret& key, std::initializer_list<ByteView> parts) {
  Hmac hmac(Hash::kSha256, key.expose());
  for (const ByteView part : parts) hmac.add(part);
  Digest digest{};
  hmac.finish(digest);
  return digest;
}

Secret hkdf_extract(Hash hash, ByteView salt, const Secret& input) {
  // An absent salt is as many zeros as the hash is long: HMAC pads an empty key to just that.
  Hmac hmac(hash, salt);
  hmac.add(input.expose());
  Secret prk(digest_size(hash));
  hmac.finish(prk.expose_for_writing());
  return prk;
}

Secret hkdf_expand(Hash hash, const Secret& prk, std::initializer_list<ByteView> info,
                   std::size_t size) {
  const std::size_t block_size = digest_size(hash);
  require(size <= 255 * block_size);
  Secret out(size);
  Secret block(block_size);
  std::size_t done = 0;
  for (std::uint8_t number = 1; done < size; ++number) {
    Hmac hmac(hash, prk.expose());
    if (number > 1) hmac.add(block.expose());
    for (const ByteView part : info) hmac.add(part);
    hmac.add({&number, 1});
    hmac.finish(block.expose_for_writing());
    const std::size_t take = std::min(block_size, size - done);
    std::ranges::copy(block.expose().first(take), out.expose_for_writing().subspan(done).begin());
    done += take;
  }
  return out;
}

}  // namespace gkmpd::crypto
