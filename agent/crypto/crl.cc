#include <openssl/pem.h>

#include <algorithm>
#include <utility>

#include "agent/crypto/der.h"
#include "agent/crypto/errors.h"
#include "agent/crypto/key_access.h"
#include "agent/crypto/x509_access.h"

namespace gkmpd::crypto {
namespace {

// True if one of `extensions` is critical and not in `known`: the list then means something that
// this reader does not know.
bool has_unknown_critical(const STACK_OF(X509_EXTENSION) * extensions,
                          std::initializer_list<int> known) {
  for (int i = 0; i < X509v3_get_ext_count(extensions); ++i) {
    X509_EXTENSION* const extension = X509v3_get_ext(extensions, i);
    const int id = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    if (X509_EXTENSION_get_critical(extension) == 1 &&
        std::ranges::find(known, id) == known.end()) {
      return true;
    }
  }
  return false;
}

Result<void> check_scope(const X509_CRL* crl) {
  if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0) {
    return fail(kCrlScope, "a delta list; a full one is needed");
  }
  // Even one that only names a distribution point says that this is a part of the whole.
  if (X509_CRL_get_ext_by_NID(crl, NID_issuing_distribution_point, -1) >= 0) {
    return fail(kCrlScope, "limited by an issuingDistributionPoint; a full list is needed");
  }
  if (has_unknown_critical(X509_CRL_get0_extensions(crl),
                           {NID_crl_number, NID_authority_key_identifier})) {
    return fail(kCrlScope, "an unknown critical extension");
  }
  return {};
}

Result<std::uint64_t> read_number(const X509_CRL* crl) {
  const ossl::Integer number(
      static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(crl, NID_crl_number, nullptr, nullptr)));
  std::uint64_t value = 0;
  if (number == nullptr || ASN1_INTEGER_get_uint64(&value, number.get()) != 1) {
    return ossl::fail_with_reason(kBadCrl, "no CRLNumber, or not one of at most 64 bits");
  }
  return value;
}

// Right-aligned, so that equal numbers are equal octets.
SerialKey key_of(const ASN1_INTEGER* serial) {
  const ByteView octets = ossl::octets_of(serial);
  SerialKey key{};
  std::ranges::copy(octets, key.end() - static_cast<std::ptrdiff_t>(octets.size()));
  return key;
}

// Whether the entry revokes (removeFromCRL does not).
Result<bool> read_entry(const X509_REVOKED* entry) {
  if (!ossl::is_usable_serial(X509_REVOKED_get0_serialNumber(entry))) {
    return fail(kBadCrl, "a serial number is negative or longer than 20 octets");
  }
  const STACK_OF(X509_EXTENSION)* const extensions = X509_REVOKED_get0_extensions(entry);
  if (extensions == nullptr) return true;
  if (X509_REVOKED_get_ext_by_NID(entry, NID_certificate_issuer, -1) >= 0) {
    return fail(kCrlScope, "an indirect list: an entry names another issuer");
  }
  if (has_unknown_critical(extensions, {NID_crl_reason, NID_invalidity_date})) {
    return fail(kCrlScope, "an unknown critical extension of an entry");
  }
  int critical = 0;
  const std::unique_ptr<ASN1_ENUMERATED, ossl::Freer<ASN1_ENUMERATED_free>> reason(
      static_cast<ASN1_ENUMERATED*>(
          X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, &critical, nullptr)));
  if (reason == nullptr && critical != -1) {
    return ossl::fail_with_reason(kBadCrl, "malformed reason of an entry");
  }
  return reason == nullptr || ASN1_ENUMERATED_get(reason.get()) != CRL_REASON_REMOVE_FROM_CRL;
}

