// Group tokens (RFC 2093 3.2): the operator's policy in TOML, signed by the commander.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/base/address.h"
#include "agent/base/suite.h"
#include "agent/base/time.h"
#include "agent/identity/trust.h"
#include "xfrm/spec.h"

namespace gkmpd::identity {

inline constexpr std::size_t kMaxTokenSize = 32 * 1024;   // the CMS object, octets
inline constexpr std::size_t kMaxPolicySize = 16 * 1024;  // the TOML text, octets
inline constexpr std::size_t kMaxControllers = 15;        // ranks 0-14 (profile S15, S30)
inline constexpr std::size_t kMaxMembers = 4096;
inline constexpr std::size_t kMaxSenders = 1024;
inline constexpr std::size_t kMaxMemberListSize = 1024 * 1024;
inline constexpr std::string_view kTokenKind = "gkmp-group-token-1";
inline constexpr std::string_view kMemberListKind = "gkmp-member-list-1";

enum class Action { kCreate, kRekey, kDelete };

/// What an agent that stops in order does with the group's SAs and policies.
enum class StopPolicy { kKeep, kRemove };

/// Who may ask to be keyed (RFC 2093 state 11), beside those whom the controller asks by itself:
/// nobody; hosts of the member list; every host whose permissions suffice.
enum class JoinPolicy { kNone, kListed, kPermitted };

/// The policy as its text says it; every key is required unless a default stands here. Keys and
/// their TOML types are in docs/PROTOCOL.md, "Group token". Unknown, repeated or mistyped keys are
/// refused, so that nobody's policy is half obeyed.
struct GroupPolicy {
  std::string kind;           // kTokenKind
  std::uint32_t version = 0;  // 1 and up
  std::string group;          // name
  WallTime not_before;        // TOML offset date-times
  WallTime not_after;
  std::vector<std::string> controllers;  // host names, best first: the index is the rank
  std::set<Action> actions;
  Classification classification;       // level (a number), categories
  std::uint32_t rekey_interval_s = 0;  // life of GTEK and GKEK, 60 s to 30 days
  std::uint32_t token_grace_s = 300;   // added to the interval to bound an epoch's not-after

  Digest member_list_hash{};         // SHA-256 of the member list file (profile K9)
  std::vector<std::string> senders;  // host names that get a sender id; a subset of the list
  JoinPolicy joins = JoinPolicy::kListed;

  // [ipsec]
  IpAddress address;           // multicast data address, not link scope
  std::uint8_t protocol = 17;  // IP protocol of the group's data; default UDP
  std::uint16_t port = 0;      // its destination port; default 0: every port
  xfrm::EspSuite suite = xfrm::EspSuite::kAesGcm128;
  xfrm::IpsecMode mode = xfrm::IpsecMode::kTransport;
  xfrm::SenderMode sender_mode = xfrm::SenderMode::kPerSender;
  std::uint32_t replay_window = xfrm::kDefaultReplayWindow;  // 0 if the senders share an SA
  bool esn = false;                            // sequence numbers of 64 bits; not if shared
  std::uint8_t spi_prefix = 0;                 // 1-255, differs between groups on one address
  std::uint32_t activation_delay_ms = 1000;    // ATD (RFC 5374 4.2.1)
  std::uint32_t deactivation_delay_ms = 5000;  // DTD; above ATD
  StopPolicy on_stop = StopPolicy::kKeep;

  // [control]
  IpAddress control_address;                   // as `address`, of its family, and another one
  std::uint16_t control_port = 0;              // UDP port of unicast and multicast control
  std::uint32_t heartbeat_interval_ms = 5000;  // 200 ms to 10 min
  std::uint32_t rekey_repeats = 3;             // how often a rekey is sent, 1 to 10
  Suite control_suite = Suite::kX25519Sha256;  // as strong as `suite`, at least

