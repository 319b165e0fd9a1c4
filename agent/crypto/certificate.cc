#include <openssl/pem.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "agent/crypto/der.h"
#include "agent/crypto/errors.h"
#include "agent/crypto/key_access.h"
#include "agent/crypto/x509_access.h"

namespace gkmpd::crypto {
namespace {

struct Names {
  std::string host;
  std::vector<IpAddress> addresses;
};

Bytes der_of(const X509_NAME* name) {
  return ossl::encoded(i2d_X509_NAME, const_cast<X509_NAME*>(name));
}

// Each identifier once; and what OpenSSL reads is DER, of which its reader makes no point.
Result<void> check_extensions(const X509* x509) {
  std::set<std::string_view> seen;
  for (int i = 0; i < X509_get_ext_count(x509); ++i) {
    X509_EXTENSION* const extension = X509_get_ext(x509, i);
    const ASN1_OBJECT* const object = X509_EXTENSION_get_object(extension);
    const ByteView identifier{OBJ_get0_data(object), OBJ_length(object)};
    if (!seen.insert(as_text(identifier)).second) {
      return fail(kBadCertificate, "an extension comes twice");
    }
    if (X509_supported_extension(extension) == 1 &&
        !is_der(ossl::octets_of(X509_EXTENSION_get_data(extension)))) {
      return fail(kBadCertificate, "an extension is not DER");
    }
  }
  if ((X509_get_extension_flags(const_cast<X509*>(x509)) & EXFLAG_INVALID) != 0) {
    return ossl::fail_with_reason(kBadCertificate, "an extension is malformed");
  }
  return {};
}

Result<Names> read_names(const X509* x509) {
  int critical = 0;
  const ossl::GeneralNames alternatives(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(x509, NID_subject_alt_name, &critical, nullptr)));
  if (alternatives == nullptr && critical != -1) {
    return ossl::fail_with_reason(kBadCertificate, "malformed subjectAltName");
  }
  ERR_clear_error();
  Names names;
  int dns_names = 0;
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    int type = 0;
    const void* const value =
        GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(alternatives.get(), i), &type);
    if (type == GEN_DNS) {
      ++dns_names;
      names.host = ossl::plain_lower(ossl::octets_of(static_cast<const ASN1_STRING*>(value)));
    } else if (type == GEN_IPADD) {
      const auto address =
          IpAddress::from_octets(ossl::octets_of(static_cast<const ASN1_STRING*>(value)));
      if (!address) return fail(kBadCertificate, "an iPAddress is neither IPv4 nor IPv6");
      names.addresses.push_back(*address);
    }
  }
  if (dns_names > 1) names.host.clear();
  if (dns_names == 0) names.host = ossl::only_common_name(X509_get_subject_name(x509));
  return names;
}

}  // namespace

Result<Certificate> Certificate::from_der(ByteView der) {
  if (!is_der(der)) return fail(kBadCertificate, "not exactly one DER structure");
  const unsigned char* next = der.data();
  ossl::X509Pointer x509(d2i_X509(nullptr, &next, static_cast<long>(der.size())));
  if (next != der.data() + der.size()) x509.reset();
  return X509Access::certificate(der, std::move(x509));
}