Result<std::vector<SerialKey>> read_entries(X509_CRL* crl) {
  const STACK_OF(X509_REVOKED)* const entries = X509_CRL_get_REVOKED(crl);
  std::vector<SerialKey> revoked;
  for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
    const X509_REVOKED* const entry = sk_X509_REVOKED_value(entries, i);
    const auto revokes = read_entry(entry);
    if (!revokes) return tl::unexpected<Error>(revokes.error());
    if (*revokes) revoked.push_back(key_of(X509_REVOKED_get0_serialNumber(entry)));
  }
  std::ranges::sort(revoked);
  return revoked;
}

}  // namespace

Result<Crl> Crl::from_der(ByteView der) {
  if (der.size() > kMaxCrlSize) return fail(kBadCrl, "larger than 16 MiB");
  if (!is_der(der)) return fail(kBadCrl, "not exactly one DER structure");
  const unsigned char* next = der.data();
  ossl::CrlPointer crl(d2i_X509_CRL(nullptr, &next, static_cast<long>(der.size())));
  if (crl == nullptr || next != der.data() + der.size()) {
    return ossl::fail_with_reason(kBadCrl, "not a revocation list");
  }
  if (X509_CRL_get_version(crl.get()) != X509_CRL_VERSION_2) {
    return fail(kBadCrl, "not of version 2");
  }
  const X509_ALGOR* algorithm = nullptr;
  X509_CRL_get0_signature(crl.get(), nullptr, &algorithm);
  if (!ossl::is_our_signature(algorithm)) {
    return fail(kBadCrl, "signed otherwise than with ECDSA and SHA-2 or with Ed25519");
  }
  if (auto full = check_scope(crl.get()); !full) return pass_on(full);
  auto number = read_number(crl.get());
  if (!number) return pass_on(number);
  const auto this_update = ossl::wall_time(X509_CRL_get0_lastUpdate(crl.get()));
  const ASN1_TIME* const next_time = X509_CRL_get0_nextUpdate(crl.get());
  const auto next_update = ossl::wall_time(next_time);
  if (!this_update || (next_time != nullptr && !next_update)) {
    return fail(kBadCrl, "a time is malformed");
  }
  auto revoked = read_entries(crl.get());
  if (!revoked) return pass_on(revoked);

  Crl result;
  result.der_ = to_bytes(der);
  result.number_ = *number;
  result.this_update_ = *this_update;
  result.next_update_ = next_update;
  result.entry_count_ =
      static_cast<std::size_t>(std::max(0, sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl.get()))));
  result.revoked_ = std::make_shared<const std::vector<SerialKey>>(std::move(*revoked));
  result.crl_ = std::move(crl);
  ERR_clear_error();
  return result;
}

Result<Crl> Crl::from_pem(std::string_view pem) {
  auto blocks = ossl::pem_blocks(pem, PEM_STRING_X509_CRL, 1, kBadCrl);
  if (!blocks) return pass_on(blocks);
  return from_der(blocks->front());
}

std::string Crl::to_pem() const { return ossl::to_pem(der_, PEM_STRING_X509_CRL); }

bool Crl::revokes(const Certificate& certificate) const {
  const X509* const x509 = X509Access::get(certificate);
  if (X509_NAME_cmp(X509_CRL_get_issuer(crl_.get()), X509_get_issuer_name(x509)) != 0) return false;
  return std::ranges::binary_search(*revoked_, key_of(X509_get0_serialNumber(x509)));
}

bool Crl::issued_by(const Certificate& issuer) const {
  X509* const x509 = X509Access::get(issuer);
  if (X509_NAME_cmp(X509_CRL_get_issuer(crl_.get()), X509_get_subject_name(x509)) != 0)
    return false;
  // All bits of the usage are set if the extension is absent.
  if (!issuer.is_ca() || (X509_get_key_usage(x509) & KU_CRL_SIGN) == 0) return false;
  const bool holds = X509_CRL_verify(crl_.get(), KeyAccess::get(issuer.public_key())) == 1;
  ERR_clear_error();
  return holds;
}

}  // namespace gkmpd::crypto
