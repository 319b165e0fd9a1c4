// A host's, or a commander's, certificate, key, anchor and revocation list, from their files.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "agent/crypto/signature.h"
#include "agent/crypto/x509.h"
#include "agent/daemon/config.h"
#include "agent/identity/trust.h"

namespace gkmpd::daemon {

inline constexpr std::size_t kMaxCertificateFile = 64 * 1024;
inline constexpr std::size_t kMaxCrlFile = 2 * crypto::kMaxCrlSize;

// One file each; the detail of every error names it.

/// Of PEM, leaf first.
[[nodiscard]] Result<std::vector<crypto::Certificate>> load_certificates(
    const std::filesystem::path& file);
[[nodiscard]] Result<crypto::PrivateKey> load_key(const std::filesystem::path& file);
/// Without a list yet.
[[nodiscard]] Result<identity::TrustStore> load_anchor(const std::filesystem::path& file);
[[nodiscard]] Result<crypto::Crl> load_crl(const std::filesystem::path& file);

struct Credentials {
  identity::TrustStore trust;  // without a list yet: see take_crls
  crypto::Certificate certificate;
  std::vector<crypto::Certificate> intermediates;
  crypto::PrivateKey key;
  crypto::Crl crl;  // of the file
};

/// Reads the four files of [identity]; the key must be the certificate's
/// (`daemon.key-mismatch`). The detail of every error names the file.
[[nodiscard]] Result<Credentials> load_credentials(const Config& config);

/// What came of bringing the file's list and the one in the store together.
struct CrlOutcome {
  /// To be written to the store: what is held now is not what is there.
  bool save = false;
  /// Why the file's list was refused, if the newer one of the store serves instead.
  std::optional<Error> rolled_back;
  /// The security manager has issued two lists with one number.
  bool replaced_same_number = false;
};

/// Gives `trust` the stored list, if there is one, and then the file's, so that the trust store's
/// own rules decide between them: a file that is older than what this host has seen is refused
/// (`daemon.crl-rolled-back` in the outcome; profile S20) and the stored list serves.
[[nodiscard]] Result<CrlOutcome> take_crls(identity::TrustStore& trust,
                                           const std::optional<crypto::Crl>& stored,
                                           const crypto::Crl& file, WallTime now);

/// `system`, or the floor if the system's clock is below it (profile S27).
[[nodiscard]] WallTime trusted_wall(WallTime system, std::optional<WallTime> floor);
/// False if the system's clock is further below the floor than clock error explains.
[[nodiscard]] bool is_clock_trusted(WallTime system, std::optional<WallTime> floor);

}  // namespace gkmpd::daemon
