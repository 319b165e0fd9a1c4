#include "tests/support/rogue/tries.h"

#include <algorithm>

#include "agent/crypto/errors.h"
#include "agent/crypto/hash.h"
#include "agent/identity/errors.h"
#include "agent/protocol/errors.h"

namespace gkmpd::rogue {
namespace {

using identity::Role;
using test::HostOptions;
using test::kDay;
using test::PolicyOptions;
using test::TestHost;
using test::TestPki;

constexpr const char* kRogueName = "rogue";
constexpr const char* kAbsentController = "absent";
constexpr const char* kForbiddenController = "forbidden-controller";
constexpr const char* kOtherGroup = "other";
constexpr const char* kOtherData = "239.1.9.1";
constexpr const char* kOtherControl = "239.1.9.2";
constexpr const char* kForbiddenGroup = "forbidden";
/// CMS of mail: id-data.
constexpr const char* kDataType = "1.2.840.113549.1.7.1";

constexpr const char* kAllowedPrefix = "239.1.0.0/16";
constexpr const char* kForbiddenData = "239.77.1.1";
constexpr const char* kForbiddenControl = "239.77.1.2";
constexpr std::uint32_t kForbiddenPort = 7777;
constexpr const char* kForbiddenSuite = "aes-cbc-128-hmac-sha-256";
constexpr std::uint32_t kAllowedInterval_s = 7200;

Face face_of(const TestHost& host) { return {host.certificate, host.key, std::nullopt}; }

constexpr Expected told(ErrorKind error) { return {error, true}; }
constexpr Expected silent(ErrorKind error) { return {error, false}; }

Bytes changed(Bytes token) {
  static constexpr std::string_view kFrom = "level = ";
  const auto at = std::ranges::search(token, as_bytes(kFrom));
  *at.end() ^= 0x01;
  return token;
}

std::string with_line(const std::string& line, const std::string& text) {
  return line + "\n" + text;
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "\"" : ", \"") + name + "\"";
  return "[" + out + "]";
}

}  // namespace

HostOptions Tries::everything(const Setting& setting) {
  HostOptions options;
  options.level = static_cast<std::uint8_t>(setting.policy.level);
  options.categories = {setting.policy.categories.begin(), setting.policy.categories.end()};
  options.roles = {Role::kMember, Role::kSender, Role::kController};
  options.groups = {setting.policy.group};
  options.not_before = setting.now - kDay;
  options.not_after = setting.now + 30 * kDay;
  return options;
}

Revoked Tries::revoke_some(TestPki& pki, const Setting& setting) {
  const HostOptions options = everything(setting);
  HostOptions commander = options;
  commander.roles = {Role::kCommander};
  Revoked revoked{pki.host("revoked", options), pki.host("unfit-revoked", options),
                  pki.host("commander-revoked", commander)};
  pki.revoke(revoked.face.certificate);
  pki.revoke(revoked.agent.certificate);
  pki.revoke(revoked.commander.certificate);
  return revoked;
}

Tries::Tries(TestPki& pki, TestPki& other_manager, const Setting& setting, const Revoked& revoked)
    : setting_(setting), good_face_(face_of(pki.host(kRogueName, everything(setting)))) {
  make_faces(pki, other_manager, revoked);
  make_agents(pki, other_manager, revoked);
  controllers_ = {setting.controller, kRogueName};
  // They are refused for what their certificates say, not for being strangers to the token.
  for (const FaceTry& face : faces_) {
    if (face.as_controller && face.as_controller->told) controllers_.push_back(face.name);
  }
  make_tokens(pki, other_manager, revoked);
}