  /// Of control and data alike.
  [[nodiscard]] IpFamily family() const { return address.family; }
};

/// "aes-gcm-128": what [ipsec] suite and [limits] suites hold.
[[nodiscard]] std::string_view to_text(xfrm::EspSuite suite);
/// Nothing for a name that no suite has.
[[nodiscard]] std::optional<xfrm::EspSuite> esp_suite_from_text(std::string_view text);

/// Parses the exact octets of a policy. `identity.token-syntax`, `identity.token-field` (the detail
/// names the key and what it may hold), `identity.token-unsupported` (names what this version
/// lacks: for example another suite), `identity.token-unsafe` (each value is known, together they
/// protect less than they say: for example one AES-GCM key for several senders).
[[nodiscard]] Result<GroupPolicy> parse_policy(std::string_view toml_text);

/// What the host's own configuration accepts from any token (GPAD of RFC 5374 4.1.3; profile R1).
/// Empty lists accept any.
struct LocalLimits {
  struct Prefix {
    IpAddress address;
    std::uint8_t length = 0;
  };
  std::vector<std::string> groups;       // group names
  std::vector<std::string> controllers;  // host names
  std::vector<Prefix> data_addresses;    // multicast prefixes
  std::vector<Prefix> control_addresses;
  std::vector<std::uint16_t> data_ports;  // 0 is "every port"
  std::vector<std::uint8_t> data_protocols;
  std::vector<xfrm::EspSuite> suites;
  std::uint32_t max_rekey_interval_s = 30 * 24 * 3600;
};
[[nodiscard]] Result<LocalLimits::Prefix> parse_prefix(std::string_view text);

/// A token that passed check_token.
struct GroupToken {
  Bytes der;      // the CMS object as received
  Digest hash{};  // SHA-256 of `der`: what "token hash" means on the wire
  GroupPolicy policy;
  GroupId group_id{};
  Host commander;
};

/// Highest token accepted for a group, from the store.
struct TokenMark {
  std::uint32_t version = 0;
  Digest hash{};
  friend bool operator==(const TokenMark&, const TokenMark&) = default;
};

/// Checks in the order of profile P6: size, CMS form, chain, CRL, role and scope (commander role,
/// names the group, dominates it), validity at `now`, mark (older version `identity.token-old`;
/// same version, other content `identity.token-conflict`), local limits (`identity.token-limits`).
/// Names of the rest: `identity.token-too-large`, `crypto.bad-cms`, `crypto.bad-signature`,
/// `identity.not-commander`, `identity.commander-scope`, `identity.token-not-yet`,
/// `identity.token-expired`, and what check_host returns. The mark is looked up by group id, which
/// only the parsed token tells: `mark_of` is asked once.
using MarkLookup = std::optional<TokenMark> (*)(const void* context, const GroupId& group);
struct TokenCheck {
  const TrustStore* trust = nullptr;
  const LocalLimits* limits = nullptr;
  MarkLookup mark_of = nullptr;  // none: no mark is compared (gkmpctl token show)
  const void* mark_context = nullptr;
  WallTime now;
};
[[nodiscard]] Result<GroupToken> check_token(ByteView der, const TokenCheck& check);

/// The signer is a commander at all: `identity.not-commander`.
[[nodiscard]] Result<void> check_commander_role(const Permissions& commander);
/// The part of check_token that is about the signer's role and scope: `identity.not-commander`,
/// `identity.commander-scope`.
[[nodiscard]] Result<void> check_commander(const Permissions& commander, const GroupPolicy& policy);

/// Signs a policy text after parsing it as check_token would; the text's own errors come back.
/// `signed_at` as crypto::cms_sign takes it.
[[nodiscard]] Result<Bytes> sign_token(std::string_view policy_text,
                                       const crypto::Certificate& commander,
                                       const crypto::PrivateKey& commander_key,
                                       const std::vector<crypto::Certificate>& intermediates,
                                       std::optional<WallTime> signed_at = {});

/// The member list (RFC 2093 3.1): who is to be keyed, and where. Its own TOML file, bound to the
/// token by its hash; it stays with the controller.
struct MemberList {
  struct Entry {
    std::string name;
    std::optional<IpAddress> address;  // else the host's [hosts] table tells it
  };
  std::vector<Entry> members;
};
/// Text: `kind = "gkmp-member-list-1"`, `group = "..."`, `[[member]] name = "...", address =
/// "..."`.
[[nodiscard]] Result<MemberList> parse_member_list(std::string_view toml_text,
                                                   std::string_view group);
/// parse_member_list after comparing the text's hash with the token's; every sender is on the list
/// or a controller (`identity.member-list-differs`).
[[nodiscard]] Result<MemberList> check_member_list(std::string_view toml_text,
                                                   const GroupPolicy& policy);

}  // namespace gkmpd::identity
