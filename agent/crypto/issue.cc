// What a security manager makes: certificates and revocation lists.
#include <algorithm>
#include <utility>

#include "agent/crypto/errors.h"
#include "agent/crypto/key_access.h"
#include "agent/crypto/x509_access.h"

namespace gkmpd::crypto {
namespace {

using ossl::require;

constexpr int kSerialBits = 128;

void add_extension(X509* x509, X509V3_CTX* context, int id, const std::string& text) {
  const ossl::Extension extension(X509V3_EXT_conf_nid(nullptr, context, id, text.c_str()));
  require(extension != nullptr && X509_add_ext(x509, extension.get(), -1) == 1);
}

// An issuer without key identifier has none to point to.
bool has_key_id(const X509* issuer) {
  return X509_get_ext_by_NID(issuer, NID_subject_key_identifier, -1) >= 0;
}

ossl::GeneralName general_name(int type, ByteView octets) {
  ossl::GeneralName name(GENERAL_NAME_new());
  ASN1_STRING* const value =
      ASN1_STRING_type_new(type == GEN_DNS ? V_ASN1_IA5STRING : V_ASN1_OCTET_STRING);
  require(name != nullptr && value != nullptr);
  GENERAL_NAME_set0_value(name.get(), type, value);
  require(ASN1_STRING_set(value, octets.data(), static_cast<int>(octets.size())) == 1);
  return name;
}

void add_alternative_names(X509* x509, const CertificateTemplate& wanted) {
  const ossl::GeneralNames names(GENERAL_NAMES_new());
  require(names != nullptr);
  const auto add = [&](ossl::GeneralName name) {
    require(sk_GENERAL_NAME_push(names.get(), name.release()) > 0);
  };
  if (!wanted.is_ca) {
    add(general_name(GEN_DNS, as_bytes(ossl::plain_lower(as_bytes(wanted.name)))));
  }
  for (const IpAddress& address : wanted.addresses) add(general_name(GEN_IPADD, address.view()));
  if (sk_GENERAL_NAME_num(names.get()) == 0) return;
  require(X509_add1_ext_i2d(x509, NID_subject_alt_name, names.get(), 0, X509V3_ADD_APPEND) == 1);
}

void add_permissions(X509* x509, const Bytes& der) {
  const ossl::OctetString value(ASN1_OCTET_STRING_new());
  require(value != nullptr &&
          ASN1_OCTET_STRING_set(value.get(), der.data(), static_cast<int>(der.size())) == 1);
  const ossl::Object id = ossl::object_of(oid_permissions());
  const ossl::Extension extension(X509_EXTENSION_create_by_OBJ(nullptr, id.get(), 0, value.get()));
  require(extension != nullptr && X509_add_ext(x509, extension.get(), -1) == 1);
}

void add_extensions(X509* x509, X509* issuer, const CertificateTemplate& wanted) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, x509, nullptr, nullptr, 0);
  if (wanted.is_ca) {
    add_extension(x509, &context, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(x509, &context, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    add_extension(x509, &context, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(x509, &context, NID_key_usage, "critical,digitalSignature");
    add_extension(x509, &context, NID_ext_key_usage,
                  std::string(oid_eku_gkmp()) + (wanted.for_commander ? ",emailProtection" : ""));
  }
  add_extension(x509, &context, NID_subject_key_identifier, "hash");
  if (has_key_id(issuer)) {
    add_extension(x509, &context, NID_authority_key_identifier, "keyid:always");
  }
  add_alternative_names(x509, wanted);
  if (wanted.permissions) add_permissions(x509, *wanted.permissions);
}

Result<void> check_template(const CertificateTemplate& wanted) {
  if (!wanted.is_ca && !ossl::is_host_name(wanted.name)) {
    return fail(kBadCertificate,
                "a host name is 1 to 64 letters, digits, dots, hyphens, underscores");
  }
  if (wanted.name.size() > ossl::kMaxCommonName ||
      ossl::plain_lower(as_bytes(wanted.name)).empty()) {
    return fail(kBadCertificate, "a name is 1 to 64 printable ASCII characters");
  }
  if (wanted.not_after < wanted.not_before) {
    return fail(kBadCertificate, "the validity ends before it begins");
  }
  // Above this not even one such extension fits into a certificate that we would read.
  if (wanted.permissions && wanted.permissions->size() > kMaxCertificateSize) {
    return fail(kBadCertificate, "the permission extension is too large");
  }
  return {};
}

void set_random_serial(X509* x509) {
  const ossl::BigNumber number(BN_new());
  require(number != nullptr);
  do {
    require(BN_rand(number.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1);
  } while (BN_is_zero(number.get()) == 1);
  require(BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x509)) != nullptr);
}

// `issuer` is null for a self-signed one.
Result<Certificate> make_certificate(const Certificate* issuer, const PrivateKey& issuer_key,
                                     const PublicKey& subject_key,
                                     const CertificateTemplate& wanted) {
  if (auto good = check_template(wanted); !good) return pass_on(good);
  const ossl::Time not_before = ossl::asn1_time(wanted.not_before);
  const ossl::Time not_after = ossl::asn1_time(wanted.not_after);
  if (not_before == nullptr || not_after == nullptr) {
    return fail(kBadCertificate, "a certificate cannot express this validity");
  }
  const ossl::X509Pointer x509(X509_new());
  require(x509 != nullptr && X509_set_version(x509.get(), X509_VERSION_3) == 1);
  set_random_serial(x509.get());
  // A host is named as it will be read: in lower case.
  const ossl::Name subject =
      ossl::common_name(wanted.is_ca ? wanted.name : ossl::plain_lower(as_bytes(wanted.name)));
  X509* const issuing = issuer == nullptr ? x509.get() : X509Access::get(*issuer);
  require(X509_set_subject_name(x509.get(), subject.get()) == 1);
  require(X509_set_issuer_name(x509.get(), X509_get_subject_name(issuing)) == 1);
  require(X509_set1_notBefore(x509.get(), not_before.get()) == 1);
  require(X509_set1_notAfter(x509.get(), not_after.get()) == 1);
  require(X509_set_pubkey(x509.get(), KeyAccess::get(subject_key)) == 1);
  add_extensions(x509.get(), issuing, wanted);
  if (X509_sign(x509.get(), KeyAccess::get(issuer_key),
                signing_digest(issuer_key.public_key().type())) <= 0) {
    return ossl::fail_with_reason(kLibrary, "cannot sign the certificate");
  }
  ERR_clear_error();
  return Certificate::from_der(ossl::encoded(i2d_X509, x509.get()));
}

Result<void> check_issuer(const Certificate& issuer, const PrivateKey& issuer_key) {
  if (!issuer.is_ca()) return fail(kKeyUnsuitable, "the issuer's certificate is not that of a CA");
  if (issuer.public_key() != issuer_key.public_key()) {
    return fail(kKeyUnsuitable, "the key does not belong to the issuer's certificate");
  }
  return {};
}

Result<void> add_entry(X509_CRL* crl, const RevokedEntry& entry) {
  const auto octets = from_hex(entry.serial);
  if (!octets || octets->empty() || octets->size() > ossl::kMaxSerialSize) {
    return fail(kBadCrl, "not a serial number: " + entry.serial);
  }
  const ossl::BigNumber number(
      BN_bin2bn(octets->data(), static_cast<int>(octets->size()), nullptr));
  require(number != nullptr);
  const ossl::Integer serial(BN_to_ASN1_INTEGER(number.get(), nullptr));
  const ossl::Time date = ossl::asn1_time(entry.revoked_at);
  if (!ossl::is_usable_serial(serial.get()) || date == nullptr) {
    return fail(kBadCrl, "a list cannot express this entry: " + entry.serial);
  }
  std::unique_ptr<X509_REVOKED, ossl::Freer<X509_REVOKED_free>> revoked(X509_REVOKED_new());
  require(revoked != nullptr);
  require(X509_REVOKED_set_serialNumber(revoked.get(), serial.get()) == 1);
  require(X509_REVOKED_set_revocationDate(revoked.get(), date.get()) == 1);
  require(X509_CRL_add0_revoked(crl, revoked.release()) == 1);
  return {};
}

void add_list_extensions(X509_CRL* crl, X509* issuer, std::uint64_t number) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, nullptr, nullptr, crl, 0);
  if (has_key_id(issuer)) {
    const ossl::Extension key_id(
        X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"));
    require(key_id != nullptr && X509_CRL_add_ext(crl, key_id.get(), -1) == 1);
  }
  const ossl::Integer value(ASN1_INTEGER_new());
  require(value != nullptr && ASN1_INTEGER_set_uint64(value.get(), number) == 1);
  require(X509_CRL_add1_ext_i2d(crl, NID_crl_number, value.get(), 0, X509V3_ADD_APPEND) == 1);
}

}  // namespace

