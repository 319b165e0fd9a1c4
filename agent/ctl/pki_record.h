// The security manager's record of issue: a journal of JSON lines, only ever added to. Each line is
// on disk before what it tells of leaves the directory, so no serial or list number is used twice.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "agent/crypto/x509.h"
#include "agent/identity/permissions.h"

namespace gkmpd::ctl {

inline constexpr ErrorKind kBadRecord{"pki.bad-record"};

struct IssuedCertificate {
  std::string serial;  // as Certificate::serial()
  std::string name;
  identity::Permissions permissions;
  std::string request_fingerprint;  // hexadecimal, as the operator confirmed it
  WallTime issued_at;
  WallTime not_after;
};

class Record {
 public:
  /// Reads the journal at `path`; `pki.bad-record` names the line that cannot be read.
  [[nodiscard]] static Result<Record> load(const std::string& path);

  [[nodiscard]] const IssuedCertificate* find(const std::string& serial) const;
  [[nodiscard]] bool is_revoked(const std::string& serial) const;
  [[nodiscard]] const std::vector<crypto::RevokedEntry>& revoked() const { return revoked_; }
  [[nodiscard]] std::uint64_t next_list_number() const { return last_list_number_ + 1; }

  [[nodiscard]] Result<void> add_issued(const IssuedCertificate& certificate);
  [[nodiscard]] Result<void> add_revoked(const crypto::RevokedEntry& entry);
  /// Takes next_list_number() for a list of time `now`.
  [[nodiscard]] Result<std::uint64_t> take_list_number(WallTime now);

 private:
  explicit Record(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] Result<void> replay(const std::string& line);

  std::string path_;
  std::vector<IssuedCertificate> issued_;
  std::vector<crypto::RevokedEntry> revoked_;
  std::uint64_t last_list_number_ = 0;
};

}  // namespace gkmpd::ctl