void Tries::make_faces(TestPki& pki, TestPki& other_manager, const Revoked& revoked) {
  const auto make = [&](const char* name, auto change) {
    HostOptions options = everything(setting_);
    change(options);
    return face_of(pki.host(name, options));
  };
  const auto both = [&](const char* name, Face face, ErrorKind error, bool told_as_controller) {
    faces_.push_back({name, std::move(face), told(error), Expected{error, told_as_controller}});
  };
  both("level-too-low", make("level-too-low", [](HostOptions& o) { --o.level; }),
       identity::kLevelTooLow, true);
  both("category-missing",
       make("category-missing", [](HostOptions& o) { o.categories = {"elsewhere"}; }),
       identity::kCategoryMissing, true);
  faces_.push_back({"no-role", make("no-role", [](HostOptions& o) { o.roles = {Role::kSender}; }),
                    told(protocol::kNoMemberRole), told(protocol::kNoControllerRole)});
  faces_.push_back({"no-scope", make("no-scope", [](HostOptions& o) { o.groups = {kOtherGroup}; }),
                    std::nullopt, told(protocol::kControllerScope)});
  both("revoked", face_of(revoked.face), identity::kRevoked, false);
  both("other-manager", face_of(other_manager.host("other-manager", everything(setting_))),
       crypto::kChainUntrusted, false);
  both("expired", make("expired", [&](HostOptions& o) { o.not_after = setting_.now - kDay / 2; }),
       crypto::kChainExpired, false);
  both("not-yet-valid",
       make("not-yet-valid", [&](HostOptions& o) { o.not_before = setting_.now + kDay; }),
       crypto::kChainExpired, false);
  both("no-permissions",
       make("no-permissions", [](HostOptions& o) { o.permissions_der = Bytes{}; }),
       identity::kNotAHostCertificate, false);

  const auto nothing = [](HostOptions&) {};
  Face borrowed = make("borrowed-certificate", nothing);
  borrowed.key = make("thief", nothing).key;
  both("borrowed-certificate", borrowed, protocol::kKeyDiffers, false);
  Face claimed = make("borrowed-key", nothing);
  claimed.claimed_key = claimed.certificate.public_key();
  claimed.key = borrowed.key;
  // Nothing holds under the key that it claims: there is no exchange to be told anything in.
  faces_.push_back({"borrowed-key", std::move(claimed), silent(crypto::kBadSignature),
                    silent(crypto::kBadSignature)});
  faces_.push_back(
      {"other-name", make("somebody-else", nothing), told(protocol::kWrongHost), std::nullopt});
}

void Tries::make_agents(TestPki& pki, TestPki& other_manager, const Revoked& revoked) {
  const auto add_unfit = [&](const char* name, ErrorKind error, auto change) {
    HostOptions options = everything(setting_);
    change(options);
    agents_.push_back(
        {name, face_of(pki.host(name, options)), AgentTry::Trust::kCommon, false, told(error)});
  };
  add_unfit("unfit-level", identity::kLevelTooLow, [](HostOptions& o) { --o.level; });
  add_unfit("unfit-category", identity::kCategoryMissing,
            [](HostOptions& o) { o.categories = {"elsewhere"}; });
  add_unfit("unfit-role", protocol::kNoMemberRole,
            [](HostOptions& o) { o.roles = {Role::kSender}; });
  agents_.push_back({"unfit-revoked", face_of(revoked.agent), AgentTry::Trust::kOldList, true,
                     told(identity::kRevoked)});
  agents_.push_back({"unfit-manager",
                     face_of(other_manager.host("unfit-manager", everything(setting_))),
                     AgentTry::Trust::kOwnManager, false, silent(crypto::kChainUntrusted)});
}

PolicyOptions Tries::policy(std::uint32_t version) const {
  PolicyOptions policy = setting_.policy;
  policy.version = version;
  policy.controllers = controllers_;
  policy.not_before = setting_.now - kDay;
  policy.not_after = setting_.now + 20 * kDay;
  return policy;
}

HostOptions Tries::commander_options() const {
  HostOptions options = everything(setting_);
  options.roles = {Role::kCommander};
  options.groups = {"*"};
  return options;
}

void Tries::add(std::string name, Bytes token, ErrorKind error) {
  tokens_.push_back({std::move(name), std::move(token), error, false, true, setting_.policy.group,
                     std::nullopt, std::nullopt});
}

Bytes Tries::good_token(TestPki& pki, const std::string& member_list) const {
  PolicyOptions options = policy(kGoodVersion);
  options.member_list_text = member_list;
  return pki.token(test::policy_text(options), *commander_);
}

void Tries::make_tokens(TestPki& pki, TestPki& other_manager, const Revoked& revoked) {
  commander_ = pki.host("commander", commander_options());
  rogue_token_ = pki.token(test::policy_text(policy(kRogueVersion)), *commander_);
  try_signers(pki, other_manager, revoked);
  try_validity(pki);
  try_texts(pki);
  try_limits(pki);
  try_other_cms(pki);
  try_other_exchange(pki);
}

