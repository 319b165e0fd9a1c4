// Members who ask (RFC 2093 4.13, state 11, figure 4).
#include <algorithm>

#include "agent/protocol/controller_group.h"
#include "agent/protocol/errors.h"

namespace gkmpd::protocol {

Result<void> ControllerGroup::handle_join(Now now, const SocketAddress& from,
                                          const wire::Datagram& datagram, ByteView octets) {
  if (token_.policy.joins == identity::JoinPolicy::kNone) return fail(kJoinsClosed);
  const wire::Header& header = datagram.header;
  if (header != wire::Header{.type = header.type,
                             .role = header.role,
                             .exchange = header.exchange,
                             .group = header.group,
                             .message_number = 1}) {
    return fail(kUnexpectedMessage, "a request to join with another suite or number");
  }
  auto message = wire::decode_body(header.type, datagram.body);
  if (!message) return pass_on(message);
  const auto& request = std::get<wire::RequestGroupJoin>(*message);
  const CookieQuestion question{from, header, request.nonce};
  const bool shown =
      request.cookie && context_.cookies.is_ours(now, context_.random, question, *request.cookie);
  if (!shown) {
    demand_cookie(now, question);
    return fail(kCookieWanted, from.text());
  }
  if (const auto open = exchanges_.find(header.exchange); open != exchanges_.end()) {
    if (open->second->member().address == from) open->second->join_repeated(now, octets);
    return {};
  }
  // Members send from the port of all control: whoever comes from another is none.
  if (from.port != token_.policy.control_port) return fail(kWrongPeer, from.text());
  if (auto may = join_checks_.spend(now); !may) return may;
  auto key = crypto::PublicKey::from_spki(request.public_key);
  if (!key) return pass_on(key);
  const ByteView covered = octets.first(wire::kHeaderSize + wire::unsigned_size(datagram.body));
  auto good = key->verify(crypto::SignatureContext::kJoin, {covered}, request.signature);
  if (!good) return good;
  if (auto room = make_room_for_join(from); !room) return room;
  auto flow = flow_of_join();
  if (!flow) return pass_on(flow);
  return open_join(now, *flow, from, datagram, octets);
}

void ControllerGroup::demand_cookie(Now now, const CookieQuestion& question) {
  wire::Header header = question.header;
  header.type = wire::MessageType::kCookieDemand;
  header.role = wire::SenderRole::kController;
  const wire::CookieDemand demand{context_.cookies.bake(now, context_.random, question)};
  context_.out.transmit(question.from, plain_datagram(header, demand));
}

Result<Flow> ControllerGroup::flow_of_join() const {
  if (live_) return Flow::kSession;
  const bool somebody_makes = std::ranges::any_of(
      exchanges_, [](const auto& open) { return open.second->flow() == Flow::kGroup; });
  if (!making_ || making_->save || somebody_makes) return fail(kNotReady);
  return Flow::kGroup;
}

/// Whoever asks anew from the same place has forgotten what it asked before, unless it has answered
/// since; and one that has not answered has to make room, so that no host keeps all the others out.
Result<void> ControllerGroup::make_room_for_join(const SocketAddress& from) {
  const auto drop_first = [&](const auto& wanted) {
    const auto found = std::ranges::find_if(exchanges_, [&](const auto& open) {
      return open.second->is_join() && open.second->is_unanswered() && wanted(*open.second);
    });
    if (found == exchanges_.end()) return false;
    if (makes_keys(*found->second)) making_->exchange.reset();
    exchanges_.erase(found);
    return true;
  };
  drop_first([&](const auto& open) { return open.member().address.ip == from.ip; });
  const auto joins =
      std::ranges::count_if(exchanges_, [](const auto& open) { return open.second->is_join(); });
  if (static_cast<std::size_t>(joins) < kMaxJoinExchanges) return {};
  if (drop_first([](const auto&) { return true; })) return {};
  return fail(kTooManyExchanges, "joins");
}

Result<void> ControllerGroup::open_join(Now now, Flow flow, const SocketAddress& from,
                                        const wire::Datagram& datagram, ByteView octets) {
  const ExchangeId id = datagram.header.exchange;
  auto admit = [this](const identity::Host& host) { return check_may_join(host); };
  auto exchange =
      std::make_unique<ControllerExchange>(context_, token_, flow, Candidate{"", from},
                                           JoinRequest{id, to_bytes(octets), std::move(admit)});
  if (auto started = exchange->start(now, kMaxAnsweredTransmissions); !started) return started;
  exchanges_.emplace(id, std::move(exchange));
  if (flow == Flow::kGroup) making_->exchange = id;
  context_.out.report({Report::Level::kDebug, "join-asked", token_.policy.group, from.text(), ""});
  return {};
}

Result<void> ControllerGroup::check_may_join(const identity::Host& host) const {
  if (host.name == context_.self.name) return fail(kWrongHost, "this host itself asks to join");
  if (std::ranges::find(members_, host.name, &Entry::name) != members_.end()) return {};
  if (token_.policy.joins != identity::JoinPolicy::kPermitted) {
    return fail(kJoinNotListed, host.name + " is not on the member list");
  }
  if (members_.size() >= identity::kMaxMembers) {
    return fail(kTooManyMembers, "the group has " + std::to_string(members_.size()) + " members");
  }
  return {};
}

ControllerGroup::Entry& ControllerGroup::enroll(const ControllerExchange& exchange) {
  const Candidate& member = exchange.member();
  // An exchange that this host opened with it meanwhile is not needed any more.
  std::erase_if(exchanges_, [&](const auto& open) {
    return open.second.get() != &exchange && open.second->flow() == Flow::kSession &&
           open.second->member().name == member.name;
  });
  Entry* entry = entry_of(exchange);
  if (entry == nullptr) entry = &members_.emplace_back();
  entry->name = member.name;
  entry->address = member.address.ip;
  entry->refused = false;
  entry->broken_off = false;
  entry->why.clear();
  entry->retry_at.reset();
  entry->retry_wait = kRetryMemberFirst;
  return *entry;
}

}  // namespace gkmpd::protocol
