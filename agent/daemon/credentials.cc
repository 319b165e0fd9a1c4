#include "agent/daemon/credentials.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/daemon/errors.h"
#include "agent/daemon/files.h"
#include "agent/identity/errors.h"

namespace gkmpd::daemon {
namespace {

/// An error about the content of `file` says so.
Error in_file(const std::filesystem::path& file, Error error) {
  error.detail = fmt::format("{}: {}", file.string(), error.detail);
  return error;
}

template <typename T>
Result<T> named(const std::filesystem::path& file, Result<T> result) {
  if (!result) return tl::unexpected(in_file(file, std::move(result).error()));
  return result;
}

}  // namespace

Result<std::vector<crypto::Certificate>> load_certificates(const std::filesystem::path& file) {
  auto text = read_text_file(file, kMaxCertificateFile);
  if (!text) return pass_on(text);
  return named(file, crypto::Certificate::all_from_pem(*text));
}

Result<crypto::PrivateKey> load_key(const std::filesystem::path& file) {
  auto pem = read_key_file(file);
  if (!pem) return pass_on(pem);
  return named(file, crypto::PrivateKey::from_pem(*pem));
}

Result<identity::TrustStore> load_anchor(const std::filesystem::path& file) {
  auto text = read_text_file(file, kMaxCertificateFile);
  if (!text) return pass_on(text);
  auto anchor = named(file, crypto::Certificate::from_pem(*text));
  if (!anchor) return pass_on(anchor);
  return named(file, identity::TrustStore::make(*std::move(anchor)));
}

Result<crypto::Crl> load_crl(const std::filesystem::path& file) {
  auto text = read_text_file(file, kMaxCrlFile);
  if (!text) return pass_on(text);
  return named(file, crypto::Crl::from_pem(*text));
}

Result<Credentials> load_credentials(const Config& config) {
  auto trust = load_anchor(config.anchor);
  if (!trust) return pass_on(trust);
  auto certificates = load_certificates(config.certificate);
  if (!certificates) return pass_on(certificates);
  auto key = load_key(config.key);
  if (!key) return pass_on(key);
  if (!(key->public_key() == certificates->front().public_key())) {
    return fail(kKeyMismatch, fmt::format("{} is not the key of the first certificate in {}",
                                          config.key.string(), config.certificate.string()));
  }
  auto crl = load_crl(config.crl);
  if (!crl) return pass_on(crl);
  crypto::Certificate leaf = certificates->front();
  certificates->erase(certificates->begin());
  // The anchor in the file is harmless, but does not travel.
  std::erase_if(*certificates, [&](const auto& c) { return c.der() == trust->anchor().der(); });
  return Credentials{*std::move(trust), std::move(leaf), *std::move(certificates), *std::move(key),
                     *std::move(crl)};
}

Result<CrlOutcome> take_crls(identity::TrustStore& trust, const std::optional<crypto::Crl>& stored,
                             const crypto::Crl& file, WallTime now) {
  CrlOutcome outcome;
  if (stored) {
    auto accepted = trust.accept_crl(*stored, now);
    if (!accepted) return pass_on(accepted);
  }
  auto accepted = trust.accept_crl(file, now);
  if (accepted) {
    outcome.save = accepted->changed;
    outcome.replaced_same_number = accepted->replaced_same_number;
    return outcome;
  }
  const ErrorKind why = accepted.error().kind;
  if (!stored || (why != identity::kCrlStale && why != identity::kCrlConflict)) {
    return pass_on(accepted);
  }
  outcome.rolled_back =
      Error{kCrlRolledBack,
            fmt::format("the file holds list {}, this host has seen {}, which serves instead; put "
                        "the security manager's newest list there ({})",
                        file.number(), stored->number(), accepted.error().text())};
  return outcome;
}

WallTime trusted_wall(WallTime system, std::optional<WallTime> floor) {
  return floor ? std::max(system, *floor) : system;
}

bool is_clock_trusted(WallTime system, std::optional<WallTime> floor) {
  return !floor || system + identity::kClockSkew >= *floor;
}

}  // namespace gkmpd::daemon
