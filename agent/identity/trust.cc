#include "agent/identity/trust.h"

#include <algorithm>
#include <utility>

#include "agent/crypto/errors.h"
#include "agent/crypto/hash.h"
#include "agent/identity/errors.h"

namespace gkmpd::identity {
namespace {

tl::unexpected<Error> not_a_host(const std::string& why) {
  return fail(kNotAHostCertificate, why +
                                        "; have the security manager issue the certificate "
                                        "(gkmpctl pki issue)");
}

/// Form of a host's certificate (profile P5) and its permissions.
Result<Permissions> check_form(const crypto::Certificate& leaf) {
  if (!is_valid_name(leaf.name())) {
    return not_a_host(
        "the certificate names no host: it must have one dNSName, or one CN, of at "
        "most 64 of a-z 0-9 . - _");
  }
  const std::string of = "the certificate of \"" + leaf.name() + "\" ";
  if (leaf.is_ca()) return not_a_host(of + "is that of an issuer, not of a host");
  if (!leaf.may_sign()) return not_a_host(of + "may not sign (keyUsage lacks digitalSignature)");
  if (!leaf.has_extended_usage(crypto::oid_eku_gkmp())) {
    return not_a_host(of + "lacks the extended key usage of GKMP hosts");
  }
  const auto extension = leaf.extension(crypto::oid_permissions());
  if (!extension) return not_a_host(of + "lacks the permission extension");
  if (extension->critical) {
    return not_a_host(of + "has a critical permission extension, which must not be critical");
  }
  return decode_permissions(extension->value);
}

/// The permissions an issuer may hand on; none for an anchor that grants all.
Result<std::optional<Permissions>> grants_of(const crypto::Certificate& issuer, bool is_anchor) {
  const auto extension = issuer.extension(crypto::oid_permissions());
  if (!extension) {
    if (is_anchor) return std::nullopt;
    return fail(kExceedsIssuer, "the issuing certificate \"" + issuer.name() +
                                    "\" has no permissions to hand on; have it issued with some");
  }
  auto permissions = decode_permissions(extension->value);
  if (!permissions) return pass_on(permissions);
  return std::move(*permissions);
}

/// Each element's permissions within its issuer's (profile P5, S29), from the leaf upwards.
Result<void> check_grants(const std::vector<crypto::Certificate>& chain,
                          const Permissions& leaf_permissions) {
  Permissions inner = leaf_permissions;
  for (std::size_t i = 1; i < chain.size(); ++i) {
    auto outer = grants_of(chain[i], i + 1 == chain.size());
    if (!outer) return pass_on(outer);
    if (!*outer) return {};
    if (auto within = check_within(inner, **outer); !within) return within;
    inner = std::move(**outer);
  }
  return {};
}

/// A chain that is valid at `now`, or would be on a clock that is wrong by kClockSkew.
Result<std::vector<crypto::Certificate>> chain_of(
    const crypto::Certificate& leaf, const std::vector<crypto::Certificate>& intermediates,
    const crypto::Certificate& anchor, WallTime now) {
  if (intermediates.size() + 1 > kMaxChain) {
    return fail(crypto::kChainInvalid, "a chain may have " + std::to_string(kMaxChain) +
                                           " certificates below the anchor, this one has " +
                                           std::to_string(intermediates.size() + 1));
  }
  auto chain = crypto::build_chain(leaf, intermediates, {anchor}, now);
  for (const WallTime forgiven : {now - kClockSkew, now + kClockSkew}) {
    if (chain || !(chain.error().kind == crypto::kChainExpired)) return chain;
    auto again = crypto::build_chain(leaf, intermediates, {anchor}, forgiven);
    if (again) return again;
  }
  return chain;
}

Digest hash_of(std::string_view label, const Digest& anchor_key_hash, std::string_view name) {
  return crypto::sha256({as_bytes(label), anchor_key_hash, as_bytes(name)});
}

}  // namespace

NameHash name_hash(const Digest& anchor_key_hash, std::string_view host_name) {
  return hash_of("GKMP/1 host", anchor_key_hash, host_name);
}

GroupId group_id(const Digest& anchor_key_hash, std::string_view group_name) {
  const Digest digest = hash_of("GKMP/1 group", anchor_key_hash, group_name);
  GroupId id{};
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

TrustStore::TrustStore(crypto::Certificate anchor) : anchor_(std::move(anchor)) {}

Result<TrustStore> TrustStore::make(crypto::Certificate anchor) {
  if (!anchor.is_ca() || !anchor.is_self_signed()) {
    return fail(kBadAnchor,
                "the anchor is not a self-signed CA certificate; give the security manager's own "
                "(anchor.pem of gkmpctl pki init)");
  }
  if (auto grants = grants_of(anchor, true); !grants) {
    return fail(kBadAnchor, grants.error().detail);
  }
  return TrustStore(std::move(anchor));
}

Result<crypto::Certificate> TrustStore::issuer_of(const crypto::Crl& crl,
                                                  const std::vector<crypto::Certificate>& sub_cas,
                                                  WallTime now) const {
  if (crl.issued_by(anchor_)) return anchor_;
  for (const crypto::Certificate& candidate : sub_cas) {
    if (!candidate.is_ca() || !crl.issued_by(candidate)) continue;
    auto chain = chain_of(candidate, sub_cas, anchor_, now);
    if (chain && check_revocation(*chain)) return candidate;
  }
  return fail(kCrlUntrusted,
              "the revocation list is not signed by the security manager of this host's anchor; "
              "fetch the list again, or correct [identity] anchor");
}

Result<TrustStore::CrlAccepted> TrustStore::accept_crl(
    crypto::Crl crl, WallTime now, const std::vector<crypto::Certificate>& sub_cas) {
  auto issuer = issuer_of(crl, sub_cas, now);
  if (!issuer) return pass_on(issuer);
  if (crl.this_update() > now + kClockSkew) {
    return fail(kCrlFromFuture,
                "the revocation list's thisUpdate is yet to come; set this host's clock, or that "
                "of the security manager");
  }
  const Digest key_hash = issuer->public_key().fingerprint();
  const auto found = crls_.find(key_hash);
  if (found == crls_.end()) {
    crls_.emplace(key_hash, std::move(crl));
    return CrlAccepted{.changed = true, .replaced_same_number = false};
  }
  const crypto::Crl& held = found->second;
  if (equal(crl.der(), held.der())) return CrlAccepted{};
  if (crl.number() < held.number()) {
    return fail(kCrlStale, "the revocation list is number " + std::to_string(crl.number()) +
                               ", and number " + std::to_string(held.number()) +
                               " is held; fetch the newest");
  }
  const bool same_number = crl.number() == held.number();
  if (same_number && crl.this_update() <= held.this_update()) {
    return fail(kCrlConflict, "two different revocation lists bear number " +
                                  std::to_string(crl.number()) +
                                  "; ask the security manager which is right, and for a list with "
                                  "a higher number");
  }
  found->second = std::move(crl);
  return CrlAccepted{.changed = true, .replaced_same_number = same_number};
}

std::vector<CrlVersion> TrustStore::crl_versions() const {
  std::vector<CrlVersion> versions;
  for (const auto& [key_hash, crl] : crls_) versions.push_back({key_hash, crl.number()});
  return versions;
}

const crypto::Crl* TrustStore::crl() const {
  const auto found = crls_.find(anchor_key_hash());
  return found == crls_.end() ? nullptr : &found->second;
}

Result<void> TrustStore::check_revocation(const std::vector<crypto::Certificate>& chain) const {
  for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
    const auto found = crls_.find(chain[i + 1].public_key().fingerprint());
    if (found == crls_.end()) {
      return fail(kNoCrl, "no revocation list of \"" + chain[i + 1].name() +
                              "\" is held; give its newest list (gkmpctl pki crl)");
    }
    if (found->second.revokes(chain[i])) {
      return fail(kRevoked, "the certificate of \"" + chain[i].name() + "\", serial " +
                                chain[i].serial() + ", is revoked by list number " +
                                std::to_string(found->second.number()) + "; have a new one issued");
    }
  }
  return {};
}

Result<Host> TrustStore::check_host(const crypto::Certificate& leaf,
                                    const std::vector<crypto::Certificate>& intermediates,
                                    WallTime now) const {
  auto permissions = check_form(leaf);
  if (!permissions) return pass_on(permissions);
  auto chain = chain_of(leaf, intermediates, anchor_, now);
  if (!chain) return pass_on(chain);
  if (auto live = check_revocation(*chain); !live) return pass_on(live);
  if (auto granted = check_grants(*chain, *permissions); !granted) return pass_on(granted);
  return Host{leaf.name(), name_hash(anchor_key_hash(), leaf.name()), leaf, std::move(*permissions),
              intermediates};
}

}  // namespace gkmpd::identity
