// A security manager in memory: hosts, revocation lists, tokens and member lists for tests. The
// same seed and the same calls give the same octets. Whatever cannot be made ends the process with
// the reason on stderr, so that callers need no error handling.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/base/address.h"
#include "agent/base/time.h"
#include "agent/crypto/signature.h"
#include "agent/crypto/x509.h"
#include "agent/identity/permissions.h"
#include "agent/identity/token.h"
#include "agent/identity/trust.h"

namespace gkmpd::test {

/// The wall-clock time that tests take as the present; 2027-01-15T08:00:00Z.
inline constexpr WallTime kNow{seconds{1800000000}};
inline constexpr seconds kDay{24 * 3600};

/// A key with its certificate: a host, a commander or a sub-CA.
struct TestHost {
  std::string name;
  crypto::PrivateKey key;
  crypto::Certificate certificate;
};

struct HostOptions {
  std::uint8_t level = 2;
  std::set<std::string> categories = {"blue"};
  std::set<identity::Role> roles = {identity::Role::kMember, identity::Role::kSender};
  std::vector<std::string> groups = {};
  std::vector<IpAddress> addresses = {};
  WallTime not_before = kNow - kDay;
  WallTime not_after = kNow + 365 * kDay;
  crypto::KeyType key_type = crypto::KeyType::kEcdsaP256;
  bool is_ca = false;
  /// Octets of the permission extension instead of the encoding of the fields above; an empty
  /// vector leaves the extension out.
  std::optional<Bytes> permissions_der = {};
  /// Issued by this sub-CA instead of the security manager itself. Not kept.
  const TestHost* issuer = nullptr;
};

/// What a policy says, with the values of one ordinary group.
struct PolicyOptions {
  std::uint32_t version = 1;
  std::string group = "demo";
  WallTime not_before = kNow - kDay;
  WallTime not_after = kNow + 180 * kDay;
  std::vector<std::string> controllers = {"a"};
  std::vector<std::string> actions = {"create"};
  std::uint32_t level = 2;
  std::vector<std::string> categories = {"blue"};
  std::uint32_t rekey_interval_s = 3600;
  std::uint32_t token_grace_s = 300;
  std::vector<std::string> senders = {"a"};
  std::string joins = "listed";
  /// Its hash is the policy's member_list_sha256.
  std::string member_list_text = {};

  std::string address = "239.1.1.1";
  std::uint32_t port = 5000;
  std::string suite = "aes-gcm-128";
  std::string mode = "transport";
  std::string sender_mode = "per-sender";
  std::uint32_t replay_window = 1024;
  bool esn = false;
  std::uint32_t spi_prefix = 10;
  std::uint32_t activation_delay_ms = 1000;
  std::uint32_t deactivation_delay_ms = 5000;
  std::string on_stop = "keep";

  std::string control_address = "239.1.1.2";
  std::uint32_t control_port = 8480;
  std::uint32_t heartbeat_interval_ms = 1000;
  std::uint32_t rekey_repeats = 3;
  /// Empty: left out, so that the default holds.
  std::string control_suite = {};
};

/// The TOML text of a policy.
[[nodiscard]] std::string policy_text(const PolicyOptions& options);

/// The TOML text of a member list; entries without address stay without.
[[nodiscard]] std::string member_list_text(const std::string& group,
                                           const std::vector<identity::MemberList::Entry>& members);
[[nodiscard]] std::string member_list_text(const std::string& group,
                                           const std::vector<std::string>& names);

/// What an operator hands to a controller.
struct TestGroup {
  std::string policy;
  std::string member_list;
  Bytes token;  // DER
  GroupId id{};
};

class TestPki {
 public:
  explicit TestPki(std::uint64_t seed = 1);
  /// Of a security manager that exists already. Lists are its own business then: crl() and revoke()
  /// know nothing of what it has revoked.
  TestPki(TestHost root, std::uint64_t seed);

  [[nodiscard]] const crypto::Certificate& anchor() const { return root_.certificate; }
  [[nodiscard]] const TestHost& root() const { return root_; }

  /// A new key and its certificate. A host with the commander role also gets emailProtection.
  [[nodiscard]] TestHost host(const std::string& name, const HostOptions& options = {});
  /// A commander named "commander" of the highest level who may command every group.
  [[nodiscard]] TestHost commander(const std::set<std::string>& categories = {"blue"});
  /// Another certificate for the key of `host`.
  [[nodiscard]] TestHost reissue(const TestHost& host, const HostOptions& options);

  /// Puts the certificate on every later list; the list's number goes up by one.
  void revoke(const crypto::Certificate& certificate);
  /// The present list as of `now`; numbers start at 1. Calls without a revoke in between give lists
  /// of the same number (and, with the same `now`, the same octets).
  [[nodiscard]] crypto::Crl crl(WallTime now = kNow);
  /// The present list under a number of one's own choice.
  [[nodiscard]] crypto::Crl crl_numbered(std::uint64_t number, WallTime now = kNow);
  /// A store of the anchor with the present list.
  [[nodiscard]] identity::TrustStore trust(WallTime now = kNow);

  /// Signs `policy`, which must be one that identity::parse_policy takes.
  [[nodiscard]] Bytes token(const std::string& policy, const TestHost& commander);
  /// Signs any content under any eContentType: for tokens that ought to be refused.
  [[nodiscard]] Bytes token_of_anything(const std::string& content, const TestHost& signer,
                                        std::string_view content_type = crypto::oid_group_token());

  /// Member list, policy with its hash, and token in one go, signed by commander().
  /// `options.member_list_text` is overwritten.
  [[nodiscard]] TestGroup group(const std::vector<identity::MemberList::Entry>& members,
                                PolicyOptions options = {});

 private:
  [[nodiscard]] std::uint64_t next_seed();
  [[nodiscard]] TestHost certify(const std::string& name, crypto::PrivateKey key,
                                 const HostOptions& options);

  std::uint64_t seed_;
  std::uint64_t calls_ = 0;
  std::uint64_t crl_number_ = 1;
  std::vector<crypto::RevokedEntry> revoked_;
  TestHost root_;
};

}  // namespace gkmpd::test
