#include "tests/support/pki.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "agent/crypto/cms.h"
#include "agent/crypto/hash.h"
#include "agent/crypto/random.h"

namespace gkmpd::test {
namespace {

constexpr seconds kAnchorLife = 10 * 365 * kDay;
constexpr seconds kCrlLife = 30 * kDay;

using Override = crypto::SeededRandom::OpenSslOverride;

template <typename T>
T must(Result<T> result, const char* what) {
  if (!result) {
    std::fprintf(stderr, "test pki: %s: %s\n", what, result.error().text().c_str());
    std::abort();
  }
  return std::move(*result);
}

TestHost make_security_manager(std::uint64_t seed) {
  const Override override(seed);
  auto key = must(crypto::PrivateKey::generate(crypto::KeyType::kEcdsaP256), "anchor key");
  crypto::CertificateTemplate wanted;
  wanted.name = "test security manager";
  wanted.not_before = kNow - kAnchorLife;
  wanted.not_after = kNow + kAnchorLife;
  wanted.is_ca = true;
  auto certificate = must(crypto::make_root(key, wanted), "anchor");
  return {wanted.name, std::move(key), std::move(certificate)};
}

std::string quoted(const std::string& text) { return '"' + text + '"'; }

std::string list_of(const std::vector<std::string>& names) {
  std::string out = "[";
  for (const std::string& name : names) out += (out.size() > 1 ? ", " : "") + quoted(name);
  return out + "]";
}

std::string date_time(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text;
}

class Lines {
 public:
  void table(const char* name) { text_ += std::string("[") + name + "]\n"; }
  void raw(const char* key, const std::string& value) {
    text_ += std::string(key) + " = " + value + "\n";
  }
  void text(const char* key, const std::string& value) { raw(key, quoted(value)); }
  void number(const char* key, std::uint32_t value) { raw(key, std::to_string(value)); }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void add_head(Lines& lines, const PolicyOptions& options) {
  lines.text("kind", std::string(identity::kTokenKind));
  lines.number("version", options.version);
  lines.text("group", options.group);
  lines.raw("not_before", date_time(options.not_before));
  lines.raw("not_after", date_time(options.not_after));
  lines.raw("controllers", list_of(options.controllers));
  lines.raw("actions", list_of(options.actions));
  lines.number("level", options.level);
  lines.raw("categories", list_of(options.categories));
  lines.number("rekey_interval_s", options.rekey_interval_s);
  lines.number("token_grace_s", options.token_grace_s);
  lines.text("member_list_sha256", to_hex(crypto::sha256({as_bytes(options.member_list_text)})));
  lines.raw("senders", list_of(options.senders));
  lines.text("joins", options.joins);
}

void add_ipsec(Lines& lines, const PolicyOptions& options) {
  lines.table("ipsec");
  lines.text("address", options.address);
  lines.number("port", options.port);
  lines.text("suite", options.suite);
  lines.text("mode", options.mode);
  lines.text("sender_mode", options.sender_mode);
  lines.number("replay_window", options.replay_window);
  lines.raw("esn", options.esn ? "true" : "false");
  lines.number("spi_prefix", options.spi_prefix);
  lines.number("activation_delay_ms", options.activation_delay_ms);
  lines.number("deactivation_delay_ms", options.deactivation_delay_ms);
  lines.text("on_stop", options.on_stop);
}

void add_control(Lines& lines, const PolicyOptions& options) {
  lines.table("control");
  lines.text("address", options.control_address);
  lines.number("port", options.control_port);
  lines.number("heartbeat_interval_ms", options.heartbeat_interval_ms);
  lines.number("rekey_repeats", options.rekey_repeats);
  if (!options.control_suite.empty()) lines.text("suite", options.control_suite);
}

}  // namespace

std::string policy_text(const PolicyOptions& options) {
  Lines lines;
  add_head(lines, options);
  add_ipsec(lines, options);
  add_control(lines, options);
  return lines.take();
}

std::string member_list_text(const std::string& group,
                             const std::vector<identity::MemberList::Entry>& members) {
  Lines lines;
  lines.text("kind", std::string(identity::kMemberListKind));
  lines.text("group", group);
  for (const identity::MemberList::Entry& member : members) {
    lines.table("[member]");
    lines.text("name", member.name);
    if (member.address) lines.text("address", member.address->text());
  }
  return lines.take();
}

std::string member_list_text(const std::string& group, const std::vector<std::string>& names) {
  std::vector<identity::MemberList::Entry> members;
  for (const std::string& name : names) members.push_back({name, std::nullopt});
  return member_list_text(group, members);
}

TestPki::TestPki(std::uint64_t seed) : seed_(seed), root_(make_security_manager(next_seed())) {}

TestPki::TestPki(TestHost root, std::uint64_t seed) : seed_(seed), root_(std::move(root)) {}

/// Each operation has a seed of its own, so that an override set elsewhere changes nothing here.
std::uint64_t TestPki::next_seed() {
  static constexpr std::uint64_t kStride = 0x9e3779b97f4a7c15;
  return seed_ * kStride + ++calls_;
}

TestHost TestPki::certify(const std::string& name, crypto::PrivateKey key,
                          const HostOptions& options) {
  crypto::CertificateTemplate wanted;
  wanted.name = name;
  wanted.addresses = options.addresses;
  wanted.not_before = options.not_before;
  wanted.not_after = options.not_after;
  wanted.is_ca = options.is_ca;
  wanted.for_commander = options.roles.contains(identity::Role::kCommander);
  wanted.permissions = options.permissions_der.value_or(identity::encode_permissions(
      {options.level, options.categories, options.roles, options.groups}));
  if (wanted.permissions->empty()) wanted.permissions.reset();
  const TestHost& issuer = options.issuer == nullptr ? root_ : *options.issuer;
  auto certificate =
      must(crypto::issue_certificate(issuer.certificate, issuer.key, key.public_key(), wanted),
           "certificate");
  return {name, std::move(key), std::move(certificate)};
}

TestHost TestPki::host(const std::string& name, const HostOptions& options) {
  const Override override(next_seed());
  return certify(name, must(crypto::PrivateKey::generate(options.key_type), "host key"), options);
}

TestHost TestPki::reissue(const TestHost& host, const HostOptions& options) {
  const Override override(next_seed());
  return certify(host.name, host.key, options);
}

TestHost TestPki::commander(const std::set<std::string>& categories) {
  return host("commander", {.level = 255,
                            .categories = categories,
                            .roles = {identity::Role::kCommander},
                            .groups = {"*"}});
}

void TestPki::revoke(const crypto::Certificate& certificate) {
  revoked_.push_back({certificate.serial(), kNow});
  ++crl_number_;
}

crypto::Crl TestPki::crl(WallTime now) { return crl_numbered(crl_number_, now); }

crypto::Crl TestPki::crl_numbered(std::uint64_t number, WallTime now) {
  // A seed of the list, not of the call: the same list again has the same signature.
  const Override override(seed_ ^ number);
  return must(crypto::make_crl(root_.certificate, root_.key, number, now, now + kCrlLife, revoked_),
              "revocation list");
}

identity::TrustStore TestPki::trust(WallTime now) {
  auto store = must(identity::TrustStore::make(anchor()), "trust store");
  must(store.accept_crl(crl(now), now), "revocation list");
  return store;
}

Bytes TestPki::token(const std::string& policy, const TestHost& commander) {
  const Override override(next_seed());
  return must(identity::sign_token(policy, commander.certificate, commander.key, {}, kNow),
              "token");
}

Bytes TestPki::token_of_anything(const std::string& content, const TestHost& signer,
                                 std::string_view content_type) {
  const Override override(next_seed());
  return must(
      crypto::cms_sign(as_bytes(content), content_type, signer.certificate, signer.key, {}, kNow),
      "signed content");
}

TestGroup TestPki::group(const std::vector<identity::MemberList::Entry>& members,
                         PolicyOptions options) {
  options.member_list_text = member_list_text(options.group, members);
  const TestHost signer = commander({options.categories.begin(), options.categories.end()});
  TestGroup group;
  group.member_list = options.member_list_text;
  group.policy = policy_text(options);
  group.token = token(group.policy, signer);
  group.id = identity::group_id(anchor().public_key().fingerprint(), options.group);
  return group;
}

}  // namespace gkmpd::test
