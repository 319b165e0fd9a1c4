#include "tests/bench/keyed_group.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

namespace gkmpd::bench {
namespace {

using protocol::Endpoint;
using protocol::MemberState;

constexpr Now kPresent{MonoTime(std::chrono::seconds(1)), test::kNow};
constexpr std::uint16_t kControlPort = 8480;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "bench: %s\n", why.c_str());
  std::abort();
}

std::string name_of(std::size_t host) { return host == 0 ? "a" : "m" + std::to_string(host); }

IpAddress address_of(std::size_t host) {
  return *IpAddress::parse("10.9." + std::to_string(host / 250) + "." +
                           std::to_string(host % 250 + 1));
}

/// What the agent's daemon would do with its events: here disk and kernel answer at once.
void answer_events(Endpoint& endpoint) {
  while (const auto event = endpoint.poll_event()) {
    if (const auto* save = std::get_if<protocol::SaveFloor>(&*event)) {
      endpoint.handle_saved(kPresent, save->id, {});
    } else if (const auto* install = std::get_if<protocol::InstallGroup>(&*event)) {
      endpoint.handle_installed(kPresent, install->id, {});
    }
  }
}

}  // namespace

Hosts::Hosts(crypto::KeyType key_type, NamedSuite suite, std::size_t members)
    : suite_(suite), commander_(pki_.commander()) {
  for (std::size_t host = 0; host <= members; ++host) {
    test::HostOptions options;
    options.key_type = key_type;
    if (host == 0) {
      options.roles.insert(identity::Role::kController);
      options.groups = {"demo"};
    }
    hosts_.push_back(pki_.host(name_of(host), options));
  }
}

const test::TestGroup& Hosts::group_of(std::size_t members) {
  const auto found =
      std::ranges::find(groups_, members, &std::pair<std::size_t, test::TestGroup>::first);
  if (found != groups_.end()) return found->second;
  std::vector<identity::MemberList::Entry> list;
  for (std::size_t host = 0; host <= members; ++host) {
    list.push_back({name_of(host), address_of(host)});
  }
  test::PolicyOptions policy;
  policy.control_suite = suite_.name;
  return groups_.emplace_back(members, pki_.group(list, policy)).second;
}

Hosts::Running Hosts::start(std::size_t host) {
  const SocketAddress address{address_of(host), kControlPort};
  auto endpoint = Endpoint::make({.trust = pki_.trust(),
                                  .limits = {},
                                  .certificate = hosts_[host].certificate,
                                  .intermediates = {},
                                  .key = hosts_[host].key,
                                  .addresses = {address.ip},
                                  .port = address.port,
                                  .hosts = {}},
                                 {}, random_, kPresent);
  if (!endpoint) give_up("endpoint of " + name_of(host) + ": " + endpoint.error().text());
  return {std::move(*endpoint), address, {}};
}

/// Carries datagrams until none is left. Every call of an endpoint is on its own account.
void Hosts::deliver_all(std::vector<Running>& running) {
  struct Letter {
    SocketAddress from;
    protocol::Transmit transmit;
  };
  std::deque<Letter> under_way;
  const auto collect = [&under_way](Running& host) {
    host.used += cpu_of([&] { answer_events(host.endpoint); });
    std::optional<protocol::Transmit> transmit;
    do {
      host.used += cpu_of([&] { transmit = host.endpoint.poll_transmit(); });
      if (transmit) under_way.push_back({host.address, std::move(*transmit)});
    } while (transmit);
  };
  collect(running[0]);
  while (!under_way.empty()) {
    const Letter letter = std::move(under_way.front());
    under_way.pop_front();
    const auto to = std::ranges::find(running, letter.transmit.to, &Running::address);
    if (to == running.end()) continue;
    to->used += cpu_of(
        [&] { to->endpoint.handle_datagram(kPresent, letter.from, letter.transmit.octets); });
    collect(*to);
  }
}

GroupCost Hosts::create_group(std::size_t members) {
  const test::TestGroup& group = group_of(members);
  std::vector<Running> running;
  for (std::size_t host = 0; host <= members; ++host) running.push_back(start(host));

  const auto begun = running[0].endpoint.handle_command(kPresent, {group.token, group.member_list});
  if (!begun) give_up("the group cannot be created: " + begun.error().text());
  deliver_all(running);

  const auto view = running[0].endpoint.group("demo");
  if (!view || static_cast<std::size_t>(std::ranges::count(
                   view->members, MemberState::kKeyed, &protocol::MemberView::state)) != members) {
    give_up("not every member was keyed");
  }
  GroupCost cost{running[0].used, {}};
  for (std::size_t host = 1; host <= members; ++host) cost.members.push_back(running[host].used);
  return cost;
}

}  // namespace gkmpd::bench
