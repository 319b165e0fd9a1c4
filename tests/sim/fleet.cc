#include "tests/sim/fleet.h"

#include <cstdio>
#include <cstdlib>

namespace gkmpd::sim {
namespace {

using identity::Role;

constexpr std::uint16_t kControlPort = 8480;
constexpr std::uint16_t kCommanderPort = 41000;

test::HostOptions everything() {
  return {.level = 2,
          .categories = {"blue", "green"},
          .roles = {Role::kMember, Role::kSender, Role::kController},
          .groups = {"*"}};
}

test::HostOptions with_flaw(Flaw flaw) {
  test::HostOptions options = everything();
  switch (flaw) {
    case Flaw::kLowLevel:
      options.level = 1;
      break;
    case Flaw::kNoCategory:
      options.categories = {"green"};
      break;
    case Flaw::kNoRole:
      options.roles = {Role::kSender};
      break;
    case Flaw::kRevoked:
    case Flaw::kStranger:
    case Flaw::kOldCrl:
    case Flaw::kOtherName:
      break;
  }
  return options;
}

}  // namespace

Fleet& Fleet::shared() {
  static Fleet fleet;
  return fleet;
}

Fleet::Fleet()
    : pki_(11),
      strange_pki_(12),
      commander_(pki_.commander({"blue", "green"})),
      revoked_commander_(pki_.commander({"blue", "green"})) {
  for (std::size_t i = 0; i < kMaxHosts; ++i) {
    test::HostOptions options = everything();
    if (i % 4 == 1) options.key_type = crypto::KeyType::kEd25519;
    if (i % 8 == 2) options.key_type = crypto::KeyType::kEcdsaP384;
    hosts_.push_back(pki_.host("h" + std::to_string(i), options));
  }
  for (std::size_t i = 0; i < kFlawCount; ++i) {
    const auto flaw = static_cast<Flaw>(i);
    test::TestPki& issuer = flaw == Flaw::kStranger ? strange_pki_ : pki_;
    flawed_.emplace(flaw, issuer.host("flawed" + std::to_string(i), with_flaw(flaw)));
  }
  old_trust_ = pki_.trust();
  pki_.revoke(flawed_.at(Flaw::kRevoked).certificate);
  pki_.revoke(revoked_commander_.certificate);
  trust_ = pki_.trust();
  strange_trust_ = strange_pki_.trust();
}

IpAddress Fleet::address(std::size_t index) {
  IpAddress address;
  address.octets = {10, 9, static_cast<std::uint8_t>(1 + index / 250),
                    static_cast<std::uint8_t>(1 + index % 250)};
  return address;
}

IpAddress Fleet::address_v6(std::size_t index) {
  IpAddress address;
  address.family = IpFamily::kV6;
  address.octets = {0xfd, 0x09};
  address.octets[14] = static_cast<std::uint8_t>((index + 1) / 256);
  address.octets[15] = static_cast<std::uint8_t>((index + 1) % 256);
  return address;
}

HostSetup Fleet::good(std::size_t index) const {
  return {&hosts_[index], &*trust_, {address(index), kControlPort}, address_v6(index)};
}

HostSetup Fleet::commander(std::size_t index) const {
  return {&commander_, &*trust_, {address(index), kCommanderPort}, {}};
}

HostSetup Fleet::revoked_commander(std::size_t index) const {
  return {&revoked_commander_, &*old_trust_, {address(index), kCommanderPort}, {}};
}

HostSetup Fleet::flawed(Flaw flaw, std::size_t index) const {
  const identity::TrustStore* trust = &*trust_;
  if (flaw == Flaw::kStranger) trust = &*strange_trust_;
  // Whoever is revoked would not start with the list that says so.
  if (flaw == Flaw::kRevoked || flaw == Flaw::kOldCrl) trust = &*old_trust_;
  return {&flawed_.at(flaw), trust, {address(index), kControlPort}, address_v6(index)};
}

GroupPlan Fleet::plan(std::uint64_t seed, const World& world, PlanOptions options) const {
  GroupPlan plan;
  plan.controller = options.controller;
  const auto name_of = [&](HostIndex host) {
    const auto other = options.list_names.find(host);
    return other == options.list_names.end() ? world.setup(host).identity->name : other->second;
  };
  std::vector<HostIndex> able{options.controller};
  for (const HostIndex host : options.listed) {
    if (!options.refused.contains(host)) able.push_back(host);
  }
  plan.entitled = {able.begin(), able.end()};
  plan.entitled.insert(options.joiners.begin(), options.joiners.end());

  test::PolicyOptions& policy = options.policy;
  policy.controllers = {name_of(options.controller)};
  for (const HostIndex host : options.other_controllers) {
    policy.controllers.push_back(name_of(host));
  }
  policy.senders.clear();
  for (std::size_t i = 0; i < able.size() && i < options.sender_count; ++i) {
    policy.senders.push_back(name_of(able[i]));
    plan.senders.insert(able[i]);
  }

  const IpFamily family = IpAddress::parse(policy.address)->family;
  std::vector<HostIndex> listed{options.controller};
  listed.insert(listed.end(), options.listed.begin(), options.listed.end());
  std::vector<identity::MemberList::Entry> entries;
  for (const HostIndex host : listed) {
    std::optional<IpAddress> address;
    if (options.with_addresses) address = world.setup(host).address_of(family).ip;
    entries.push_back({name_of(host), address});
    plan.facts.members[name_of(host)] = host;
  }
  for (const HostIndex host : options.joiners) plan.facts.members[name_of(host)] = host;
  plan.member_list = test::member_list_text(policy.group, entries);
  policy.member_list_text = plan.member_list;

  const crypto::SeededRandom::OpenSslOverride override(seed);
  auto token = identity::sign_token(test::policy_text(policy), commander_.certificate,
                                    commander_.key, {}, test::kNow);
  if (!token) {
    std::fprintf(stderr, "sim: no token: %s\n", token.error().text().c_str());
    std::abort();
  }
  plan.token = std::move(*token);
  plan.facts.id = identity::group_id(pki_.anchor().public_key().fingerprint(), policy.group);
  plan.facts.name = policy.group;
  plan.facts.entitled = plan.entitled;
  plan.facts.senders = plan.senders;
  plan.facts.sender_count = policy.senders.size();
  plan.facts.activation_delay = milliseconds(policy.activation_delay_ms);
  plan.facts.destination = *IpAddress::parse(policy.address);
  plan.facts.control_multicast = {*IpAddress::parse(policy.control_address),
                                  static_cast<std::uint16_t>(policy.control_port)};
  plan.policy = std::move(options.policy);
  return plan;
}

}  // namespace gkmpd::sim
