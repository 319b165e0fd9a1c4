// gkmpctl token: the commander's policy, signed and shown.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "agent/crypto/cms.h"
#include "agent/crypto/hash.h"
#include "agent/ctl/pki_commands.h"
#include "agent/ctl/pki_files.h"
#include "agent/ctl/pki_show.h"
#include "agent/ctl/signer.h"
#include "agent/daemon/files.h"
#include "agent/identity/errors.h"
#include "agent/identity/token.h"
#include "agent/identity/toml_reader.h"

namespace gkmpd::ctl {
namespace {

constexpr const char* kMemberListKey = "member_list_sha256";

struct Options {
  std::string policy;
  std::string members;
  std::string certificate;
  std::string key;
  std::string out;
  std::string file;
  std::string anchor;
  std::string crl;
  bool force = false;
};

/// The text to sign: the policy with the list's hash on top, unless it has one already.
Result<std::string> bind_members(const std::string& policy, const std::string& members) {
  auto table = identity::parse_toml(policy, identity::kTokenSyntax);
  if (!table) return pass_on(table);
  if (table->contains(kMemberListKey)) return policy;
  return std::string(kMemberListKey) + " = \"" + to_hex(crypto::sha256({as_bytes(members)})) +
         "\"\n" + policy;
}

/// What every host will check of the signer, as far as it can be checked without an anchor.
Result<void> check_signer(const crypto::Certificate& signer, const identity::GroupPolicy& policy) {
  const auto extension = signer.extension(crypto::oid_permissions());
  if (!extension) {
    return fail(identity::kNotCommander,
                "the certificate has no permissions; have the security manager issue one with "
                "--role commander");
  }
  auto permissions = identity::decode_permissions(extension->value);
  if (!permissions) return pass_on(permissions);
  return identity::check_commander(*permissions, policy);
}

Result<void> sign(const Options& options) {
  const Overwrite overwrite = options.force ? Overwrite::kAllowed : Overwrite::kNever;
  if (auto writable = check_writable(options.out, overwrite); !writable) return writable;
  auto policy_file = daemon::read_text_file(options.policy, identity::kMaxPolicySize);
  if (!policy_file) return pass_on(policy_file);
  auto members = daemon::read_text_file(options.members, identity::kMaxMemberListSize);
  if (!members) return pass_on(members);
  auto text = bind_members(*policy_file, *members);
  if (!text) return pass_on(text);
  auto policy = identity::parse_policy(*text);
  if (!policy) return pass_on(policy);
  if (auto list = identity::check_member_list(*members, *policy); !list) return pass_on(list);
  if (policy->not_after <= wall_clock()) {
    return fail(identity::kTokenExpired, "the policy's not_after has passed; set a later one");
  }
  auto signer = read_signer(options.certificate, options.key);
  if (!signer) return pass_on(signer);
  if (auto allowed = check_signer(signer->certificate, *policy); !allowed) return allowed;

  auto token = identity::sign_token(*text, signer->certificate, signer->key, signer->intermediates,
                                    wall_clock());
  if (!token) return pass_on(token);
  auto wrote = write_file(options.out, *token, overwrite);
  if (!wrote) return wrote;
  std::printf("token for group %s, version %u, %zu octets, sha256 %s\n", policy->group.c_str(),
              policy->version, token->size(), to_hex(crypto::sha256({*token})).c_str());
  return {};
}

Result<void> show(const Options& options) {
  const WallTime now = wall_clock();
  auto trust = read_trust(options.anchor, options.crl, now);
  if (!trust) return pass_on(trust);
  auto der = daemon::read_text_file(options.file, identity::kMaxTokenSize);
  if (!der) return pass_on(der);
  auto token = identity::check_token(as_bytes(*der), {.trust = &*trust, .now = now});
  if (!token) return pass_on(token);
  auto content = crypto::cms_verify(token->der, crypto::oid_group_token());
  if (!content) return pass_on(content);
  std::printf("group: %s, version %u, id %s\n", token->policy.group.c_str(), token->policy.version,
              to_hex(token->group_id).c_str());
  std::printf("signed by: %s, certificate %s\n", token->commander.name.c_str(),
              token->commander.certificate.serial().c_str());
  std::printf("valid: %s to %s\n", to_text(token->policy.not_before).c_str(),
              to_text(token->policy.not_after).c_str());
  std::printf("sha256: %s\n\n", to_hex(token->hash).c_str());
  std::fwrite(content->content.data(), 1, content->content.size(), stdout);
  return {};
}

void add_sign(CLI::App& token, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = token.add_subcommand("sign", "sign a policy as a group token");
  command->add_option("--policy", options->policy, "the policy, TOML")->required();
  command->add_option("--members", options->members, "the member list, TOML")->required();
  command->add_option("--cert", options->certificate, "the commander's certificate")->required();
  command->add_option("--key", options->key, "the commander's private key")->required();
  command->add_option("--out", options->out, "where the token goes (CMS, DER)")->required();
  command->add_flag("--force", options->force, "replace a file that exists");
  command->callback([options, &exit_code] { exit_code = finish(sign(*options)); });
}

void add_show(CLI::App& token, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = token.add_subcommand("show", "check a group token and print its policy");
  command->add_option("token", options->file, "the token")->required();
  command->add_option("--anchor", options->anchor, "certificate of the security manager")
      ->required();
  command->add_option("--crl", options->crl, "its revocation list")->required();
  command->callback([options, &exit_code] { exit_code = finish(show(*options)); });
}

}  // namespace

void add_token_commands(CLI::App& app, int& exit_code) {
  CLI::App* token = app.add_subcommand("token", "make and look at group tokens");
  token->require_subcommand(1);
  add_sign(*token, exit_code);
  add_show(*token, exit_code);
}

}  // namespace gkmpd::ctl
