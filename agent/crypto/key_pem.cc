// Private keys to and from PEM. OpenSSL's own way leaves up to eleven copies of the key in freed
// memory, so the key is taken out of the text here and handed over as bare octets.
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <string>
#include <utility>

#include "agent/base/wipe_stack.h"
#include "agent/crypto/der.h"
#include "agent/crypto/errors.h"
#include "agent/crypto/key_access.h"
#include "agent/crypto/openssl.h"

namespace gkmpd::crypto {
namespace {

using ossl::require;

using Group = std::unique_ptr<EC_GROUP, ossl::Freer<EC_GROUP_free>>;
using Point = std::unique_ptr<EC_POINT, ossl::Freer<EC_POINT_free>>;

constexpr std::string_view kPkcs8Begin = "-----BEGIN PRIVATE KEY-----\n";
constexpr std::string_view kPkcs8End = "-----END PRIVATE KEY-----\n";
constexpr std::string_view kSec1Begin = "-----BEGIN EC PRIVATE KEY-----\n";
constexpr std::string_view kSec1End = "-----END EC PRIVATE KEY-----\n";
constexpr std::size_t kMaxPemSize = std::size_t{16} * 1024;
constexpr std::size_t kPemLineSize = 64;

// Identifier octets.
constexpr std::uint8_t kInteger = 0x02;
constexpr std::uint8_t kBitString = 0x03;
constexpr std::uint8_t kOctetString = 0x04;
constexpr std::uint8_t kSequence = 0x30;
constexpr std::uint8_t kParameters = 0xa0;  // [0] of ECPrivateKey
constexpr std::uint8_t kPublicKey = 0xa1;   // [1] of ECPrivateKey

/// What differs between key types in a file. The identifiers are whole DER values.
struct FileForm {
  KeyType type;
  const char* group;
  int group_id;
  std::size_t private_size;
  std::size_t public_size;
  std::string_view curve_hex;
  std::string_view algorithm_hex;  // content of the AlgorithmIdentifier
  std::string_view head_hex;       // of PKCS #8, up to the private key's octets
  std::string_view middle_hex;     // between those and the public key's
};

constexpr std::array<FileForm, 3> kForms{{
    {KeyType::kEcdsaP256, "P-256", NID_X9_62_prime256v1, 32, 65, "06082a8648ce3d030107",
     "06072a8648ce3d020106082a8648ce3d030107",
     "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420", "a144034200"},
    {KeyType::kEcdsaP384, "P-384", NID_secp384r1, 48, 97, "06052b81040022",
     "06072a8648ce3d020106052b81040022",
     "3081b6020100301006072a8648ce3d020106052b8104002204819e30819b0201010430", "a164036200"},
    {KeyType::kEd25519, nullptr, NID_undef, 32, 0, "", "06032b6570",
     "302e020100300506032b657004220420", ""},
}};

const FileForm& form_of(KeyType type) { return kForms[static_cast<std::size_t>(type)]; }

bool is_hex(ByteView octets, std::string_view hex) { return to_hex(octets) == hex; }

/// The form whose `member` is these octets, or null.
const FileForm* find_form(std::string_view FileForm::* member, ByteView octets) {
  const auto* const found = std::ranges::find_if(
      kForms, [&](const FileForm& form) { return is_hex(octets, form.*member); });
  return found == kForms.end() ? nullptr : found;
}

/// The base64 between the two lines, decoded; empty if it is not there or not base64.
Secret decode_pem(ByteView pem, std::string_view begin, std::string_view end) {
  const std::string_view text = as_text(pem);
  const std::size_t from = text.find(begin.substr(0, begin.size() - 1));
  if (from == std::string_view::npos) return {};
  const std::size_t body = from + begin.size() - 1;
  const std::size_t to = text.find(end.substr(0, end.size() - 1), body);
  if (to == std::string_view::npos) return {};
  Secret base64(to - body);
  std::size_t size = 0;
  for (const std::uint8_t octet : pem.subspan(body, to - body)) {
    const bool is_space = octet == '\n' || octet == '\r' || octet == ' ' || octet == '\t';
    if (!is_space) base64.expose_for_writing()[size++] = octet;
  }
  if (size == 0 || size % 4 != 0) return {};
  const ByteView digits = base64.expose().first(size);
  const std::size_t padding = digits[size - 1] != '=' ? 0 : digits[size - 2] != '=' ? 1 : 2;
  Secret decoded(size / 4 * 3);
  if (EVP_DecodeBlock(decoded.expose_for_writing().data(), digits.data(), static_cast<int>(size)) <
      0) {
    return {};
  }
  return Secret::copy_of(decoded.expose().first(decoded.size() - padding));
}

/// A private key's octets where they stand in a file, and the public key beside them if there.
struct Found {
  const FileForm* form = nullptr;
  ByteView private_octets;
  ByteView public_octets;
};

/// ECPrivateKey of RFC 5915; `form` is null unless something around it has said the curve.
std::optional<Found> read_ec_key(ByteView der, const FileForm* form) {
  const auto body = take_der(der, kSequence);
  if (!body || !der.empty()) return std::nullopt;
  ByteView rest = *body;
  const auto version = take_der(rest, kInteger);
  const auto key = take_der(rest, kOctetString);
  if (!version || !is_hex(*version, "01") || !key) return std::nullopt;
  Found found{form, *key, {}};
  while (!rest.empty()) {
    const auto more = take_der(rest);
    if (!more) return std::nullopt;
    if (more->identifier == kParameters) {
      const FileForm* const named = find_form(&FileForm::curve_hex, more->content);
      if (named == nullptr || (form != nullptr && named != form)) return std::nullopt;
      found.form = named;
    } else if (more->identifier == kPublicKey) {
      ByteView inside = more->content;
      const auto bits = take_der(inside, kBitString);
      if (!bits || bits->empty() || bits->front() != 0) return std::nullopt;
      found.public_octets = bits->subspan(1);
    }
  }
  return found.form == nullptr ? std::nullopt : std::optional(found);
}

/// PrivateKeyInfo of RFC 5208; what may stand behind the key says nothing more about it.
std::optional<Found> read_pkcs8(ByteView der) {
  const auto body = take_der(der, kSequence);
  if (!body || !der.empty()) return std::nullopt;
  ByteView rest = *body;
  const auto version = take_der(rest, kInteger);
  const auto algorithm = take_der(rest, kSequence);
  const auto key = take_der(rest, kOctetString);
  if (!version || !algorithm || !key) return std::nullopt;
  const FileForm* const form = find_form(&FileForm::algorithm_hex, *algorithm);
  if (form == nullptr) return std::nullopt;
  if (form->type != KeyType::kEd25519) return read_ec_key(*key, form);
  ByteView wrapped = *key;
  const auto octets = take_der(wrapped, kOctetString);
  if (!octets || !wrapped.empty()) return std::nullopt;
  return Found{form, *octets, {}};
}

/// The public point of a private number; empty if the number is not one of the group's.
Bytes public_point(const FileForm& form, ByteView private_octets) {
  const Group group(EC_GROUP_new_by_curve_name(form.group_id));
  const ossl::BigNumberContext context(BN_CTX_secure_new());
  const ossl::BigNumber number(BN_secure_new());
  require(group != nullptr && context != nullptr && number != nullptr);
  require(BN_bin2bn(private_octets.data(), static_cast<int>(private_octets.size()), number.get()) !=
          nullptr);
  if (BN_is_zero(number.get()) == 1 ||
      BN_cmp(number.get(), EC_GROUP_get0_order(group.get())) >= 0) {
    return {};
  }
  const Point point(EC_POINT_new(group.get()));
  require(point != nullptr && EC_POINT_mul(group.get(), point.get(), number.get(), nullptr, nullptr,
                                           context.get()) == 1);
  Bytes octets(form.public_size);
  require(EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED, octets.data(),
                             octets.size(), context.get()) == octets.size());
  return octets;
}

/// The same number in the order of octets that OSSL_PARAM has.
Secret swapped_to_native(ByteView big_endian) {
  Secret native = Secret::copy_of(big_endian);
  if constexpr (std::endian::native == std::endian::little) {
    std::ranges::reverse(native.expose_for_writing());
  }
  return native;
}

ossl::Pkey build_ec(const FileForm& form, ByteView private_octets, Bytes public_octets) {
  Secret native = swapped_to_native(private_octets);
  std::string group = form.group;
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0),
      OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native.expose_for_writing().data(),
                              native.size()),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, public_octets.data(),
                                        public_octets.size()),
      OSSL_PARAM_construct_end()};
  const ossl::PkeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  if (context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, parameters) != 1) {
    return nullptr;
  }
  return ossl::Pkey(key);
}

