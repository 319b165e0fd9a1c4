#include "tests/sim/rogues.h"

#include <algorithm>

namespace gkmpd::sim {
namespace {

constexpr std::uint16_t kControlPort = 8480;
constexpr const char* kController = "h0";

rogue::Setting setting() {
  rogue::Setting setting;
  setting.controller = kController;
  setting.policy.senders = {"h0", "h1"};
  setting.policy.activation_delay_ms = 500;
  setting.policy.control_port = kControlPort;
  return setting;
}

}  // namespace

Ground& Ground::shared() {
  static Ground ground;
  return ground;
}

Ground::Ground() : pki_(31), other_manager_(32), setting_(setting()) {
  for (std::size_t i = 0; i < kGoodHosts; ++i) {
    hosts_.push_back(pki_.host("h" + std::to_string(i), rogue::Tries::everything(setting_)));
  }
  old_trust_ = pki_.trust();
  revoked_ = rogue::Tries::revoke_some(pki_, setting_);
  trust_ = pki_.trust();
  other_trust_ = other_manager_.trust();
  tries_.emplace(pki_, other_manager_, setting_, *revoked_);
  for (const rogue::AgentTry& agent : tries_->agents()) {
    unfit_.emplace(agent.name, test::TestHost{agent.name, agent.face.key, agent.face.certificate});
  }
}

const rogue::FaceTry& Ground::face(const std::string& name) const {
  return *std::ranges::find(tries_->faces(), name, &rogue::FaceTry::name);
}

SocketAddress Ground::address(std::size_t index) {
  IpAddress address;
  address.octets = {10, 9, 0, static_cast<std::uint8_t>(1 + index)};
  return {address, kControlPort};
}

HostSetup Ground::good(std::size_t index) const {
  return {.identity = &hosts_[index],
          .trust = &*trust_,
          .address = address(index),
          .limits = tries_->limits()};
}

HostSetup Ground::unfit(const rogue::AgentTry& agent, std::size_t index) const {
  const identity::TrustStore* trust = &*trust_;
  if (agent.trust == rogue::AgentTry::Trust::kOldList) trust = &*old_trust_;
  if (agent.trust == rogue::AgentTry::Trust::kOwnManager) trust = &*other_trust_;
  return {.identity = &unfit_.at(agent.name),
          .trust = trust,
          .address = address(index),
          .limits = tries_->limits()};
}

GroupPlan Ground::plan(const std::vector<Listed>& first, const std::vector<Listed>& last) const {
  std::vector<Listed> listed = first;
  for (HostIndex i = 0; i < kGoodHosts; ++i) listed.push_back({i, hosts_[i].name, address(i)});
  listed.insert(listed.end(), last.begin(), last.end());

  GroupPlan plan;
  plan.policy = tries_->policy(rogue::Tries::kGoodVersion);
  std::vector<identity::MemberList::Entry> entries;
  for (const Listed& one : listed) {
    entries.push_back({one.name, one.address.ip});
    plan.facts.members[one.name] = one.host;
  }
  for (HostIndex i = 0; i < kGoodHosts; ++i) plan.entitled.insert(i);
  plan.senders = {0, 1};
  plan.member_list = test::member_list_text(plan.policy.group, entries);
  plan.token = tries_->good_token(pki_, plan.member_list);
  plan.facts.id = identity::group_id(trust_->anchor_key_hash(), plan.policy.group);
  plan.facts.name = plan.policy.group;
  plan.facts.entitled = plan.entitled;
  plan.facts.senders = plan.senders;
  plan.facts.sender_count = plan.policy.senders.size();
  plan.facts.activation_delay = milliseconds(plan.policy.activation_delay_ms);
  plan.facts.destination = *IpAddress::parse(plan.policy.address);
  plan.facts.control_multicast = {*IpAddress::parse(plan.policy.control_address), kControlPort};
  return plan;
}

SimRogue::SimRogue(World& world, std::size_t index)
    : world_(world),
      address_(Ground::address(index)),
      random_(index),
      host_(world.add_guest(address_, [this, alive = std::weak_ptr<int>(alive_)](
                                          Now now, const SocketAddress& from, const Bytes& octets) {
        if (alive.expired() || !peer_) return;
        peer_->handle_datagram(now, from, octets);
        flush();
      })) {}

void SimRogue::be(std::unique_ptr<rogue::Peer> peer) { peer_ = std::move(peer); }

void SimRogue::flush() {
  while (const auto transmit = peer_->poll_transmit()) world_.send_as(host_, *transmit);
  arm();
}

void SimRogue::arm() {
  const auto due = peer_->next_timeout();
  if (!due) return;
  world_.after(*due - world_.now(),
               [this, alive = std::weak_ptr<int>(alive_), due, peer = peer_.get()] {
                 if (alive.expired() || peer_.get() != peer || peer->next_timeout() != due) return;
                 peer_->handle_timeout(world_.guest_now());
                 flush();
               });
}

}  // namespace gkmpd::sim