Result<Certificate> X509Access::certificate(ByteView der, ossl::X509Pointer x509) {
  if (der.size() > kMaxCertificateSize) return fail(kBadCertificate, "larger than 8 KiB");
  if (x509 == nullptr) return ossl::fail_with_reason(kBadCertificate, "not a certificate");
  if (X509_get_version(x509.get()) != X509_VERSION_3) {
    return fail(kBadCertificate, "not of version 3");
  }
  if (!ossl::is_our_signature(X509_get0_tbs_sigalg(x509.get()))) {
    return fail(kBadCertificate, "signed otherwise than with ECDSA and SHA-2 or with Ed25519");
  }
  const ASN1_INTEGER* const serial = X509_get0_serialNumber(x509.get());
  if (!ossl::is_usable_serial(serial)) {
    return fail(kBadCertificate, "the serial number is negative or longer than 20 octets");
  }
  const auto not_before = ossl::wall_time(X509_get0_notBefore(x509.get()));
  const auto not_after = ossl::wall_time(X509_get0_notAfter(x509.get()));
  if (!not_before || !not_after) return fail(kBadCertificate, "a validity time is malformed");
  if (auto good = check_extensions(x509.get()); !good) return pass_on(good);
  auto names = read_names(x509.get());
  if (!names) return pass_on(names);
  // OpenSSL has read the key with the certificate.
  X509_PUBKEY* const spki = X509_get_X509_PUBKEY(x509.get());
  auto key = KeyAccess::public_key(ossl::encoded(i2d_X509_PUBKEY, spki),
                                   ossl::Pkey(X509_PUBKEY_get(spki)));
  if (!key) return fail(kBadCertificate, "its key: " + key.error().detail);

  Certificate certificate;
  certificate.der_ = to_bytes(der);
  certificate.public_key_ = std::move(*key);
  certificate.name_ = std::move(names->host);
  certificate.addresses_ = std::move(names->addresses);
  certificate.serial_ = ossl::serial_text(serial);
  certificate.not_before_ = *not_before;
  certificate.not_after_ = *not_after;
  certificate.is_ca_ = (X509_get_extension_flags(x509.get()) & EXFLAG_CA) != 0;
  // All bits are set if the extension is absent.
  certificate.may_sign_ = (X509_get_key_usage(x509.get()) & KU_DIGITAL_SIGNATURE) != 0;
  certificate.self_signed_ =
      der_of(X509_get_subject_name(x509.get())) == der_of(X509_get_issuer_name(x509.get()));
  certificate.x509_ = std::move(x509);
  ERR_clear_error();
  return certificate;
}

Result<Certificate> Certificate::from_pem(std::string_view pem) {
  auto blocks = ossl::pem_blocks(pem, PEM_STRING_X509, 1, kBadCertificate);
  if (!blocks) return pass_on(blocks);
  return from_der(blocks->front());
}

Result<std::vector<Certificate>> Certificate::all_from_pem(std::string_view pem) {
  auto blocks = ossl::pem_blocks(pem, PEM_STRING_X509, std::numeric_limits<std::size_t>::max(),
                                 kBadCertificate);
  if (!blocks) return pass_on(blocks);
  std::vector<Certificate> certificates;
  for (const Bytes& der : *blocks) {
    auto certificate = from_der(der);
    if (!certificate) return pass_on(certificate);
    certificates.push_back(std::move(*certificate));
  }
  return certificates;
}

std::string Certificate::to_pem() const { return ossl::to_pem(der_, PEM_STRING_X509); }

bool Certificate::has_extended_usage(std::string_view oid) const {
  const ossl::ExtendedUsage usages(static_cast<EXTENDED_KEY_USAGE*>(
      X509_get_ext_d2i(x509_.get(), NID_ext_key_usage, nullptr, nullptr)));
  const ossl::Object wanted = ossl::object_of(oid);
  for (int i = 0; i < sk_ASN1_OBJECT_num(usages.get()); ++i) {
    if (OBJ_cmp(sk_ASN1_OBJECT_value(usages.get(), i), wanted.get()) == 0) return true;
  }
  return false;
}

std::optional<Certificate::Extension> Certificate::extension(std::string_view oid) const {
  const ossl::Object wanted = ossl::object_of(oid);
  const int index = X509_get_ext_by_OBJ(x509_.get(), wanted.get(), -1);
  if (index < 0) return std::nullopt;
  X509_EXTENSION* const found = X509_get_ext(x509_.get(), index);
  return Extension{.value = to_bytes(ossl::octets_of(X509_EXTENSION_get_data(found))),
                   .critical = X509_EXTENSION_get_critical(found) == 1};
}

}  // namespace gkmpd::crypto
