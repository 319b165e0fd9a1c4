#include "tests/support/esp_open/esp_cipher.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <memory>

namespace gkmpd::esp_open {
namespace {

constexpr std::size_t kSaltSize = 4;
constexpr std::size_t kAeadIvSize = 8;
constexpr std::size_t kBlockSize = 16;  // of AES; the IV of CBC too
constexpr std::size_t kTagSize = 16;
constexpr std::size_t kTrailerSize = 2;  // pad length, next header
constexpr unsigned kBitsPerOctet = 8;

using Plain = std::optional<Octets>;
using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

Context make_context() { return {EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free}; }

int int_size(View octets) { return static_cast<int>(octets.size()); }

void append(Octets& out, View more) { out.insert(out.end(), more.begin(), more.end()); }

Octets big_endian(std::uint32_t value) {
  return {static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
          static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}

/// The upper half of the sequence number, where there is one: it is not on the wire.
using High = std::optional<std::uint32_t>;

/// SPI and sequence number as an AEAD covers them (RFC 4106 5, RFC 7634 2.1).
Octets aead_header(const EspFrame& frame, High high) {
  Octets out(frame.associated.begin(), frame.associated.begin() + 4);
  if (high) append(out, big_endian(*high));
  append(out, frame.associated.subspan(4));
  return out;
}

/// Opens an AEAD whose nonce has the 12 octets that GCM and ChaCha20-Poly1305 have by default.
Plain open_aead(const EVP_CIPHER* cipher, View key, View nonce, View associated, View sealed,
                View tag) {
  Octets tag_copy(tag.begin(), tag.end());
  // At least one octet, so that there is a place to point to.
  Octets plain(sealed.size() + 1);
  int length = 0;
  const Context context = make_context();
  const bool good =
      EVP_DecryptInit_ex2(context.get(), cipher, key.data(), nonce.data(), nullptr) == 1 &&
      EVP_DecryptUpdate(context.get(), nullptr, &length, associated.data(), int_size(associated)) ==
          1 &&
      EVP_DecryptUpdate(context.get(), plain.data(), &length, sealed.data(), int_size(sealed)) ==
          1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, int_size(tag_copy),
                          tag_copy.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), plain.data() + length, &length) == 1;
  if (!good) return std::nullopt;
  plain.resize(sealed.size());
  return plain;
}

/// Key and salt are one octet string, the nonce is salt and IV (RFC 4106, RFC 7634). GMAC (RFC
/// 4543) covers IV and payload as well, but leaves the payload as it is.
Plain open_with_aead(const EspFrame& frame, High high, View key_material, const EVP_CIPHER* cipher,
                     bool only_covers) {
  if (frame.rest.size() < kAeadIvSize + kTrailerSize + kTagSize) return std::nullopt;
  const View iv = frame.rest.first(kAeadIvSize);
  const View body = frame.rest.subspan(kAeadIvSize, frame.rest.size() - kAeadIvSize - kTagSize);
  const View tag = frame.rest.last(kTagSize);
  const View salt = key_material.last(kSaltSize);
  Octets nonce(salt.begin(), salt.end());
  append(nonce, iv);
  Octets associated = aead_header(frame, high);
  if (!only_covers) return open_aead(cipher, key_material, nonce, associated, body, tag);
  append(associated, iv);
  append(associated, body);
  if (!open_aead(cipher, key_material, nonce, associated, {}, tag)) return std::nullopt;
  return Octets(body.begin(), body.end());
}

/// RFC 4868 2.3: the ICV is the first half of the MAC, over SPI, sequence number, IV and
/// ciphertext, and behind these the upper half of the sequence number (RFC 4303 2.2.1).
bool icv_holds(const EspFrame& frame, High high, View key, const EVP_MD* hash,
               std::size_t icv_size) {
  Octets covered(frame.associated.begin(), frame.associated.end());
  append(covered, frame.rest.first(frame.rest.size() - icv_size));
  if (high) append(covered, big_endian(*high));
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> mac{};
  return HMAC(hash, key.data(), int_size(key), covered.data(), covered.size(), mac.data(),
              nullptr) != nullptr &&
         CRYPTO_memcmp(mac.data(), frame.rest.last(icv_size).data(), icv_size) == 0;
}

Plain open_cbc(View rest, View key, const EVP_CIPHER* cipher) {
  if (rest.size() < 2 * kBlockSize) return std::nullopt;
  const View sealed = rest.subspan(kBlockSize);
  Octets plain(sealed.size());
  int length = 0;
  const Context context = make_context();
  const bool good =
      EVP_DecryptInit_ex2(context.get(), cipher, key.data(), rest.data(), nullptr) == 1 &&
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

/// How an SA's packets are opened.
struct Method {
  const EVP_CIPHER* cipher = nullptr;  // none: NULL encryption (RFC 2410)
  bool aead = false;
  bool only_covers = false;      // GMAC
  const EVP_MD* hash = nullptr;  // of a MAC
};

std::optional<Method> aead_method(const SaKey& key) {
  if (!key.auth.empty() || key.icv_bits != kTagSize * kBitsPerOctet) return std::nullopt;
  const std::size_t size = key.key.size();
  if (key.algorithm == "rfc7539esp(chacha20,poly1305)" && size == 32 + kSaltSize) {
    return Method{EVP_chacha20_poly1305(), true, false, nullptr};
  }
  const bool gmac = key.algorithm == "rfc4543(gcm(aes))";
  if (!gmac && key.algorithm != "rfc4106(gcm(aes))") return std::nullopt;
  if (size == 16 + kSaltSize) return Method{EVP_aes_128_gcm(), true, gmac, nullptr};
  if (size == 24 + kSaltSize) return Method{EVP_aes_192_gcm(), true, gmac, nullptr};
  if (size == 32 + kSaltSize) return Method{EVP_aes_256_gcm(), true, gmac, nullptr};
  return std::nullopt;
}

/// A MAC's key is as long as its hash, and its ICV half of that (RFC 4868 2.1).
std::optional<Method> mac_method(const SaKey& key) {
  Method method;
  if (key.auth == "hmac(sha256)") method.hash = EVP_sha256();
  if (key.auth == "hmac(sha384)") method.hash = EVP_sha384();
  if (key.auth == "hmac(sha512)") method.hash = EVP_sha512();
  if (method.hash == nullptr) return std::nullopt;
  const auto hash_size = static_cast<std::size_t>(EVP_MD_get_size(method.hash));
  if (key.auth_key.size() != hash_size || key.icv_bits != hash_size / 2 * kBitsPerOctet) {
    return std::nullopt;
  }
  if (key.algorithm == "ecb(cipher_null)" && key.key.empty()) return method;
  if (key.algorithm != "cbc(aes)") return std::nullopt;
  if (key.key.size() == 16) method.cipher = EVP_aes_128_cbc();
  if (key.key.size() == 32) method.cipher = EVP_aes_256_cbc();
  if (method.cipher == nullptr) return std::nullopt;
  return method;
}

Plain open_with_mac(const EspFrame& frame, High high, const SaKey& key, const Method& method) {
  const std::size_t icv_size = key.icv_bits / kBitsPerOctet;
  if (frame.rest.size() < kTrailerSize + icv_size) return std::nullopt;
  if (!icv_holds(frame, high, key.auth_key, method.hash, icv_size)) return std::nullopt;
  const View rest = frame.rest.first(frame.rest.size() - icv_size);
  if (method.cipher == nullptr) return Octets(rest.begin(), rest.end());
  return open_cbc(rest, key.key, method.cipher);
}

/// The halves that a packet just now may have: that of the kernel's counters, which may have
/// stood still since or gone on, and its neighbours.
std::vector<High> possible_halves(const SaKey& key) {
  if (!key.esn) return {std::nullopt};
  std::vector<High> halves{key.sequence_high, key.sequence_high + 1};
  if (key.sequence_high > 0) halves.emplace_back(key.sequence_high - 1);
  return halves;
}

}  // namespace

tl::expected<EspContent, std::string> open_esp(const EspFrame& frame, const SaKey& key) {
  const auto method = key.auth.empty() ? aead_method(key) : mac_method(key);
  if (!method) return tl::unexpected(std::string("algorithm not known"));
  for (const High high : possible_halves(key)) {
    Plain plain = method->aead
                      ? open_with_aead(frame, high, key.key, method->cipher, method->only_covers)
                      : open_with_mac(frame, high, key, *method);
    if (!plain) continue;
    auto content = take_off_trailer(std::move(*plain));
    if (!content) break;
    content->sequence = std::uint64_t{high.value_or(0)} << 32 | frame.sequence;
    return std::move(*content);
  }
  return tl::unexpected(std::string("tag or padding wrong"));
}

}  // namespace gkmpd::esp_open
