// Who is who: certificates of one security manager, checked against its revocation list.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/ids.h"
#include "agent/crypto/x509.h"
#include "agent/identity/permissions.h"

namespace gkmpd::identity {

/// Clock error that validity checks forgive (profile S27).
inline constexpr seconds kClockSkew{300};

/// Certificates of a chain travel leaf first, anchor left out; at most this many.
inline constexpr std::size_t kMaxChain = 4;

/// SHA-256("GKMP/1 host" | anchor key hash | name).
[[nodiscard]] NameHash name_hash(const Digest& anchor_key_hash, std::string_view host_name);
/// First 16 octets of SHA-256("GKMP/1 group" | anchor key hash | name) (profile P1).
[[nodiscard]] GroupId group_id(const Digest& anchor_key_hash, std::string_view group_name);

/// A host whose certificate has passed every check of TrustStore::check_host.
struct Host {
  std::string name;
  NameHash hash{};
  crypto::Certificate certificate;
  Permissions permissions;
  std::vector<crypto::Certificate> intermediates = {};  // as they came with it
};

/// The number of each issuer's list that a host holds: CRL version of RFC 2093.
struct CrlVersion {
  Digest issuer_key_hash{};
  std::uint64_t number = 0;
  friend bool operator==(const CrlVersion&, const CrlVersion&) = default;
};

/// One security manager's anchor with the newest revocation list held. (Lists of sub-CAs are keyed
/// by their issuer.)
class TrustStore {
 public:
  /// The anchor is a self-signed CA certificate; `identity.bad-anchor` otherwise.
  [[nodiscard]] static Result<TrustStore> make(crypto::Certificate anchor);

  [[nodiscard]] const crypto::Certificate& anchor() const { return anchor_; }
  [[nodiscard]] const Digest& anchor_key_hash() const { return anchor_.public_key().fingerprint(); }

  /// Takes a list (profile P7): issued by the anchor, or by one of `sub_cas` that chains to it and
  /// is not revoked; thisUpdate not in the future (skew forgiven); number above the one held of
  /// that issuer. The same number with other content is taken only with a later thisUpdate, and
  /// `replaced_same_number` says so for the alarm. Errors: `identity.crl-untrusted`,
  /// `identity.crl-from-future`, `identity.crl-stale`, `identity.crl-conflict`. The very list held
  /// already is accepted and changes nothing.
  struct CrlAccepted {
    bool changed = false;
    bool replaced_same_number = false;
  };
  [[nodiscard]] Result<CrlAccepted> accept_crl(
      crypto::Crl crl, WallTime now, const std::vector<crypto::Certificate>& sub_cas = {});

  /// Versions held, by issuer key hash in ascending order. Empty if no list is held.
  [[nodiscard]] std::vector<CrlVersion> crl_versions() const;
  /// The anchor's own list, if one is held.
  [[nodiscard]] const crypto::Crl* crl() const;

  /// In order: form (leaf is no CA, may sign, has a name, our extended key usage, a permission
  /// extension that is non-critical and well formed: profile P5), chain to the anchor valid at
  /// `now` (skew forgiven), a revocation list of each issuer held and nothing in the chain on it,
  /// permissions within each issuer's
  /// (an anchor without the extension grants all). Errors: `identity.not-a-host-certificate`,
  /// `crypto.chain-*`, `identity.no-crl`, `identity.revoked`, `identity.exceeds-issuer`,
  /// `identity.bad-permissions`. An expired list still serves (readings: a group goes on).
  [[nodiscard]] Result<Host> check_host(const crypto::Certificate& leaf,
                                        const std::vector<crypto::Certificate>& intermediates,
                                        WallTime now) const;

 private:
  explicit TrustStore(crypto::Certificate anchor);
  [[nodiscard]] Result<crypto::Certificate> issuer_of(
      const crypto::Crl& crl, const std::vector<crypto::Certificate>& sub_cas, WallTime now) const;
  [[nodiscard]] Result<void> check_revocation(const std::vector<crypto::Certificate>& chain) const;

  crypto::Certificate anchor_;
  std::map<Digest, crypto::Crl> crls_;  // by the issuer's key hash
};

}  // namespace gkmpd::identity
