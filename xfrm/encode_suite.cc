#include "xfrm/encode_suite.h"

#include <linux/xfrm.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "netlink/parse.h"
#include "xfrm/errors.h"

namespace gkmpd::xfrm {
namespace {

constexpr char kAeadName[] = "rfc4106(gcm(aes))";
constexpr std::uint32_t kAeadIcvBits = 128;
constexpr char kCipherName[] = "cbc(aes)";
constexpr std::size_t kCipherKeySize = 16;
constexpr char kMacName[] = "hmac(sha256)";
constexpr std::size_t kMacKeySize = 32;
// RFC 4868. Only XFRMA_ALG_AUTH_TRUNC says so: XFRMA_ALG_AUTH would mean the 96 bits of older days.
constexpr std::uint32_t kMacBits = 128;
static_assert(kCipherKeySize + kMacKeySize == key_material_size(EspSuite::kAesCbc128HmacSha256));

/// Name, key length and key: what all algorithm attributes have. The rest of `head` is the
/// caller's.
template <typename Head, std::size_t kNameSize>
void put_algorithm(netlink::Batch& batch, std::uint16_t type, Head& head,
                   const char (&name)[kNameSize], ByteView key) {
  static_assert(kNameSize <= sizeof head.alg_name);
  std::memcpy(head.alg_name, name, kNameSize);
  head.alg_key_len = static_cast<unsigned>(key.size() * 8);
  Secret attribute(sizeof head + key.size());
  const std::span<std::uint8_t> room = attribute.expose_for_writing();
  std::memcpy(room.data(), &head, sizeof head);
  std::ranges::copy(key, room.begin() + sizeof head);
  batch.put(type, attribute.expose());
}

void put_aead(netlink::Batch& batch, ByteView key) {
  xfrm_algo_aead head{};
  head.alg_icv_len = kAeadIcvBits;
  put_algorithm(batch, XFRMA_ALG_AEAD, head, kAeadName, key);
}

void put_cipher_and_mac(netlink::Batch& batch, ByteView key) {
  const std::size_t cipher_size = std::min(key.size(), kCipherKeySize);
  xfrm_algo cipher{};
  put_algorithm(batch, XFRMA_ALG_CRYPT, cipher, kCipherName, key.first(cipher_size));
  xfrm_algo_auth mac{};
  mac.alg_trunc_len = kMacBits;
  put_algorithm(batch, XFRMA_ALG_AUTH_TRUNC, mac, kMacName, key.subspan(cipher_size));
}

std::uint32_t icv_bits_of(const xfrm_algo_aead& head) { return head.alg_icv_len; }
std::uint32_t icv_bits_of(const xfrm_algo_auth& head) { return head.alg_trunc_len; }
std::uint32_t icv_bits_of(const xfrm_algo&) { return 0; }

}  // namespace

void put_suite(netlink::Batch& batch, EspSuite suite, const Secret& key) {
  switch (suite) {
    case EspSuite::kAesGcm128:
    case EspSuite::kAesGcm256:
      put_aead(batch, key.expose());
      break;
    case EspSuite::kAesCbc128HmacSha256:
      put_cipher_and_mac(batch, key.expose());
      break;
  }
}

template <typename Head>
Result<SuiteReader::Algorithm> SuiteReader::read(ByteView payload) {
  Head head{};
  if (!netlink::read_into(head, payload)) return fail(kBadMessage, "algorithm cut short");
  const ByteView key = payload.subspan(sizeof head);
  if (key.size() * 8 < head.alg_key_len) return fail(kBadMessage, "key cut short");
  return Algorithm{std::string(head.alg_name, strnlen(head.alg_name, sizeof head.alg_name)),
                   head.alg_key_len, icv_bits_of(head), key};
}

Result<void> SuiteReader::take(std::uint16_t type, ByteView payload) {
  const auto keep = [](std::optional<Algorithm>& place,
                       Result<Algorithm> algorithm) -> Result<void> {
    if (!algorithm) return pass_on(algorithm);
    place = std::move(*algorithm);
    return {};
  };
  switch (type) {
    case XFRMA_ALG_AEAD:
      return keep(aead_, read<xfrm_algo_aead>(payload));
    case XFRMA_ALG_CRYPT:
      return keep(cipher_, read<xfrm_algo>(payload));
    case XFRMA_ALG_AUTH_TRUNC:
      return keep(mac_, read<xfrm_algo_auth>(payload));
    case XFRMA_ALG_AUTH:
      return keep(mac_for_old_readers_, read<xfrm_algo>(payload));
    default:  // the kernel's numbers, not an enum of ours
      return {};
  }
}

std::optional<SuiteAndKey> SuiteReader::result() const {
  return aead_ ? aead_result() : cipher_and_mac_result();
}

std::optional<SuiteAndKey> SuiteReader::aead_result() const {
  if (cipher_ || mac_ || mac_for_old_readers_ || aead_->icv_bits != kAeadIcvBits)
    return std::nullopt;
  for (const EspSuite suite : {EspSuite::kAesGcm128, EspSuite::kAesGcm256}) {
    if (aead_->is(kAeadName, key_material_size(suite)))
      return SuiteAndKey{suite, Secret::copy_of(aead_->key)};
  }
  return std::nullopt;
}

std::optional<SuiteAndKey> SuiteReader::cipher_and_mac_result() const {
  if (!cipher_ || !cipher_->is(kCipherName, kCipherKeySize) || !mac_ ||
      !mac_->is(kMacName, kMacKeySize) || mac_->icv_bits != kMacBits)
    return std::nullopt;
  if (mac_for_old_readers_ &&
      (!mac_for_old_readers_->is(kMacName, kMacKeySize) ||
       !Secret::copy_of(mac_for_old_readers_->key).equals(Secret::copy_of(mac_->key))))
    return std::nullopt;
  SuiteAndKey found{EspSuite::kAesCbc128HmacSha256, Secret(kCipherKeySize + kMacKeySize)};
  const auto rest = std::ranges::copy(cipher_->key, found.key.expose_for_writing().begin()).out;
  std::ranges::copy(mac_->key, rest);
  return found;
}

}  // namespace gkmpd::xfrm
