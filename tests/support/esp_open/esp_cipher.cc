#include "tests/support/esp_open/esp_cipher.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>

namespace gkmpd::esp_open {
namespace {

constexpr std::size_t kKeySize = 16;
constexpr std::size_t kSaltSize = 4;
constexpr std::size_t kIvSize = 8;
constexpr std::size_t kTagSize = 16;
constexpr std::size_t kTrailerSize = 2;  // pad length, next header

std::optional<Octets> decrypt(View key, View nonce, View associated, View ciphertext, View tag) {
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(
      EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  Octets tag_copy(tag.begin(), tag.end());
  Octets plain(ciphertext.size());
  int length = 0;
  // The default nonce length of GCM is the 12 octets that RFC 4106 uses.
  const bool good = EVP_DecryptInit_ex2(context.get(), EVP_aes_128_gcm(), key.data(), nonce.data(),
                                        nullptr) == 1 &&
                    EVP_DecryptUpdate(context.get(), nullptr, &length, associated.data(),
                                      static_cast<int>(associated.size())) == 1 &&
                    EVP_DecryptUpdate(context.get(), plain.data(), &length, ciphertext.data(),
                                      static_cast<int>(ciphertext.size())) == 1 &&
                    EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG,
                                        static_cast<int>(tag_copy.size()), tag_copy.data()) == 1 &&
                    EVP_DecryptFinal_ex(context.get(), plain.data() + length, &length) == 1;
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

}  // namespace

std::optional<EspContent> open_esp(const EspFrame& frame, View key_material) {
  if (key_material.size() != kKeySize + kSaltSize) return std::nullopt;
  if (frame.rest.size() < kIvSize + kTrailerSize + kTagSize) return std::nullopt;
  std::array<std::uint8_t, kSaltSize + kIvSize> nonce{};
  const auto salt = key_material.subspan(kKeySize);
  const auto iv = frame.rest.first(kIvSize);
  std::copy(iv.begin(), iv.end(), std::copy(salt.begin(), salt.end(), nonce.begin()));
  const View ciphertext = frame.rest.subspan(kIvSize, frame.rest.size() - kIvSize - kTagSize);
  auto plain = decrypt(key_material.first(kKeySize), nonce, frame.associated, ciphertext,
                       frame.rest.last(kTagSize));
  if (!plain) return std::nullopt;
  return take_off_trailer(std::move(*plain));
}

}  // namespace gkmpd::esp_open
