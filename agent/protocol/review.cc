#include "agent/protocol/review.h"

#include <algorithm>

#include "agent/protocol/errors.h"

namespace gkmpd::protocol {
namespace {

std::optional<identity::TokenMark> token_mark(const void* context, const GroupId& group) {
  const GroupFloor* floor = static_cast<const Context*>(context)->floor(group);
  if (floor == nullptr || floor->token.version == 0) return std::nullopt;
  return floor->token;
}

/// Before anything is promised: what cannot be installed is not taken on.
Result<void> check_kernel(const Context& context, const identity::GroupPolicy& policy) {
  for (const xfrm::KernelLack& lack : context.config.kernel_lacks) {
    if (!lack.concerns(policy.suite, policy.family(), policy.esn)) continue;
    return fail(kKernelLacks,
                "this host's kernel lacks " + std::string(identity::to_text(policy.suite)) +
                    (lack.only_esn ? " with extended sequence numbers" : "") +
                    (lack.family == IpFamily::kV4 ? " over IPv4: " : " over IPv6: ") + lack.remedy);
  }
  return {};
}

}  // namespace

Result<identity::Host> own_identity(const identity::TrustStore& trust,
                                    const crypto::Certificate& certificate,
                                    const std::vector<crypto::Certificate>& intermediates,
                                    const crypto::PrivateKey& key, Now now) {
  auto self = trust.check_host(certificate, intermediates, now.wall);
  if (!self) return self;
  if (!(certificate.public_key() == key.public_key())) {
    return fail(kKeyDiffers, "the private key is not the one of the certificate");
  }
  return self;
}

Result<identity::Host> review_host(const Context& context, const std::vector<Bytes>& certificates,
                                   const crypto::PublicKey& key, Now now) {
  std::vector<crypto::Certificate> chain;
  for (const Bytes& der : certificates) {
    auto certificate = crypto::Certificate::from_der(der);
    if (!certificate) return pass_on(certificate);
    chain.push_back(std::move(*certificate));
  }
  const crypto::Certificate leaf = chain.front();
  chain.erase(chain.begin());
  if (!(leaf.public_key() == key)) {
    return fail(kKeyDiffers, "the certificate of " + leaf.name() + " is for another key");
  }
  return context.config.trust.check_host(leaf, chain, now.wall);
}

Result<std::uint8_t> review_controller(const identity::GroupPolicy& policy,
                                       const identity::Host& host) {
  const auto place = std::ranges::find(policy.controllers, host.name);
  if (place == policy.controllers.end()) {
    return fail(kControllerNotListed, host.name + " is not among the token's controllers");
  }
  if (!host.permissions.has(identity::Role::kController)) {
    return fail(kNoControllerRole, host.name + " has no controller role in its certificate");
  }
  if (!host.permissions.covers_group(policy.group)) {
    return fail(kControllerScope,
                "the certificate of " + host.name + " does not name group " + policy.group);
  }
  auto dominates = identity::check_dominates(host.permissions, policy.classification);
  if (!dominates) return pass_on(dominates);
  return static_cast<std::uint8_t>(place - policy.controllers.begin());
}

Result<void> review_member(const identity::GroupPolicy& policy, const identity::Host& host) {
  if (!host.permissions.has(identity::Role::kMember)) {
    return fail(kNoMemberRole, host.name + " has no member role in its certificate");
  }
  if (is_sender(policy, host.name) && !host.permissions.has(identity::Role::kSender)) {
    return fail(kNoSenderRole,
                "the token lists " + host.name + " as a sender, its certificate does not");
  }
  return identity::check_dominates(host.permissions, policy.classification);
}

Result<void> review_again(const Context& context, const identity::GroupToken& token,
                          const identity::Host& controller, Now now) {
  const identity::TrustStore& trust = context.config.trust;
  const auto again = [&](const identity::Host& host) {
    return trust.check_host(host.certificate, host.intermediates, now.wall);
  };
  if (auto commander = again(token.commander); !commander) return pass_on(commander);
  auto host = again(controller);
  if (!host) return pass_on(host);
  if (auto rank = review_controller(token.policy, *host); !rank) return pass_on(rank);
  auto self = trust.check_host(context.config.certificate, context.config.intermediates, now.wall);
  if (!self) return pass_on(self);
  return review_member(token.policy, *self);
}

bool is_sender(const identity::GroupPolicy& policy, std::string_view host) {
  return std::ranges::find(policy.senders, host) != policy.senders.end();
}

Result<identity::GroupToken> review_token(const Context& context, ByteView der, Now now) {
  auto token = identity::check_token(
      der, {&context.config.trust, &context.config.limits, token_mark, &context, now.wall});
  if (!token) return token;
  const std::uint16_t port = context.config.port;
  if (token->policy.control_port != port) {
    return fail(kPortDiffers, "the token's control port is " +
                                  std::to_string(token->policy.control_port) +
                                  ", this host listens on " + std::to_string(port));
  }
  if (!token->policy.actions.contains(identity::Action::kCreate)) {
    return fail(kActionMissing, "the token does not allow to create the group");
  }
  if (context.own_address(token->policy.family()) == nullptr) {
    return fail(kAddressFamily,
                "the group is of a family, IPv4 or IPv6, of which this host has no address: give "
                "it one in [control] address");
  }
  if (auto offered = check_kernel(context, token->policy); !offered) return pass_on(offered);
  if (auto free = context.check_addresses_free(*token); !free) return pass_on(free);
  return token;
}

}  // namespace gkmpd::protocol
