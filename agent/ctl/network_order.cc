// The commander's orders over the network, from any host.
#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "agent/crypto/random.h"
#include "agent/ctl/client.h"
#include "agent/ctl/group_order.h"
#include "agent/ctl/output.h"
#include "agent/ctl/progress.h"
#include "agent/ctl/signer.h"
#include "agent/ctl/udp_link.h"
#include "agent/daemon/files.h"
#include "agent/daemon/loop.h"
#include "agent/identity/token.h"
#include "agent/protocol/commander.h"
#include "agent/protocol/errors.h"

namespace gkmpd::ctl {
namespace {

using daemon::Json;

Now present() { return {daemon::mono_now(), daemon::wall_now()}; }

/// Everything that one order needs.
struct Session {
  crypto::SystemRandom random;
  std::optional<protocol::Commander> commander;
  std::optional<UdpLink> link;
};

Result<protocol::CommanderConfig> read_config(const GroupOrder& order) {
  auto controller = read_endpoint(order.controller);
  if (!controller) return pass_on(controller);
  auto trust = read_trust(order.anchor, order.crl, daemon::wall_now());
  if (!trust) return pass_on(trust);
  auto signer = read_signer(order.certificate, order.key);
  if (!signer) return pass_on(signer);
  return protocol::CommanderConfig{
      .trust = std::move(*trust),
      .certificate = signer->certificate,
      .intermediates = signer->intermediates,
      .key = signer->key,
      .controller = *controller,
      .counter = counter_of_now(),
      .sign = [signer = *signer](const identity::CommandText& text) {
        return identity::sign_command(text, signer.certificate, signer.key, signer.intermediates);
      }};
}

Result<std::optional<IpAddress>> own_address(const GroupOrder& order) {
  if (order.own_address.empty()) return std::optional<IpAddress>();
  const auto own = IpAddress::parse(order.own_address);
  if (!own) return fail(kBadEndpoint, order.own_address + " is no address of a host");
  return own;
}

Result<void> open_session(const GroupOrder& order, Session& session) {
  auto token = daemon::read_text_file(order.token_file, identity::kMaxTokenSize);
  if (!token) return pass_on(token);
  protocol::CommanderOrder wanted{
      .token = to_bytes(as_bytes(*token)), .member_list = {}, .action = order.action};
  if (order.action == identity::CommandAction::kCreate) {
    auto members = daemon::read_text_file(order.members_file, identity::kMaxMemberListSize);
    if (!members) return pass_on(members);
    wanted.member_list = *std::move(members);
  }
  auto own = own_address(order);
  if (!own) return pass_on(own);
  auto config = read_config(order);
  if (!config) return pass_on(config);
  auto commander =
      protocol::Commander::make(std::move(*config), std::move(wanted), session.random, present());
  if (!commander) return pass_on(commander);
  session.commander.emplace(std::move(*commander));
  auto link = UdpLink::open(session.commander->controller(), *own);
  if (!link) return pass_on(link);
  session.link.emplace(std::move(*link));
  return {};
}

/// What came from there and was dropped, by name: why somebody that did answer was not heard.
std::string dropped(const protocol::Commander& commander) {
  std::string names;
  for (const auto& [name, count] : commander.counters()) {
    if (commander.error() && commander.error()->name() == name) continue;
    names += fmt::format("{}{} {}", names.empty() ? "; dropped: " : ", ", name, count);
  }
  return names;
}

int finish_failed(const GroupOrder& order, const Session& session, bool accepted) {
  Error error = *session.commander->error();
  if (!session.commander->refused_as().empty()) {
    const std::string& name = session.commander->refused_as();
    return print_refusal(order.json, name, with_remedy(name, std::move(error.detail)));
  }
  if (error.kind == protocol::kTimeout) error.detail += dropped(*session.commander);
  const int code = fail_with(order.json, error);
  return error.kind == protocol::kTimeout && !accepted ? kExitNotReachable : code;
}

/// One turn: sends what is to be sent, waits for a datagram or a timer, and hands it on.
void turn(Session& session, std::optional<MonoTime> deadline) {
  protocol::Commander& commander = *session.commander;
  while (auto transmit = commander.poll_transmit()) session.link->send(transmit->octets);
  MonoTime until = deadline.value_or(MonoTime::max());
  if (const auto timeout = commander.poll_timeout()) until = std::min(until, *timeout);
  const auto octets = session.link->read(until - daemon::mono_now());
  const Now now = present();
  if (octets) commander.handle_datagram(now, commander.controller(), *octets);
  const auto due = commander.poll_timeout();
  if (due && now.mono >= *due) commander.handle_timeout(now);
}

/// Until what was ordered has ended, time is up, or, without waiting, the order is taken.
int follow(const GroupOrder& order, Session& session) {
  std::optional<MonoTime> deadline;
  if (order.wait_s) deadline = daemon::mono_now() + seconds(*order.wait_s);
  Json group;
  while (true) {
    turn(session, deadline);
    const bool accepted = session.commander->group().has_value();
    if (session.commander->error()) return finish_failed(order, session, accepted);
    if (accepted) {
      Json news = daemon::to_json(*session.commander->group());
      if (!order.json && group.is_null()) show_accepted(order.action, news);
      if (!order.json && !group.is_null()) {
        for (const auto& line : progress_lines(group, news)) print(line + "\n");
      }
      group = std::move(news);
      if (!order.wait_s) return finish_order(order.json, order.action, group, /*waited=*/false);
      if (verdict_on(order.action, group) != Verdict::kGoing) break;
    }
    if (deadline && daemon::mono_now() >= *deadline) {
      if (accepted) break;
      const std::string where = session.commander->controller().text();
      return fail_with(order.json,
                       {kUnreachable, fmt::format("no answer from {} within {} s{}", where,
                                                  *order.wait_s, dropped(*session.commander))});
    }
  }
  return finish_order(order.json, order.action, group, /*waited=*/true);
}

}  // namespace

int order_over_network(const GroupOrder& order) {
  Session session;
  if (auto opened = open_session(order, session); !opened) {
    return fail_with(order.json, opened.error());
  }
  return follow(order, session);
}

}  // namespace gkmpd::ctl