Result<Certificate> make_root(const PrivateKey& key, const CertificateTemplate& wanted) {
  CertificateTemplate root = wanted;
  root.is_ca = true;
  return make_certificate(nullptr, key, key.public_key(), root);
}

Result<Certificate> issue_certificate(const Certificate& issuer, const PrivateKey& issuer_key,
                                      const PublicKey& subject_key,
                                      const CertificateTemplate& wanted) {
  if (auto good = check_issuer(issuer, issuer_key); !good) return pass_on(good);
  return make_certificate(&issuer, issuer_key, subject_key, wanted);
}

Result<Crl> make_crl(const Certificate& issuer, const PrivateKey& issuer_key, std::uint64_t number,
                     WallTime this_update, WallTime next_update,
                     const std::vector<RevokedEntry>& revoked) {
  if (auto good = check_issuer(issuer, issuer_key); !good) return pass_on(good);
  const ossl::Time last = ossl::asn1_time(this_update);
  const ossl::Time next = ossl::asn1_time(next_update);
  if (last == nullptr || next == nullptr || next_update <= this_update) {
    return fail(kBadCrl, "nextUpdate must be behind thisUpdate, both within four-digit years");
  }
  const ossl::CrlPointer crl(X509_CRL_new());
  require(crl != nullptr && X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2) == 1);
  X509* const issuing = X509Access::get(issuer);
  require(X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(issuing)) == 1);
  require(X509_CRL_set1_lastUpdate(crl.get(), last.get()) == 1);
  require(X509_CRL_set1_nextUpdate(crl.get(), next.get()) == 1);
  for (const RevokedEntry& entry : revoked) {
    if (auto added = add_entry(crl.get(), entry); !added) return pass_on(added);
  }
  require(X509_CRL_sort(crl.get()) == 1);
  add_list_extensions(crl.get(), issuing, number);
  if (X509_CRL_sign(crl.get(), KeyAccess::get(issuer_key),
                    signing_digest(issuer_key.public_key().type())) <= 0) {
    return ossl::fail_with_reason(kLibrary, "cannot sign the list");
  }
  ERR_clear_error();
  return Crl::from_der(ossl::encoded(i2d_X509_CRL, crl.get()));
}

}  // namespace gkmpd::crypto