Result<PrivateKey> build(const Found& found) {
  const FileForm& form = *found.form;
  if (found.private_octets.size() != form.private_size) {
    return fail(kBadKey, "the private key is not as long as its kind wants");
  }
  if (form.type == KeyType::kEd25519) {
    return KeyAccess::private_key(ossl::Pkey(EVP_PKEY_new_raw_private_key_ex(
        nullptr, "ED25519", nullptr, found.private_octets.data(), found.private_octets.size())));
  }
  Bytes point = public_point(form, found.private_octets);
  if (point.empty()) return fail(kBadKey, "the private key is out of range");
  if (!found.public_octets.empty() && !equal(found.public_octets, point)) {
    return fail(kBadKey, "the private and the public half do not fit");
  }
  return KeyAccess::private_key(build_ec(form, found.private_octets, std::move(point)));
}

/// The private key's own octets, most significant first.
Secret private_octets_of(EVP_PKEY* key, const FileForm& form) {
  // Asked for as parameters: EVP_PKEY_get_raw_private_key() leaves a copy in freed memory.
  const bool is_number = form.type != KeyType::kEd25519;
  Secret octets(form.private_size);
  auto* const out = octets.expose_for_writing().data();
  OSSL_PARAM parameters[] = {
      is_number ? OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, out, octets.size())
                : OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, out, octets.size()),
      OSSL_PARAM_construct_end()};
  require(EVP_PKEY_get_params(key, parameters) == 1 && OSSL_PARAM_modified(&parameters[0]) == 1);
  return is_number ? swapped_to_native(octets.expose()) : std::move(octets);
}

