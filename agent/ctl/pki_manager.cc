#include "agent/ctl/pki_manager.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "agent/crypto/hash.h"
#include "agent/daemon/files.h"
#include "agent/identity/trust.h"

namespace gkmpd::ctl {
namespace {

constexpr std::size_t kMaxPem = 64 * 1024;
constexpr std::size_t kMaxRequestPem = 64 * 1024;

std::string anchor_path(const std::string& directory) { return directory + "/anchor.pem"; }
std::string key_path(const std::string& directory) { return directory + "/anchor.key"; }
std::string list_path(const std::string& directory) { return directory + "/crl.pem"; }
std::string record_path(const std::string& directory) { return directory + "/record.jsonl"; }

seconds days_long(unsigned days) { return std::chrono::days(days); }

/// Hexadecimal digits as people copy them: other case, colons and spaces between.
std::string plain_hex(const std::string& text, bool upper) {
  std::string digits;
  for (const char c : text) {
    if (c == ':' || c == ' ') continue;
    const auto octet = static_cast<unsigned char>(c);
    digits.push_back(static_cast<char>(upper ? std::toupper(octet) : std::tolower(octet)));
  }
  return digits;
}

Result<void> check_names(const crypto::CertificateRequest& request,
                         const identity::Permissions& permissions) {
  if (!identity::is_valid_name(request.name())) {
    return fail(kBadRequestName,
                "the request's CN is not a host's name (at most 64 of a-z 0-9 . - _); have it made "
                "again with gkmpctl pki csr");
  }
  if (permissions.roles.contains(identity::Role::kCommander) &&
      request.public_key().type() == crypto::KeyType::kEd25519) {
    return fail(kBadPermissionsAsked,
                "a commander signs tokens as CMS, which takes an ECDSA key; have the request made "
                "again with --key-type p256 or p384");
  }
  // What decode refuses would make a certificate that no host accepts.
  auto decoded = identity::decode_permissions(identity::encode_permissions(permissions));
  if (decoded) return {};
  return fail(
      kBadPermissionsAsked,
      decoded.error().detail + " (names are at most 64 of a-z 0-9 . - _; \"*\" stands alone)");
}

}  // namespace

std::string fingerprint_of(const crypto::CertificateRequest& request) {
  return to_hex(crypto::sha256({request.der()}));
}

SecurityManager::SecurityManager(std::string directory, DirectoryLock lock,
                                 crypto::Certificate anchor, crypto::PrivateKey key, Record record)
    : directory_(std::move(directory)),
      lock_(std::move(lock)),
      anchor_(std::move(anchor)),
      key_(std::move(key)),
      record_(std::move(record)) {}

Result<SecurityManager> SecurityManager::make(const std::string& directory, const std::string& name,
                                              crypto::KeyType type, unsigned days,
                                              Overwrite overwrite, WallTime now) {
  if (auto made = make_directory(directory); !made) return pass_on(made);
  for (const auto& path : {anchor_path(directory), key_path(directory), list_path(directory),
                           record_path(directory)}) {
    if (auto writable = check_writable(path, overwrite); !writable) return pass_on(writable);
  }
  auto key = crypto::PrivateKey::generate(type);
  if (!key) return pass_on(key);
  crypto::CertificateTemplate wanted;
  wanted.name = name;
  wanted.not_before = now - identity::kClockSkew;
  wanted.not_after = now + days_long(days);
  wanted.is_ca = true;
  auto anchor = crypto::make_root(*key, wanted);
  if (!anchor) return pass_on(anchor);

  auto wrote = write_private_file(key_path(directory), key->to_pem(), overwrite);
  if (wrote) wrote = write_file(anchor_path(directory), as_bytes(anchor->to_pem()), overwrite);
  if (wrote) wrote = write_private_file(record_path(directory), Secret(), overwrite);
  if (!wrote) return pass_on(wrote);
  auto manager = open(directory);
  if (!manager) return manager;
  if (auto list = manager->make_list(kDefaultListDays, now); !list) return pass_on(list);
  return manager;
}

Result<SecurityManager> SecurityManager::open(const std::string& directory) {
  auto lock = DirectoryLock::take(directory);
  if (!lock) return pass_on(lock);
  auto anchor_pem = daemon::read_text_file(anchor_path(directory), kMaxPem);
  if (!anchor_pem) return pass_on(anchor_pem);
  auto anchor = crypto::Certificate::from_pem(*anchor_pem);
  if (!anchor) return pass_on(anchor);
  auto key_pem = daemon::read_key_file(key_path(directory));
  if (!key_pem) return pass_on(key_pem);
  auto key = crypto::PrivateKey::from_pem(*key_pem);
  if (!key) return pass_on(key);
  auto record = Record::load(record_path(directory));
  if (!record) return pass_on(record);
  return SecurityManager(directory, std::move(*lock), std::move(*anchor), std::move(*key),
                         std::move(*record));
}

Result<crypto::Certificate> SecurityManager::issue(const IssueOrder& order, WallTime now) {
  if (order.request_pem.size() > kMaxRequestPem) return fail(kBadRequestName, "request too large");
  auto request = crypto::CertificateRequest::from_pem(order.request_pem);
  if (!request) return pass_on(request);
  const std::string fingerprint = fingerprint_of(*request);
  if (plain_hex(order.confirmed_fingerprint, false) != fingerprint) {
    return fail(kNotConfirmed,
                "the request's fingerprint is not the one given; ask the host's operator, over a "
                "way that nobody else can use, what gkmpctl pki csr printed there");
  }
  if (auto named = check_names(*request, order.permissions); !named) return pass_on(named);

  crypto::CertificateTemplate wanted;
  wanted.name = request->name();
  wanted.addresses = order.addresses;
  wanted.not_before = std::max(now - identity::kClockSkew, anchor_.not_before());
  wanted.not_after = now + days_long(order.days);
  wanted.for_commander = order.permissions.has(identity::Role::kCommander);
  wanted.permissions = identity::encode_permissions(order.permissions);
  if (wanted.not_after > anchor_.not_after()) {
    return fail(kTooLong,
                "the certificate would outlive the security manager's own; choose fewer --days");
  }
  auto certificate = crypto::issue_certificate(anchor_, key_, request->public_key(), wanted);
  if (!certificate) return certificate;
  auto recorded = record_.add_issued({certificate->serial(), certificate->name(), order.permissions,
                                      fingerprint, now, certificate->not_after()});
  if (!recorded) return pass_on(recorded);
  return certificate;
}

Result<crypto::Crl> SecurityManager::revoke(const std::string& serial, WallTime now) {
  const std::string wanted = plain_hex(serial, true);
  const IssuedCertificate* found = record_.find(wanted);
  if (found == nullptr) {
    return fail(kNotIssuedHere, "no certificate with serial " + wanted + " was issued here; see " +
                                    record_path(directory_));
  }
  if (record_.is_revoked(wanted)) {
    return fail(kAlreadyRevoked, "the certificate of \"" + found->name +
                                     "\" is revoked already; gkmpctl pki crl makes a fresh list");
  }
  if (auto added = record_.add_revoked({wanted, now}); !added) return pass_on(added);
  return make_list(kDefaultListDays, now);
}

Result<crypto::Crl> SecurityManager::make_list(unsigned days, WallTime now) {
  auto number = record_.take_list_number(now);
  if (!number) return pass_on(number);
  auto list =
      crypto::make_crl(anchor_, key_, *number, now, now + days_long(days), record_.revoked());
  if (!list) return list;
  auto wrote = write_file(list_path(directory_), as_bytes(list->to_pem()), Overwrite::kAllowed);
  if (!wrote) return pass_on(wrote);
  return list;
}

}  // namespace gkmpd::ctl
