// A small security manager for tests.
#pragma once

#include <string>
#include <vector>

#include "agent/crypto/x509.h"

namespace gkmpd::crypto {

/// 2026-03-01T00:00:00Z: all tests happen then.
inline const WallTime kToday = from_unix(1772323200);
inline constexpr std::chrono::days kYear{365};

inline CertificateTemplate host_template(const std::string& name) {
  CertificateTemplate wanted;
  wanted.name = name;
  wanted.not_before = kToday - std::chrono::days(1);
  wanted.not_after = kToday + kYear;
  return wanted;
}

inline CertificateTemplate ca_template(const std::string& name) {
  CertificateTemplate wanted = host_template(name);
  wanted.is_ca = true;
  return wanted;
}

/// A certificate with its key; `value()` throws where a test's premise fails.
struct Holder {
  PrivateKey key;
  Certificate certificate;

  static Holder root(KeyType type = KeyType::kEcdsaP256, const std::string& name = "Test Root") {
    PrivateKey key = PrivateKey::generate(type).value();
    Certificate certificate = make_root(key, ca_template(name)).value();
    return {std::move(key), std::move(certificate)};
  }

  [[nodiscard]] Holder issue(const CertificateTemplate& wanted,
                             KeyType type = KeyType::kEcdsaP256) const {
    PrivateKey subject = PrivateKey::generate(type).value();
    Certificate issued = issue_certificate(certificate, key, subject.public_key(), wanted).value();
    return {std::move(subject), std::move(issued)};
  }

  [[nodiscard]] Crl crl(std::uint64_t number, const std::vector<RevokedEntry>& revoked) const {
    return make_crl(certificate, key, number, kToday, kToday + std::chrono::days(30), revoked)
        .value();
  }
};

}  // namespace gkmpd::crypto