/// `parts` in one piece.
Secret joined(std::initializer_list<ByteView> parts) {
  std::size_t size = 0;
  for (const ByteView part : parts) size += part.size();
  Secret all(size);
  auto out = all.expose_for_writing().begin();
  for (const ByteView part : parts) out = std::ranges::copy(part, out).out;
  return all;
}

Secret encode_pem(ByteView der) {
  // EVP_EncodeBlock ends with a NUL.
  Secret base64((der.size() + 2) / 3 * 4 + 1);
  EVP_EncodeBlock(base64.expose_for_writing().data(), der.data(), static_cast<int>(der.size()));
  ByteView rest = base64.expose().first(base64.size() - 1);
  Secret text = Secret::copy_of(as_bytes(kPkcs8Begin));
  while (!rest.empty()) {
    const std::size_t size = std::min(rest.size(), kPemLineSize);
    text = joined({text.expose(), rest.first(size), as_bytes("\n")});
    rest = rest.subspan(size);
  }
  return joined({text.expose(), as_bytes(kPkcs8End)});
}

}  // namespace

Result<PrivateKey> PrivateKey::from_pem(const Secret& pem) {
  const StackWiper stack;
  if (pem.size() > kMaxPemSize) return fail(kBadKey, "larger than 16 KiB");
  std::optional<Found> found;
  Secret der = decode_pem(pem.expose(), kPkcs8Begin, kPkcs8End);
  if (!der.empty()) {
    if (is_der(der.expose())) found = read_pkcs8(der.expose());
  } else {
    der = decode_pem(pem.expose(), kSec1Begin, kSec1End);
    if (is_der(der.expose())) found = read_ec_key(der.expose(), nullptr);
  }
  if (!found) {
    return fail(kBadKey, "no P-256, P-384 or Ed25519 private key without passphrase in this text");
  }
  return build(*found);
}

Secret PrivateKey::to_pem() const {
  const StackWiper stack;
  const FileForm& form = form_of(public_key_.type());
  const Secret octets = private_octets_of(key_.get(), form);
  const Bytes head = from_hex(form.head_hex).value_or(Bytes{});
  const Bytes middle = from_hex(form.middle_hex).value_or(Bytes{});
  // The point is at the end of a SubjectPublicKeyInfo too.
  const ByteView point = ByteView(public_key_.spki()).last(form.public_size);
  return encode_pem(joined({head, octets.expose(), middle, point}).expose());
}

}  // namespace gkmpd::crypto
