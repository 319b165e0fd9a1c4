#include "tests/unit/protocol/hosts.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "agent/wire/header.h"

namespace gkmpd::test {

using protocol::Endpoint;

std::uint64_t TestNode::count(ErrorKind kind) const {
  const auto found = endpoint->counters().find(kind.name());
  return found == endpoint->counters().end() ? 0 : found->second;
}

bool TestNode::reported(std::string_view what) const {
  return std::ranges::find(reports, what, &protocol::Report::what) != reports.end();
}

std::string Sent::message() const {
  const auto datagram = wire::decode_datagram(octets);
  return datagram ? std::string(wire::to_text(datagram->header.type)) : "not GKMP";
}

TestNode& TestNet::add(const std::string& name, const HostOptions& options) {
  const std::size_t index = nodes_.size() + 1;
  auto node = std::make_unique<TestNode>(index);
  node->name = name;
  node->address = {*IpAddress::parse("10.9.0." + std::to_string(index)), 8480};
  credentials_.emplace(name, pki.host(name, options));
  auto& added = *nodes_.emplace(name, std::move(node)).first->second;
  restart(added);
  return added;
}

TestNode& TestNet::add_controller(const std::string& name) {
  HostOptions options;
  options.roles.insert(identity::Role::kController);
  options.groups = {"demo"};
  return add(name, options);
}

void TestNet::restart(TestNode& node) {
  const TestHost& host = credentials_.at(node.name);
  auto made = Endpoint::make({.trust = pki.trust(),
                              .limits = node.limits,
                              .certificate = host.certificate,
                              .intermediates = {},
                              .key = host.key,
                              .addresses = {node.address.ip},
                              .port = node.address.port,
                              .hosts = {},
                              .kernel_lacks = node.kernel_lacks},
                             node.disk, node.random, now_, node.adopted);
  if (!made) {
    std::cerr << "endpoint of " << node.name << ": " << made.error().text() << "\n";
    std::abort();
  }
  node.endpoint.emplace(std::move(*made));
  node.kernel.reset();
  node.joined.clear();
}

TestGroup TestNet::group(PolicyOptions options) {
  std::vector<identity::MemberList::Entry> members;
  for (const auto& [name, node] : nodes_) members.push_back({name, node->address.ip});
  return pki.group(members, std::move(options));
}

Result<GroupId> TestNet::create(const std::string& controller, const TestGroup& group) {
  auto id = node(controller).endpoint->handle_command(now_, {group.token, group.member_list});
  settle();
  return id;
}

void TestNet::drain(TestNode& node) {
  while (auto event = node.endpoint->poll_event()) {
    if (auto* save = std::get_if<protocol::SaveFloor>(&*event)) {
      if (node.save_outcome) node.disk[save->group] = save->floor;
      node.endpoint->handle_saved(now_, save->id, node.save_outcome);
    } else if (auto* install = std::get_if<protocol::InstallGroup>(&*event)) {
      if (node.install_outcome) node.kernel = std::move(install->spec);
      node.standby = std::move(install->standby);
      node.repairs += install->repair ? 1 : 0;
      node.memo = install->memo;
      node.endpoint->handle_installed(now_, install->id, node.install_outcome);
    } else if (const auto* keep = std::get_if<protocol::KeepGroup>(&*event)) {
      node.kept.push_back(keep->keep);
      node.endpoint->handle_kept(now_, keep->id, node.keep_outcome);
    } else if (auto* join = std::get_if<protocol::JoinControl>(&*event)) {
      node.joined.push_back(join->control_multicast);
    } else if (auto* leave = std::get_if<protocol::LeaveControl>(&*event)) {
      std::erase(node.joined, leave->control_multicast);
    } else {
      node.reports.push_back(std::get<protocol::Report>(*event));
    }
  }
  while (auto transmit = node.endpoint->poll_transmit()) {
    under_way_.push_back({node.name, transmit->to, std::move(transmit->octets)});
    log.push_back(under_way_.back());
  }
}

void TestNet::deliver(const Sent& sent) {
  const SocketAddress from = node(sent.from).address;
  for (auto& [name, node] : nodes_) {
    const bool multicast = std::ranges::find(node->joined, sent.to) != node->joined.end();
    if (name == sent.from || (node->address != sent.to && !multicast)) continue;
    node->endpoint->handle_datagram(now_, from, sent.octets);
  }
}

void TestNet::settle() {
  for (;;) {
    for (auto& [name, node] : nodes_) drain(*node);
    if (under_way_.empty()) return;
    std::vector<Sent> batch = std::exchange(under_way_, {});
    for (Sent& sent : batch) {
      if (filter(sent)) deliver(sent);
    }
  }
}

void TestNet::pass(milliseconds duration) {
  const MonoTime end = now_.mono + duration;
  for (;;) {
    settle();
    MonoTime next = end;
    for (const auto& [name, node] : nodes_) {
      if (const auto due = node->endpoint->poll_timeout()) next = std::min(next, *due);
    }
    next = std::max(next, now_.mono);
    now_.wall = kNow + std::chrono::duration_cast<seconds>(next.time_since_epoch());
    now_.mono = next;
    bool any = false;
    for (const auto& [name, node] : nodes_) {
      const auto due = node->endpoint->poll_timeout();
      if (!due || *due > now_.mono) continue;
      node->endpoint->handle_timeout(now_);
      any = true;
    }
    if (!any && now_.mono >= end) return;
  }
}

std::vector<std::string> TestNet::messages() const {
  std::vector<std::string> names;
  for (const Sent& sent : log) {
    const auto datagram = wire::decode_datagram(sent.octets);
    if (!datagram || datagram->header.type == wire::MessageType::kHeartbeat) continue;
    if (datagram->header.fragment_index == 0) names.push_back(sent.message());
  }
  return names;
}

}  // namespace gkmpd::test