void Tries::try_signers(TestPki& pki, TestPki& other_manager, const Revoked& revoked) {
  const std::string text = test::policy_text(policy(kRogueVersion));
  const auto by = [&](const char* name, auto change) {
    HostOptions options = commander_options();
    change(options);
    return pki.token(text, pki.host(name, options));
  };
  add("not-commander",
      by("clerk", [](HostOptions& o) { o.roles = {Role::kMember, Role::kController}; }),
      identity::kNotCommander);
  add("commander-scope", by("commander-scope", [](HostOptions& o) { o.groups = {kOtherGroup}; }),
      identity::kCommanderScope);
  add("commander-level", by("commander-level", [](HostOptions& o) { --o.level; }),
      identity::kCommanderScope);
  add("commander-expired",
      by("commander-expired", [&](HostOptions& o) { o.not_after = setting_.now - kDay / 2; }),
      crypto::kChainExpired);
  add("commander-revoked", pki.token(text, revoked.commander), identity::kRevoked);
  add("other-manager",
      other_manager.token(text, other_manager.host("commander", commander_options())),
      crypto::kChainUntrusted);
}

void Tries::try_validity(TestPki& pki) {
  const auto signed_text = [&](const PolicyOptions& options) {
    return pki.token(test::policy_text(options), *commander_);
  };
  add("older", signed_text(policy(kGoodVersion - 1)), identity::kTokenOld);
  tokens_.back().needs_group = true;
  PolicyOptions other_content = policy(kGoodVersion);
  other_content.level = 0;
  add("same-version", signed_text(other_content), identity::kTokenConflict);
  tokens_.back().needs_group = true;

  PolicyOptions not_yet = policy(kRogueVersion);
  not_yet.not_before = setting_.now + kDay;
  add("not-yet", signed_text(not_yet), identity::kTokenNotYet);
  PolicyOptions expired = policy(kRogueVersion);
  expired.not_after = setting_.now - kDay / 2;
  add("expired", signed_text(expired), identity::kTokenExpired);
}

void Tries::try_texts(TestPki& pki) {
  const std::string text = test::policy_text(policy(kRogueVersion));
  const auto of_text = [&](const std::string& any) {
    return pki.token_of_anything(any, *commander_);
  };
  add("unknown-key", of_text(with_line("colour = \"red\"", text)), identity::kTokenField);
  add("repeated-key", of_text(with_line("level = 0", text)), identity::kTokenSyntax);

  PolicyOptions one_nonce = policy(kRogueVersion);
  one_nonce.sender_mode = "shared";
  one_nonce.replay_window = 0;
  add("shared-counter-mode", of_text(test::policy_text(one_nonce)), identity::kTokenUnsafe);
  PolicyOptions weak = policy(kRogueVersion);
  weak.suite = "aes-gcm-256";
  weak.control_suite = "x25519-sha256";
  add("weak-control-suite", of_text(test::policy_text(weak)), identity::kTokenUnsafe);

  PolicyOptions unlisted = policy(kRogueVersion);
  unlisted.controllers = {kAbsentController};
  add("controller-not-listed", of_text(test::policy_text(unlisted)),
      protocol::kControllerNotListed);
  PolicyOptions no_create = policy(kRogueVersion);
  no_create.actions = {"delete"};
  add("without-action", of_text(test::policy_text(no_create)), protocol::kActionMissing);
  PolicyOptions other_port = policy(kRogueVersion);
  other_port.control_port = setting_.policy.control_port + 1;
  add("other-port", of_text(test::policy_text(other_port)), protocol::kPortDiffers);
}

