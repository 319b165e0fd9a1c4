#include "tests/support/esp_open/esp_cipher.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <memory>

namespace gkmpd::esp_open {
namespace {

constexpr std::size_t kAes128KeySize = 16;
constexpr std::size_t kAes256KeySize = 32;
constexpr std::size_t kSaltSize = 4;
constexpr std::size_t kGcmIvSize = 8;
constexpr std::size_t kBlockSize = 16;  // of AES; the IV of CBC too
constexpr std::size_t kIcvSize = 16;
constexpr std::uint32_t kIcvBits = 128;
constexpr std::size_t kHmacKeySize = 32;
constexpr std::size_t kSha256Size = 32;
constexpr std::size_t kTrailerSize = 2;  // pad length, next header

using Plain = std::optional<Octets>;
using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

Context make_context() { return {EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free}; }

int int_size(View octets) { return static_cast<int>(octets.size()); }

/// RFC 4106: key and salt are one octet string, the nonce is salt and IV.
Plain open_gcm(const EspFrame& frame, View key_material, const EVP_CIPHER* cipher) {
  if (frame.rest.size() < kGcmIvSize + kTrailerSize + kIcvSize) return std::nullopt;
  const View salt = key_material.last(kSaltSize);
  const View iv = frame.rest.first(kGcmIvSize);
  std::array<std::uint8_t, kSaltSize + kGcmIvSize> nonce{};
  std::copy(iv.begin(), iv.end(), std::copy(salt.begin(), salt.end(), nonce.begin()));
  const View sealed = frame.rest.subspan(kGcmIvSize, frame.rest.size() - kGcmIvSize - kIcvSize);
  const View tag = frame.rest.last(kIcvSize);
  Octets tag_copy(tag.begin(), tag.end());
  Octets plain(sealed.size());
  int length = 0;
  const Context context = make_context();
  // The default nonce length of GCM is the 12 octets that RFC 4106 uses.
  const bool good =
      EVP_DecryptInit_ex2(context.get(), cipher, key_material.data(), nonce.data(), nullptr) == 1 &&
      EVP_DecryptUpdate(context.get(), nullptr, &length, frame.associated.data(),
                        int_size(frame.associated)) == 1 &&
      EVP_DecryptUpdate(context.get(), plain.data(), &length, sealed.data(), int_size(sealed)) ==
          1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, int_size(tag_copy),
                          tag_copy.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), plain.data() + length, &length) == 1;
  if (!good) return std::nullopt;
  return plain;
}

/// RFC 4868 2.3: the ICV is over SPI, sequence number, IV and ciphertext, cut to its first half.
bool icv_holds(const EspFrame& frame, View key) {
  Octets covered(frame.associated.begin(), frame.associated.end());
  const View sealed = frame.rest.first(frame.rest.size() - kIcvSize);
  covered.insert(covered.end(), sealed.begin(), sealed.end());
  std::array<std::uint8_t, kSha256Size> mac{};
  return HMAC(EVP_sha256(), key.data(), int_size(key), covered.data(), covered.size(), mac.data(),
              nullptr) != nullptr &&
         CRYPTO_memcmp(mac.data(), frame.rest.last(kIcvSize).data(), kIcvSize) == 0;
}

Plain open_cbc(const EspFrame& frame, View cipher_key, View auth_key) {
  if (frame.rest.size() < kBlockSize + kBlockSize + kIcvSize) return std::nullopt;
  if (!icv_holds(frame, auth_key)) return std::nullopt;
  const View iv = frame.rest.first(kBlockSize);
  const View sealed = frame.rest.subspan(kBlockSize, frame.rest.size() - kBlockSize - kIcvSize);
  Octets plain(sealed.size());
  int length = 0;
  const Context context = make_context();
  const bool good = EVP_DecryptInit_ex2(context.get(), EVP_aes_128_cbc(), cipher_key.data(),
                                        iv.data(), nullptr) == 1 &&
                    // ESP pads in its own way.
                    EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1 &&
                    EVP_DecryptUpdate(context.get(), plain.data(), &length, sealed.data(),
                                      int_size(sealed)) == 1 &&
                    length == int_size(sealed);  // less if the last block is not whole
  if (!good) return std::nullopt;
  return plain;
}

/// Takes off padding, pad length and next header (RFC 4303 2.4: padding counts 1, 2, 3, ...).
std::optional<EspContent> take_off_trailer(Octets plain) {
  if (plain.size() < kTrailerSize) return std::nullopt;
  EspContent content;
  content.next_header = plain.back();
  const std::size_t pad = plain[plain.size() - kTrailerSize];
  plain.resize(plain.size() - kTrailerSize);
  if (pad > plain.size()) return std::nullopt;
  const std::size_t size = plain.size() - pad;
  for (std::size_t i = 0; i < pad; ++i) {
    if (plain[size + i] != i + 1) return std::nullopt;
  }
  plain.resize(size);
  content.payload = std::move(plain);
  return content;
}

bool is_gcm(const SaKey& key, std::size_t key_size) {
  return key.algorithm == "rfc4106(gcm(aes))" && key.auth.empty() && key.icv_bits == kIcvBits &&
         key.key.size() == key_size + kSaltSize;
}

bool is_cbc_with_hmac(const SaKey& key) {
  return key.algorithm == "cbc(aes)" && key.auth == "hmac(sha256)" && key.icv_bits == kIcvBits &&
         key.key.size() == kAes128KeySize && key.auth_key.size() == kHmacKeySize;
}

}  // namespace

tl::expected<EspContent, std::string> open_esp(const EspFrame& frame, const SaKey& key) {
  Plain plain;
  if (is_gcm(key, kAes128KeySize)) {
    plain = open_gcm(frame, key.key, EVP_aes_128_gcm());
  } else if (is_gcm(key, kAes256KeySize)) {
    plain = open_gcm(frame, key.key, EVP_aes_256_gcm());
  } else if (is_cbc_with_hmac(key)) {
    plain = open_cbc(frame, key.key, key.auth_key);
  } else {
    return tl::unexpected(std::string("algorithm not known"));
  }
  auto content = plain ? take_off_trailer(std::move(*plain)) : std::nullopt;
  if (!content) return tl::unexpected(std::string("tag or padding wrong"));
  return std::move(*content);
}

}  // namespace gkmpd::esp_open
