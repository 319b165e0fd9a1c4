// The operator's policy text and its rules.
#include <array>
#include <string>
#include <utility>

#include "agent/identity/errors.h"
#include "agent/identity/token.h"
#include "agent/identity/toml_reader.h"

namespace gkmpd::identity {
namespace {

constexpr std::uint32_t kDay_s = 24 * 3600;
constexpr std::uint32_t kMinRekeyInterval_s = 60;
constexpr std::uint32_t kMaxRekeyInterval_s = 30 * kDay_s;
constexpr std::uint32_t kMaxTokenGrace_s = kDay_s;
constexpr std::uint32_t kMaxDelay_ms = 3600 * 1000;
constexpr std::uint32_t kMinHeartbeat_ms = 200;
constexpr std::uint32_t kMaxHeartbeat_ms = 600 * 1000;
constexpr std::uint32_t kMaxRekeyRepeats = 10;
constexpr std::uint32_t kMaxU32 = 0xffffffff;
constexpr std::size_t kMaxActions = 3;

/// Where a rule about one text field is read and found broken.
struct Field {
  FieldErrors& errors;
  std::string key;

  void refuse(const std::string& what) const { errors.note(key, what); }
  void unsupported(const std::string& known) const {
    errors.note(kTokenUnsupported, key, "this version knows only \"" + known + "\"");
  }
};

/// The names of a field's values.
template <typename T, std::size_t kCount>
using Choices = std::array<std::pair<std::string_view, T>, kCount>;

template <typename T, std::size_t kCount>
std::string_view name_of(const Choices<T, kCount>& choices, T wanted) {
  for (const auto& [name, value] : choices) {
    if (value == wanted) return name;
  }
  return {};
}

template <typename T, std::size_t kCount>
std::optional<T> value_of(const Choices<T, kCount>& choices, std::string_view wanted) {
  for (const auto& [name, value] : choices) {
    if (name == wanted) return value;
  }
  return std::nullopt;
}

/// An optional field that names one of several values; `out` stays as it is without it.
template <typename T, std::size_t kCount>
void read_choice(FieldReader& reader, FieldErrors& errors, const char* table, const char* key,
                 const Choices<T, kCount>& choices, T& out) {
  std::string named(name_of(choices, out));
  reader.text(key, Presence::kOptional, named);
  if (const std::optional<T> value = value_of(choices, named)) {
    out = *value;
    return;
  }
  std::string known;
  for (const auto& [name, value] : choices) {
    known += (known.empty() ? "\"" : ", \"") + std::string(name) + "\"";
  }
  errors.note(kTokenUnsupported, std::string(table) + key, "this version knows " + known);
}

constexpr Choices<xfrm::EspSuite, xfrm::kEspSuites.size()> kEspSuiteNames{{
    {"aes-gcm-128", xfrm::EspSuite::kAesGcm128},
    {"aes-gcm-192", xfrm::EspSuite::kAesGcm192},
    {"aes-gcm-256", xfrm::EspSuite::kAesGcm256},
    {"chacha20-poly1305", xfrm::EspSuite::kChaCha20Poly1305},
    {"aes-cbc-128-hmac-sha-256", xfrm::EspSuite::kAesCbc128HmacSha256},
    {"aes-cbc-256-hmac-sha-384", xfrm::EspSuite::kAesCbc256HmacSha384},
    {"aes-cbc-256-hmac-sha-512", xfrm::EspSuite::kAesCbc256HmacSha512},
    {"aes-gmac-128", xfrm::EspSuite::kAesGmac128},
    {"aes-gmac-256", xfrm::EspSuite::kAesGmac256},
    {"null-hmac-sha-256", xfrm::EspSuite::kNullHmacSha256},
    {"null-hmac-sha-384", xfrm::EspSuite::kNullHmacSha384},
    {"null-hmac-sha-512", xfrm::EspSuite::kNullHmacSha512},
}};
constexpr Choices<xfrm::IpsecMode, 2> kModes{{
    {"transport", xfrm::IpsecMode::kTransport},
    {"tunnel", xfrm::IpsecMode::kTunnel},
}};
constexpr Choices<xfrm::SenderMode, 2> kSenderModes{{
    {"per-sender", xfrm::SenderMode::kPerSender},
    {"shared", xfrm::SenderMode::kShared},
}};
constexpr Choices<StopPolicy, 2> kStopPolicies{{
    {"keep", StopPolicy::kKeep},
    {"remove", StopPolicy::kRemove},
}};
constexpr Choices<JoinPolicy, 3> kJoinPolicies{{
    {"none", JoinPolicy::kNone},
    {"listed", JoinPolicy::kListed},
    {"permitted", JoinPolicy::kPermitted},
}};
constexpr Choices<Suite, 4> kControlSuites{{
    {"x25519-sha256", Suite::kX25519Sha256},
    {"p256-sha256", Suite::kP256Sha256},
    {"p384-sha384", Suite::kP384Sha384},
    {"x25519-sha384", Suite::kX25519Sha384},
}};

/// Whoever asks for more than 128 bits of strength in ESP, by the cipher's key or by the hash of
/// the MAC, wants key derivation with a hash that is no weaker (readings, strength).
bool wants_strong_control(xfrm::EspSuite suite) {
  switch (suite) {
    case xfrm::EspSuite::kAesGcm128:
    case xfrm::EspSuite::kAesCbc128HmacSha256:
    case xfrm::EspSuite::kAesGmac128:
    case xfrm::EspSuite::kNullHmacSha256:
      return false;
    case xfrm::EspSuite::kAesGcm192:
    case xfrm::EspSuite::kAesGcm256:
    case xfrm::EspSuite::kChaCha20Poly1305:
    case xfrm::EspSuite::kAesCbc256HmacSha384:
    case xfrm::EspSuite::kAesCbc256HmacSha512:
    case xfrm::EspSuite::kAesGmac256:
    case xfrm::EspSuite::kNullHmacSha384:
    case xfrm::EspSuite::kNullHmacSha512:
      return true;
  }
  return true;
}

bool is_strong(Suite suite) { return suite == Suite::kP384Sha384 || suite == Suite::kX25519Sha384; }

void read_actions(FieldReader& reader, std::set<Action>& actions) {
  std::vector<std::string> names;
  reader.names("actions", 1, kMaxActions, names);
  for (const std::string& name : names) {
    if (name == "create") {
      actions.insert(Action::kCreate);
    } else if (name == "rekey") {
      actions.insert(Action::kRekey);
    } else if (name == "delete") {
      actions.insert(Action::kDelete);
    } else {
      reader.refuse("actions", "may hold \"create\", \"rekey\" and \"delete\" only");
    }
  }
}

void read_head(FieldReader& reader, FieldErrors& errors, GroupPolicy& policy) {
  reader.text("kind", Presence::kRequired, policy.kind);
  if (errors.none() && policy.kind != kTokenKind) {
    Field{errors, "kind"}.unsupported(std::string(kTokenKind));
  }
  reader.number("version", Presence::kRequired, 1, kMaxU32, policy.version);
  reader.name("group", policy.group);
  reader.time("not_before", policy.not_before);
  reader.time("not_after", policy.not_after);
  if (errors.none() && policy.not_after <= policy.not_before) {
    reader.refuse("not_after", "must be later than not_before");
  }
  reader.names("controllers", 1, kMaxControllers, policy.controllers);
  read_actions(reader, policy.actions);

  std::vector<std::string> categories;
  reader.number("level", Presence::kRequired, 0, 255, policy.classification.level);
  reader.names("categories", 0, kMaxCategories, categories);
  policy.classification.categories = {categories.begin(), categories.end()};

  reader.number("rekey_interval_s", Presence::kRequired, kMinRekeyInterval_s, kMaxRekeyInterval_s,
                policy.rekey_interval_s);
  reader.number("token_grace_s", Presence::kOptional, 0, kMaxTokenGrace_s, policy.token_grace_s);
  reader.digest("member_list_sha256", "the member list file", policy.member_list_hash);
  reader.names("senders", 0, kMaxSenders, policy.senders);
  read_choice(reader, errors, "", "joins", kJoinPolicies, policy.joins);
}

void read_multicast(FieldReader& reader, FieldErrors& errors, const char* table, IpAddress& out) {
  std::optional<IpAddress> address;
  reader.address("address", Presence::kRequired, address);
  if (!address) return;
  const Field field{errors, std::string(table) + "address"};
  if (!address->is_multicast()) {
    field.refuse("must be a multicast address");
  } else if (address->is_link_scope_multicast()) {
    field.refuse(
        "must not be of link scope (224.0.0.0/24 and ff02::/16 belong to routing, IGMP and MLD)");
  }
  out = *address;
}

void read_delays(FieldReader& reader, FieldErrors& errors, GroupPolicy& policy) {
  reader.number("activation_delay_ms", Presence::kOptional, 0, kMaxDelay_ms,
                policy.activation_delay_ms);
  reader.number("deactivation_delay_ms", Presence::kOptional, 1, kMaxDelay_ms,
                policy.deactivation_delay_ms);
  if (!errors.none()) return;
  if (policy.deactivation_delay_ms <= policy.activation_delay_ms) {
    reader.refuse("deactivation_delay_ms", "must be above activation_delay_ms");
  } else if (policy.deactivation_delay_ms / 1000 >= policy.rekey_interval_s) {
    reader.refuse("deactivation_delay_ms", "must be below rekey_interval_s");
  }
}

/// Suite, sender mode, replay window and sequence numbers, which hang together.
void read_senders(FieldReader& reader, FieldErrors& errors, GroupPolicy& policy) {
  read_choice(reader, errors, "ipsec.", "suite", kEspSuiteNames, policy.suite);
  read_choice(reader, errors, "ipsec.", "mode", kModes, policy.mode);
  read_choice(reader, errors, "ipsec.", "sender_mode", kSenderModes, policy.sender_mode);
  reader.flag("esn", Presence::kOptional, policy.esn);
  if (policy.sender_mode == xfrm::SenderMode::kPerSender) {
    reader.number("replay_window", Presence::kOptional, xfrm::kMinReplayWindow,
                  xfrm::kMaxReplayWindow, policy.replay_window);
    return;
  }
  policy.replay_window = 0;
  if (errors.none() && xfrm::is_counter_mode(policy.suite)) {
    errors.note(kTokenUnsafe, "ipsec.sender_mode",
                "senders that share a key of a counter mode can repeat a nonce, which reveals what "
                "they sent (RFC 6054): take \"per-sender\", or a suite "
                "of \"aes-cbc\" or \"null\"");
  }
  if (errors.none() && policy.esn) {
    errors.note(kTokenUnsafe, "ipsec.esn",
                "extended sequence numbers want a replay window, which senders that share an SA "
                "cannot have: take \"per-sender\", or esn = false");
  }
  if (errors.none() && policy.mode == xfrm::IpsecMode::kTunnel) {
    errors.note(kTokenUnsupported, "ipsec.sender_mode",
                "one SA of all senders has no address for the outside of a tunnel: take "
                "\"per-sender\", or mode \"transport\"");
  }
  // Receivers of one SA cannot tell whose sequence number they see.
  reader.number("replay_window", Presence::kOptional, 0, 0, policy.replay_window);
}

void read_selector(FieldReader& reader, GroupPolicy& policy) {
  reader.number("protocol", Presence::kOptional, 1, 255, policy.protocol);
  if (!xfrm::is_protectable(policy.protocol)) {
    reader.refuse("protocol", "must not be IGMP, ICMPv6, ESP or AH, which the group itself needs");
  }
  reader.number("port", Presence::kOptional, 0, 0xffff, policy.port);
  if (policy.port != 0 && !xfrm::has_ports(policy.protocol)) {
    reader.refuse("port", "is for protocols that have ports: TCP, UDP, DCCP, SCTP and UDP-Lite");
  }
}

void read_ipsec(FieldReader& reader, FieldErrors& errors, GroupPolicy& policy) {
  read_multicast(reader, errors, "ipsec.", policy.address);
  read_selector(reader, policy);
  read_senders(reader, errors, policy);
  read_choice(reader, errors, "ipsec.", "on_stop", kStopPolicies, policy.on_stop);
  reader.number("spi_prefix", Presence::kRequired, 1, 255, policy.spi_prefix);
  read_delays(reader, errors, policy);
  reader.refuse_unknown();
}

void read_control(FieldReader& reader, FieldErrors& errors, GroupPolicy& policy) {
  read_multicast(reader, errors, "control.", policy.control_address);
  if (errors.none() && policy.control_address.family != policy.address.family) {
    reader.refuse("address", "must be of the same family, IPv4 or IPv6, as [ipsec] address");
  }
  if (errors.none() && policy.control_address == policy.address) {
    reader.refuse("address", "must be another one than [ipsec] address");
  }
  const bool strong = wants_strong_control(policy.suite);
  if (strong) policy.control_suite = Suite::kX25519Sha384;
  read_choice(reader, errors, "control.", "suite", kControlSuites, policy.control_suite);
  if (errors.none() && strong && !is_strong(policy.control_suite)) {
    errors.note(kTokenUnsafe, "control.suite",
                "is weaker than [ipsec] suite: take \"x25519-sha384\" or "
                "\"p384-sha384\"");
  }
  reader.number("port", Presence::kRequired, 1, 0xffff, policy.control_port);
  reader.number("heartbeat_interval_ms", Presence::kOptional, kMinHeartbeat_ms, kMaxHeartbeat_ms,
                policy.heartbeat_interval_ms);
  reader.number("rekey_repeats", Presence::kOptional, 1, kMaxRekeyRepeats, policy.rekey_repeats);
  reader.refuse_unknown();
}

}  // namespace

std::string_view to_text(xfrm::EspSuite suite) { return name_of(kEspSuiteNames, suite); }

std::optional<xfrm::EspSuite> esp_suite_from_text(std::string_view text) {
  return value_of(kEspSuiteNames, text);
}

Result<GroupPolicy> parse_policy(std::string_view toml_text) {
  if (toml_text.size() > kMaxPolicySize) {
    return fail(kTokenTooLarge, "a policy may have " + std::to_string(kMaxPolicySize) +
                                    " octets, this one has " + std::to_string(toml_text.size()));
  }
  auto table = parse_toml(toml_text, kTokenSyntax);
  if (!table) return pass_on(table);

  GroupPolicy policy;
  FieldErrors errors(kTokenField);
  FieldReader reader(*table, "", errors);
  read_head(reader, errors, policy);
  if (auto ipsec = reader.table("ipsec")) read_ipsec(*ipsec, errors, policy);
  if (auto control = reader.table("control")) read_control(*control, errors, policy);
  reader.refuse_unknown();
  if (auto read = errors.result(); !read) return pass_on(read);
  return policy;
}

}  // namespace gkmpd::identity
