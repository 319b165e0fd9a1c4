// A commander's files: its certificate and key, and what it checks others by.
#pragma once

#include <string>
#include <vector>

#include "agent/crypto/x509.h"
#include "agent/identity/trust.h"

namespace gkmpd::ctl {

inline constexpr ErrorKind kKeyDiffers{"token.key-differs"};

struct Signer {
  crypto::Certificate certificate;
  crypto::PrivateKey key;
  std::vector<crypto::Certificate> intermediates;
};

/// `token.key-differs` if the two do not belong together.
[[nodiscard]] Result<Signer> read_signer(const std::string& certificate, const std::string& key);

/// The security manager's certificate with its revocation list, as judged at `now`.
[[nodiscard]] Result<identity::TrustStore> read_trust(const std::string& anchor,
                                                      const std::string& crl, WallTime now);

}  // namespace gkmpd::ctl