void Tries::try_limits(TestPki& pki) {
  const auto beyond = [&](const char* name, auto change) {
    PolicyOptions options = policy(kRogueVersion);
    change(options);
    add(name, pki.token(test::policy_text(options), *commander_), identity::kTokenLimits);
    tokens_.back().group = options.group;
  };
  beyond("limit-group", [](PolicyOptions& o) { o.group = kForbiddenGroup; });
  beyond("limit-controller",
         [](PolicyOptions& o) { o.controllers.emplace_back(kForbiddenController); });
  beyond("limit-data-address", [](PolicyOptions& o) { o.address = kForbiddenData; });
  beyond("limit-control-address", [](PolicyOptions& o) { o.control_address = kForbiddenControl; });
  beyond("limit-data-port", [](PolicyOptions& o) { o.port = kForbiddenPort; });
  beyond("limit-suite", [](PolicyOptions& o) { o.suite = kForbiddenSuite; });
  beyond("limit-rekey-interval",
         [](PolicyOptions& o) { o.rekey_interval_s = kAllowedInterval_s + 1; });
}

/// Whatever else the commander has signed is no token.
void Tries::try_other_cms(TestPki& pki) {
  const std::string text = test::policy_text(policy(kRogueVersion));
  add("mail", pki.token_of_anything("Key whom you like.\n", *commander_, kDataType),
      crypto::kBadCms);
  add("policy-as-mail", pki.token_of_anything(text, *commander_, kDataType), crypto::kBadCms);
  add("order", pki.token_of_anything(text, *commander_, crypto::oid_command()), crypto::kBadCms);
  std::string other_kind = text;
  other_kind.replace(other_kind.find(identity::kTokenKind), identity::kTokenKind.size(),
                     "gkmp-command-1");
  add("other-kind", pki.token_of_anything(other_kind, *commander_), identity::kTokenUnsupported);
  add("changed", changed(rogue_token_), crypto::kBadSignature);
  add("no-cms", to_bytes(as_bytes(text)), crypto::kBadCms);
}

/// Good tokens where they do not belong.
void Tries::try_other_exchange(TestPki& pki) {
  PolicyOptions other = policy(kRogueVersion);
  other.group = kOtherGroup;
  add("address-taken", pki.token(test::policy_text(other), *commander_), protocol::kAddressTaken);
  tokens_.back().group = kOtherGroup;
  tokens_.back().needs_group = true;
  PolicyOptions beside = other;
  beside.port += 1;
  add("spi-prefix-taken", pki.token(test::policy_text(beside), *commander_),
      protocol::kSpiPrefixTaken);
  tokens_.back().group = kOtherGroup;
  tokens_.back().needs_group = true;
  other.address = kOtherData;
  other.control_address = kOtherControl;
  add("of-another-group", pki.token(test::policy_text(other), *commander_),
      protocol::kGroupIdDiffers);
  tokens_.back().as_command = false;
  add("other-than-announced", rogue_token_, protocol::kTokenHashDiffers);
  tokens_.back().as_command = false;
  tokens_.back().announced_hash = crypto::sha256({as_bytes(setting_.policy.group)});
  add("other-suite", rogue_token_, protocol::kSuiteDiffers);
  tokens_.back().as_command = false;
  tokens_.back().suite = Suite::kP256Sha256;
}

identity::LocalLimits Tries::limits() const {
  identity::LocalLimits limits;
  limits.groups = {setting_.policy.group, kOtherGroup};
  limits.controllers = controllers_;
  limits.controllers.emplace_back(kAbsentController);
  limits.data_addresses = {*identity::parse_prefix(kAllowedPrefix)};
  limits.control_addresses = limits.data_addresses;
  // The second for another group beside the first.
  limits.data_ports = {static_cast<std::uint16_t>(setting_.policy.port),
                       static_cast<std::uint16_t>(setting_.policy.port + 1)};
  limits.suites = {*identity::esp_suite_from_text(setting_.policy.suite)};
  limits.max_rekey_interval_s = kAllowedInterval_s;
  return limits;
}

std::string Tries::limits_toml() const {
  const std::string prefixes = quoted_list({kAllowedPrefix});
  return "[limits]\ngroups = " + quoted_list({setting_.policy.group, kOtherGroup}) +
         "\ncontrollers = " + quoted_list(limits().controllers) + "\ndata_addresses = " + prefixes +
         "\ncontrol_addresses = " + prefixes + "\ndata_ports = [" +
         std::to_string(setting_.policy.port) + ", " + std::to_string(setting_.policy.port + 1) +
         "]\nsuites = " + quoted_list({setting_.policy.suite}) +
         "\nmax_rekey_interval_s = " + std::to_string(kAllowedInterval_s) + "\n";
}

}  // namespace gkmpd::rogue
