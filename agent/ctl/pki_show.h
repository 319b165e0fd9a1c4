// Certificates, requests, lists and permissions in words.
#pragma once

#include <string>

#include "agent/crypto/x509.h"
#include "agent/identity/permissions.h"

namespace gkmpd::ctl {

inline constexpr ErrorKind kUnknownFile{"pki.unknown-file"};

/// "2026-11-23T12:00:00Z".
[[nodiscard]] std::string to_text(WallTime time);
/// Lines "  level: 2" and so on.
[[nodiscard]] std::string to_text(const identity::Permissions& permissions);
[[nodiscard]] std::string to_text(const crypto::Certificate& certificate);
[[nodiscard]] std::string to_text(const crypto::CertificateRequest& request);
[[nodiscard]] std::string to_text(const crypto::Crl& list);

/// Any of the three, as its PEM says; `pki.unknown-file` otherwise.
[[nodiscard]] Result<std::string> describe(const std::string& pem);

}  // namespace gkmpd::ctl
