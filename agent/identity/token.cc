#include "agent/identity/token.h"

#include <utility>

#include "agent/crypto/cms.h"
#include "agent/crypto/hash.h"
#include "agent/identity/errors.h"
#include "agent/identity/limits.h"

namespace gkmpd::identity {
namespace {

Result<void> check_size(std::size_t size) {
  if (size <= kMaxTokenSize) return {};
  return fail(kTokenTooLarge, "a token may have " + std::to_string(kMaxTokenSize) +
                                  " octets, this one has " + std::to_string(size) +
                                  "; shorten the policy or the commander's chain");
}

Result<void> check_validity(const GroupPolicy& policy, WallTime now) {
  if (now + kClockSkew < policy.not_before) {
    return fail(kTokenNotYet,
                "the token's not_before is yet to come; wait for it, or set this host's clock");
  }
  if (now - kClockSkew > policy.not_after) {
    return fail(kTokenExpired,
                "the token's not_after has passed; have a new version signed, or set this host's "
                "clock");
  }
  return {};
}

Result<void> check_mark(const GroupToken& token, const std::optional<TokenMark>& mark) {
  if (!mark) return {};
  const std::string version = std::to_string(token.policy.version);
  if (token.policy.version < mark->version) {
    return fail(kTokenOld, "the token is version " + version + ", and version " +
                               std::to_string(mark->version) +
                               " is known here; use that or a newer one");
  }
  if (token.policy.version == mark->version && token.hash != mark->hash) {
    return fail(kTokenConflict, "another token of version " + version +
                                    " is known here; have this one signed with a higher version");
  }
  return {};
}

}  // namespace

Result<void> check_commander_role(const Permissions& commander) {
  if (commander.has(Role::kCommander)) return {};
  return fail(kNotCommander,
              "the signer's certificate lacks the role commander; have it signed by a commander");
}

Result<void> check_commander(const Permissions& commander, const GroupPolicy& policy) {
  if (auto role = check_commander_role(commander); !role) return role;
  const auto beyond = [](const std::string& why) {
    return fail(kCommanderScope, why + "; have it signed by a commander of that group");
  };
  if (!commander.covers_group(policy.group)) {
    return beyond("the signer's certificate does not name group \"" + policy.group + "\"");
  }
  if (auto dominates = check_dominates(commander, policy.classification); !dominates) {
    return beyond("the signer does not dominate the group (" + dominates.error().detail + ")");
  }
  return {};
}

Result<GroupToken> check_token(ByteView der, const TokenCheck& check) {
  if (auto size = check_size(der.size()); !size) return pass_on(size);
  auto cms = crypto::cms_verify(der, crypto::oid_group_token());
  if (!cms) return pass_on(cms);
  auto commander = check.trust->check_host(cms->signer, cms->others, check.now);
  if (!commander) return pass_on(commander);

  // Only what a commander of ours signed is parsed at all.
  if (auto role = check_commander_role(commander->permissions); !role) return pass_on(role);
  auto policy = parse_policy(as_text(cms->content));
  if (!policy) return pass_on(policy);
  auto scope = check_commander(commander->permissions, *policy);
  if (!scope) return pass_on(scope);
  if (auto valid = check_validity(*policy, check.now); !valid) return pass_on(valid);

  const GroupId id = group_id(check.trust->anchor_key_hash(), policy->group);
  GroupToken token{to_bytes(der), crypto::sha256({der}), std::move(*policy), id,
                   std::move(*commander)};
  if (check.mark_of != nullptr) {
    auto marked = check_mark(token, check.mark_of(check.mark_context, id));
    if (!marked) return pass_on(marked);
  }
  if (check.limits != nullptr) {
    auto limited = check_limits(token.policy, *check.limits);
    if (!limited) return pass_on(limited);
  }
  return token;
}

Result<Bytes> sign_token(std::string_view policy_text, const crypto::Certificate& commander,
                         const crypto::PrivateKey& commander_key,
                         const std::vector<crypto::Certificate>& intermediates,
                         std::optional<WallTime> signed_at) {
  if (auto policy = parse_policy(policy_text); !policy) return pass_on(policy);
  auto der = crypto::cms_sign(as_bytes(policy_text), crypto::oid_group_token(), commander,
                              commander_key, intermediates, signed_at);
  if (!der) return der;
  if (auto size = check_size(der->size()); !size) return pass_on(size);
  return der;
}

}  // namespace gkmpd::identity
