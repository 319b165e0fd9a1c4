// X.509 certificates, requests and revocation lists. Knows extensions as octets; what ours means is
// the business of identity.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/address.h"
#include "agent/base/bytes.h"
#include "agent/base/error.h"
#include "agent/base/time.h"
#include "agent/crypto/signature.h"

struct x509_st;
struct X509_crl_st;

namespace gkmpd::crypto {

inline constexpr std::size_t kMaxCertificateSize = std::size_t{8} * 1024;
inline constexpr std::size_t kMaxCrlSize = std::size_t{16} * 1024 * 1024;

/// Object identifiers of the project, under one 2.25.UUID arc (written in docs/PROTOCOL.md).
/// Dotted text.
[[nodiscard]] std::string_view oid_permissions();  // certificate extension
[[nodiscard]] std::string_view oid_eku_gkmp();     // extended key usage of every GKMP host
[[nodiscard]] std::string_view oid_group_token();  // CMS eContentType of a group token
[[nodiscard]] std::string_view oid_command();      // CMS eContentType of a commander's order

class Certificate {
 public:
  /// Exactly one certificate; octets behind it are an error. `crypto.bad-certificate` also for
  /// anything that is not DER or not X.509 version 3, for keys that are none of KeyType and for
  /// signatures otherwise than with ECDSA and SHA-2 or with Ed25519.
  [[nodiscard]] static Result<Certificate> from_der(ByteView der);
  /// The first certificate of a PEM text.
  [[nodiscard]] static Result<Certificate> from_pem(std::string_view pem);
  /// All certificates of a PEM text, in order; at least one.
  [[nodiscard]] static Result<std::vector<Certificate>> all_from_pem(std::string_view pem);
  [[nodiscard]] std::string to_pem() const;

  [[nodiscard]] const Bytes& der() const { return der_; }
  [[nodiscard]] const PublicKey& public_key() const { return public_key_; }
  /// The host's name: its only dNSName SAN, else its only CN, lower case (design 9). Empty if it
  /// has neither, or several dNSNames.
  [[nodiscard]] const std::string& name() const { return name_; }
  /// iPAddress SANs.
  [[nodiscard]] const std::vector<IpAddress>& addresses() const { return addresses_; }
  /// Serial number as upper-case hexadecimal, as `openssl x509 -serial` prints it.
  [[nodiscard]] const std::string& serial() const { return serial_; }
  [[nodiscard]] WallTime not_before() const { return not_before_; }
  [[nodiscard]] WallTime not_after() const { return not_after_; }
  [[nodiscard]] bool is_ca() const { return is_ca_; }
  /// True if keyUsage is absent or has digitalSignature.
  [[nodiscard]] bool may_sign() const { return may_sign_; }
  /// True if the extended key usage names `oid`. Absence of the extension is "no".
  [[nodiscard]] bool has_extended_usage(std::string_view oid) const;
  /// The octets of extension `oid` and whether it is critical.
  struct Extension {
    Bytes value;
    bool critical = false;
  };
  [[nodiscard]] std::optional<Extension> extension(std::string_view oid) const;
  /// True if both were issued by the same name (raw issuer compared).
  [[nodiscard]] bool is_self_signed() const { return self_signed_; }

 private:
  friend struct X509Access;
  Certificate() = default;

  std::shared_ptr<x509_st> x509_;
  Bytes der_;
  PublicKey public_key_;
  std::string name_;
  std::vector<IpAddress> addresses_;
  std::string serial_;
  WallTime not_before_{};
  WallTime not_after_{};
  bool is_ca_ = false;
  bool may_sign_ = false;
  bool self_signed_ = false;
};

/// A serial number as a CRL is searched by: 20 octets, right-aligned.
using SerialKey = ByteArray<20>;

/// A full-scope revocation list (profile P7): delta, indirect, and reason- or type-limited lists
/// are refused when read, as is one without CRLNumber.
class Crl {
 public:
  /// DER, exactly. `crypto.bad-crl`; `crypto.crl-scope` for a delta list, any
  /// issuingDistributionPoint, an entry of another issuer, an unknown critical extension.
  [[nodiscard]] static Result<Crl> from_der(ByteView der);
  [[nodiscard]] static Result<Crl> from_pem(std::string_view pem);
  [[nodiscard]] std::string to_pem() const;

