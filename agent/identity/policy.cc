// The operator's policy text and its rules.
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

/// For fields that have one value today, and more in versions to come.
void read_only_choice(FieldReader& reader, FieldErrors& errors, const char* table, const char* key,
                      const char* choice) {
  std::string value = choice;
  reader.text(key, Presence::kOptional, value);
  if (value != choice) Field{errors, std::string(table) + key}.unsupported(choice);
}

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

void read_member_list_hash(FieldReader& reader, Digest& out) {
  std::string text;
  reader.text("member_list_sha256", Presence::kRequired, text);
  const auto octets = from_hex(text);
  if (octets && octets->size() == out.size() && to_hex(*octets) == text) {
    std::ranges::copy(*octets, out.begin());
  } else {
    reader.refuse("member_list_sha256",
                  "must be the SHA-256 of the member list file: 64 digits of 0-9 a-f, as sha256sum "
                  "prints them");
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
  read_member_list_hash(reader, policy.member_list_hash);
  reader.names("senders", 0, kMaxSenders, policy.senders);
}

/// A multicast address of the one family that this version carries.
void read_multicast(FieldReader& reader, FieldErrors& errors, const char* table, IpAddress& out) {
  std::optional<IpAddress> address;
  reader.address("address", Presence::kRequired, address);
  if (!address) return;
  const Field field{errors, std::string(table) + "address"};
  if (!address->is_multicast()) {
    field.refuse("must be a multicast address");
  } else if (address->is_link_scope_multicast()) {
    field.refuse("must not be of link scope (224.0.0.0/24 belongs to routing and IGMP)");
  } else if (address->family != IpFamily::kV4) {
    errors.note(kTokenUnsupported, field.key, "this version carries IPv4 groups only");
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

void read_ipsec(FieldReader& reader, FieldErrors& errors, GroupPolicy& policy) {
  read_multicast(reader, errors, "ipsec.", policy.address);
  reader.number("port", Presence::kOptional, 0, 0xffff, policy.port);
  read_only_choice(reader, errors, "ipsec.", "suite", "aes-gcm-128");
  read_only_choice(reader, errors, "ipsec.", "mode", "transport");
  read_only_choice(reader, errors, "ipsec.", "sender_mode", "per-sender");
  reader.number("replay_window", Presence::kOptional, xfrm::kMinReplayWindow,
                xfrm::kMaxReplayWindow, policy.replay_window);
  reader.number("spi_prefix", Presence::kRequired, 1, 255, policy.spi_prefix);
  read_delays(reader, errors, policy);
  reader.refuse_unknown();
}

void read_control(FieldReader& reader, FieldErrors& errors, GroupPolicy& policy) {
  read_multicast(reader, errors, "control.", policy.control_address);
  if (errors.none() && policy.control_address == policy.address) {
    reader.refuse("address", "must be another one than [ipsec] address");
  }
  reader.number("port", Presence::kRequired, 1, 0xffff, policy.control_port);
  reader.number("heartbeat_interval_ms", Presence::kOptional, kMinHeartbeat_ms, kMaxHeartbeat_ms,
                policy.heartbeat_interval_ms);
  reader.refuse_unknown();
}

}  // namespace

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
