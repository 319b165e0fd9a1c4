#include "xfrm/encode_suite.h"

#include <linux/xfrm.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "netlink/parse.h"
#include "xfrm/errors.h"

namespace gkmpd::xfrm {
namespace {

constexpr std::string_view kGcm = "rfc4106(gcm(aes))";
constexpr std::string_view kGmac = "rfc4543(gcm(aes))";
constexpr std::string_view kChaCha = "rfc7539esp(chacha20,poly1305)";
constexpr std::string_view kCbc = "cbc(aes)";
constexpr std::string_view kNull = "ecb(cipher_null)";
constexpr std::string_view kSha256 = "hmac(sha256)";
constexpr std::string_view kSha384 = "hmac(sha384)";
constexpr std::string_view kSha512 = "hmac(sha512)";

/// A MAC's key is as long as its hash, and it is cut to half of that (RFC 4868). Only
/// XFRMA_ALG_AUTH_TRUNC says so: XFRMA_ALG_AUTH would mean the 96 bits of older days.
constexpr std::array<SuiteAlgorithms, kEspSuites.size()> kTable{{
    {EspSuite::kAesGcm128, kGcm, 16 + 4, {}, 0, 128},
    {EspSuite::kAesGcm256, kGcm, 32 + 4, {}, 0, 128},
    {EspSuite::kAesCbc128HmacSha256, kCbc, 16, kSha256, 32, 128},
    {EspSuite::kAesGcm192, kGcm, 24 + 4, {}, 0, 128},
    {EspSuite::kChaCha20Poly1305, kChaCha, 32 + 4, {}, 0, 128},
    {EspSuite::kAesCbc256HmacSha384, kCbc, 32, kSha384, 48, 192},
    {EspSuite::kAesCbc256HmacSha512, kCbc, 32, kSha512, 64, 256},
    {EspSuite::kAesGmac128, kGmac, 16 + 4, {}, 0, 128},
    {EspSuite::kAesGmac256, kGmac, 32 + 4, {}, 0, 128},
    {EspSuite::kNullHmacSha256, kNull, 0, kSha256, 32, 128},
    {EspSuite::kNullHmacSha384, kNull, 0, kSha384, 48, 192},
    {EspSuite::kNullHmacSha512, kNull, 0, kSha512, 64, 256},
}};

/// Row i is suite i + 1, and its keys make up the suite's key material.
constexpr bool table_is_sound() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    const SuiteAlgorithms& row = kTable[i];
    if (row.suite != kEspSuites[i] || static_cast<std::size_t>(row.suite) != i + 1 ||
        row.cipher_key + row.mac_key != key_material_size(row.suite))
      return false;
  }
  return true;
}
static_assert(table_is_sound());

/// Name, key length and key: what all algorithm attributes have. The rest of `head` is the
/// caller's.
template <typename Head>
void put_algorithm(netlink::Batch& batch, std::uint16_t type, Head& head, std::string_view name,
                   ByteView key) {
  name.copy(head.alg_name, sizeof head.alg_name - 1);
  head.alg_key_len = static_cast<unsigned>(key.size() * 8);
  Secret attribute(sizeof head + key.size());
  const std::span<std::uint8_t> room = attribute.expose_for_writing();
  std::memcpy(room.data(), &head, sizeof head);
  std::ranges::copy(key, room.begin() + sizeof head);
  batch.put(type, attribute.expose());
}

std::uint32_t icv_bits_of(const xfrm_algo_aead& head) { return head.alg_icv_len; }
std::uint32_t icv_bits_of(const xfrm_algo_auth& head) { return head.alg_trunc_len; }
std::uint32_t icv_bits_of(const xfrm_algo&) { return 0; }

}  // namespace

const SuiteAlgorithms& algorithms_of(EspSuite suite) {
  return kTable[static_cast<std::size_t>(suite) - 1];
}

void put_suite(netlink::Batch& batch, EspSuite suite, const Secret& key) {
  const SuiteAlgorithms& row = algorithms_of(suite);
  const ByteView octets = key.expose();
  if (row.is_aead()) {
    xfrm_algo_aead head{};
    head.alg_icv_len = row.icv_bits;
    return put_algorithm(batch, XFRMA_ALG_AEAD, head, row.cipher, octets);
  }
  const std::size_t cipher_size = std::min(octets.size(), row.cipher_key);
  xfrm_algo cipher{};
  put_algorithm(batch, XFRMA_ALG_CRYPT, cipher, row.cipher, octets.first(cipher_size));
  xfrm_algo_auth mac{};
  mac.alg_trunc_len = row.icv_bits;
  put_algorithm(batch, XFRMA_ALG_AUTH_TRUNC, mac, row.mac, octets.subspan(cipher_size));
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

bool SuiteReader::has_just(const SuiteAlgorithms& row) const {
  if (row.is_aead())
    return aead_ && !cipher_ && !mac_ && !mac_for_old_readers_ &&
           aead_->is(row.cipher, row.cipher_key) && aead_->icv_bits == row.icv_bits;
  const bool both = !aead_ && cipher_ && cipher_->is(row.cipher, row.cipher_key) && mac_ &&
                    mac_->is(row.mac, row.mac_key) && mac_->icv_bits == row.icv_bits;
  return both && (!mac_for_old_readers_ ||
                  (mac_for_old_readers_->is(row.mac, row.mac_key) &&
                   Secret::copy_of(mac_for_old_readers_->key).equals(Secret::copy_of(mac_->key))));
}

std::optional<SuiteAndKey> SuiteReader::result() const {
  const auto row = std::ranges::find_if(
      kTable, [this](const SuiteAlgorithms& candidate) { return has_just(candidate); });
  if (row == kTable.end()) return std::nullopt;
  SuiteAndKey found{row->suite, Secret(key_material_size(row->suite))};
  const auto room = found.key.expose_for_writing();
  if (row->is_aead()) {
    std::ranges::copy(aead_->key, room.begin());
  } else {
    std::ranges::copy(mac_->key, std::ranges::copy(cipher_->key, room.begin()).out);
  }
  return found;
}

}  // namespace gkmpd::xfrm
