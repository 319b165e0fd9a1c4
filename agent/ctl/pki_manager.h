// The security manager (RFC 2094 3.1.1) in a directory: anchor.pem, anchor.key, crl.pem and the
// record of issue. Times are arguments; the commands give the clock's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/base/address.h"
#include "agent/crypto/x509.h"
#include "agent/ctl/pki_files.h"
#include "agent/ctl/pki_record.h"
#include "agent/identity/permissions.h"

namespace gkmpd::ctl {

inline constexpr ErrorKind kNotConfirmed{"pki.not-confirmed"};
inline constexpr ErrorKind kBadRequestName{"pki.bad-name"};
inline constexpr ErrorKind kBadPermissionsAsked{"pki.bad-permissions"};
inline constexpr ErrorKind kNotIssuedHere{"pki.not-issued-here"};
inline constexpr ErrorKind kAlreadyRevoked{"pki.already-revoked"};
inline constexpr ErrorKind kTooLong{"pki.validity-too-long"};

inline constexpr unsigned kDefaultAnchorDays = 3650;
inline constexpr unsigned kDefaultHostDays = 365;
inline constexpr unsigned kDefaultListDays = 30;
inline constexpr unsigned kMaxDays = 36500;

/// How an operator names a request: SHA-256 of its DER, lower-case hexadecimal.
[[nodiscard]] std::string fingerprint_of(const crypto::CertificateRequest& request);

struct IssueOrder {
  std::string request_pem;
  std::string confirmed_fingerprint;  // any case, colons and spaces ignored
  identity::Permissions permissions;
  std::vector<IpAddress> addresses;
  unsigned days = kDefaultHostDays;
};

class SecurityManager {
 public:
  /// Makes the directory's files, with a first, empty list. With Overwrite::kAllowed an older
  /// security manager there is lost, record included.
  [[nodiscard]] static Result<SecurityManager> make(const std::string& directory,
                                                    const std::string& name, crypto::KeyType type,
                                                    unsigned days, Overwrite overwrite,
                                                    WallTime now);
  /// Opens it and keeps other programs away until this object goes.
  [[nodiscard]] static Result<SecurityManager> open(const std::string& directory);

  [[nodiscard]] const crypto::Certificate& anchor() const { return anchor_; }

  /// Issues against a confirmed fingerprint (profile R3). The record has it before it is returned.
  /// `pki.not-confirmed`, `pki.bad-name`, `pki.bad-permissions`, `pki.validity-too-long`.
  [[nodiscard]] Result<crypto::Certificate> issue(const IssueOrder& order, WallTime now);

  /// Revokes a certificate of the record by serial number (hexadecimal in either case, colons
  /// ignored) and makes a new list. `pki.not-issued-here`, `pki.already-revoked`.
  [[nodiscard]] Result<crypto::Crl> revoke(const std::string& serial, WallTime now);

  /// A list of the next number, written to crl.pem.
  [[nodiscard]] Result<crypto::Crl> make_list(unsigned days, WallTime now);

 private:
  SecurityManager(std::string directory, DirectoryLock lock, crypto::Certificate anchor,
                  crypto::PrivateKey key, Record record);

  std::string directory_;
  DirectoryLock lock_;
  crypto::Certificate anchor_;
  crypto::PrivateKey key_;
  Record record_;
};

}  // namespace gkmpd::ctl