  [[nodiscard]] const Bytes& der() const { return der_; }
  /// CRLNumber; larger than 64 bits is refused when read.
  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] WallTime this_update() const { return this_update_; }
  [[nodiscard]] std::optional<WallTime> next_update() const { return next_update_; }
  /// True if `certificate` is of this list's issuer and its serial number is listed (an entry
  /// "removeFromCRL" does not count).
  [[nodiscard]] bool revokes(const Certificate& certificate) const;
  /// True if `issuer` has this list's issuer name, may sign lists, and its key verifies it.
  [[nodiscard]] bool issued_by(const Certificate& issuer) const;
  [[nodiscard]] std::size_t entry_count() const { return entry_count_; }

 private:
  friend struct X509Access;
  Crl() = default;

  std::shared_ptr<X509_crl_st> crl_;
  /// Sorted. OpenSSL's own look-up sorts behind a lock and stops at the first of two entries.
  std::shared_ptr<const std::vector<SerialKey>> revoked_;
  Bytes der_;
  std::uint64_t number_ = 0;
  WallTime this_update_{};
  std::optional<WallTime> next_update_;
  std::size_t entry_count_ = 0;
};

/// The path from `leaf` to one of `anchors`, leaf first, anchor last, found and verified by OpenSSL
/// at time `at` (signatures, validity, CA flags, path length; no revocation, see identity). At most
/// four certificates between the two; at notAfter itself a certificate has expired. Errors:
/// `crypto.chain-untrusted` (no way to an anchor), `crypto.chain-expired` (or not valid yet),
/// `crypto.chain-invalid` (all else).
[[nodiscard]] Result<std::vector<Certificate>> build_chain(
    const Certificate& leaf, const std::vector<Certificate>& intermediates,
    const std::vector<Certificate>& anchors, WallTime at);

/// What the security manager writes into a certificate. `crypto.bad-certificate` for a name or a
/// validity that does not fit.
struct CertificateTemplate {
  std::string name;                  // CN, and dNSName SAN (lower case) unless this is a CA
  std::vector<IpAddress> addresses;  // iPAddress SANs
  WallTime not_before;
  WallTime not_after;
  bool is_ca = false;
  bool for_commander = false;        // adds emailProtection beside our EKU (profile K11)
  std::optional<Bytes> permissions;  // DER of the permission extension, non-critical
};

/// A PKCS #10 request; its signature is verified when read.
class CertificateRequest {
 public:
  /// `name` is 1 to 64 letters, digits, dots, hyphens, underscores; `crypto.bad-request`.
  [[nodiscard]] static Result<CertificateRequest> make(const PrivateKey& key,
                                                       const std::string& name);
  /// Exactly one request; `crypto.bad-request`, also if its signature does not hold.
  [[nodiscard]] static Result<CertificateRequest> from_der(ByteView der);
  [[nodiscard]] static Result<CertificateRequest> from_pem(std::string_view pem);
  [[nodiscard]] std::string to_pem() const;
  [[nodiscard]] const Bytes& der() const { return der_; }
  [[nodiscard]] const PublicKey& public_key() const { return public_key_; }
  /// The only CN asked for, lower case; empty if there is none or several.
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  friend struct X509Access;
  CertificateRequest() = default;

  Bytes der_;
  PublicKey public_key_;
  std::string name_;
};

/// A self-signed CA certificate (the security manager's).
[[nodiscard]] Result<Certificate> make_root(const PrivateKey& key,
                                            const CertificateTemplate& wanted);

/// A certificate for `subject_key` issued by `issuer`, whose key is `issuer_key` (else
/// `crypto.key-unsuitable`). A random serial of 128 bits, from OpenSSL's generator.
[[nodiscard]] Result<Certificate> issue_certificate(const Certificate& issuer,
                                                    const PrivateKey& issuer_key,
                                                    const PublicKey& subject_key,
                                                    const CertificateTemplate& wanted);

struct RevokedEntry {
  std::string serial;  // hexadecimal, as Certificate::serial()
  WallTime revoked_at;
};

/// A full revocation list, signed. `crypto.key-unsuitable` as above, `crypto.bad-crl` for entries
/// or times that do not fit.
[[nodiscard]] Result<Crl> make_crl(const Certificate& issuer, const PrivateKey& issuer_key,
                                   std::uint64_t number, WallTime this_update, WallTime next_update,
                                   const std::vector<RevokedEntry>& revoked);

}  // namespace gkmpd::crypto
