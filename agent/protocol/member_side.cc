#include "agent/protocol/member_side.h"

#include <algorithm>

#include "agent/protocol/errors.h"

namespace gkmpd::protocol {

using wire::MessageType;

Result<void> MemberSide::handle_datagram(Now now, const SocketAddress& from,
                                         const wire::Datagram& datagram, ByteView octets) {
  return wire::is_multicast(datagram.header.type) ? handle_multicast(now, datagram, octets)
                                                  : handle_exchange(now, from, datagram, octets);
}

Result<void> MemberSide::handle_multicast(Now now, const wire::Datagram& datagram,
                                          ByteView octets) {
  const auto found = groups_.find(datagram.header.group);
  if (found == groups_.end()) return fail(kUnknownGroup);
  MemberGroup& group = found->second;
  if (datagram.header.type == MessageType::kHeartbeat) {
    auto heard = group.handle_heartbeat(now, datagram, octets);
    follow(now, found->first, group);
    return heard;
  }
  if (datagram.header.type == MessageType::kRepairRequest) {
    return group.handle_repair_request(now, datagram);
  }
  auto keyed = group.handle_rekey(now, datagram);
  if (!keyed) return pass_on(keyed);
  if (*keyed) {
    const EpochTuple tuple = (*keyed)->epoch.statement.tuple;
    save_mark(std::move(**keyed), group.live().token(), tuple);
  }
  return {};
}

Result<void> MemberSide::handle_exchange(Now now, const SocketAddress& from,
                                         const wire::Datagram& datagram, ByteView octets) {
  const wire::Header& header = datagram.header;
  if (header.type == MessageType::kCookieDemand) return joins_.handle_cookie(now, from, datagram);
  const ExchangeKey key{header.group, header.exchange, from};
  const auto found = exchanges_.find(key);
  if (found == exchanges_.end()) return open_exchange(now, from, datagram, octets);
  auto outcome = found->second.handle_datagram(now, from, datagram, octets, epoch_of(header.group));
  if (!outcome) return pass_on(outcome);
  if (*outcome == MemberExchange::Outcome::kPrepared) {
    const MemberExchange::Prepared& prepared = *found->second.prepared();
    save_mark(key, prepared.token, prepared.epoch.statement.tuple);
  }
  if (*outcome == MemberExchange::Outcome::kEnded) {
    joins_.failed(now, header.group, header.exchange, found->second.why_ended(),
                  found->second.peer_proven());
  }
  return {};
}

Result<void> MemberSide::open_exchange(Now now, const SocketAddress& from,
                                       const wire::Datagram& datagram, ByteView octets) {
  const wire::Header& header = datagram.header;
  const bool opens =
      header.type == MessageType::kCreateGrpKeys1 || header.type == MessageType::kCreateSessionKek1;
  if (!opens) return fail(kUnknownExchange);
  if (exchanges_.size() >= kMaxMemberExchanges) return fail(kTooManyExchanges);
  const Bytes* request = joins_.request_of(header.group, header.exchange, from);
  const auto opened = exchanges_
                          .try_emplace(ExchangeKey{header.group, header.exchange, from}, context_,
                                       header.suite, header.group, header.exchange, from, now,
                                       request == nullptr ? Bytes{} : *request)
                          .first;
  // A first message that does not hold leaves nothing behind.
  auto outcome = opened->second.handle_datagram(now, from, datagram, octets, nullptr);
  if (!outcome) {
    exchanges_.erase(opened);
    return pass_on(outcome);
  }
  if (request != nullptr) joins_.answered(header.group);
  return {};
}

void MemberSide::save_mark(std::variant<ExchangeKey, KeyedEpoch> what,
                           const identity::GroupToken& token, const EpochTuple& tuple) {
  const GroupFloor* held = context_.floor(token.group_id);
  GroupFloor floor = held == nullptr ? GroupFloor{} : *held;
  floor.token = {token.policy.version, token.hash};
  floor.tuple = tuple;
  const SaveId id = context_.save(token.group_id, token.policy.group, floor);
  saves_.emplace(id, Saving{std::move(what), token.group_id, floor});
}

bool MemberSide::handle_saved(Now now, SaveId id, const Result<void>& outcome) {
  auto saved = saves_.extract(id);
  if (saved.empty()) return false;
  Saving& saving = saved.mapped();
  if (const auto* key = std::get_if<ExchangeKey>(&saving.what)) {
    exchange_saved(now, *key, saving.floor, outcome);
  } else {
    rekey_saved(now, std::get<KeyedEpoch>(std::move(saving.what)), saving.floor, outcome);
  }
  return true;
}

void MemberSide::exchange_saved(Now now, const ExchangeKey& key, const GroupFloor& floor,
                                const Result<void>& outcome) {
  const auto exchange = exchanges_.find(key);
  if (exchange == exchanges_.end() || exchange->second.prepared() == nullptr) return;
  if (!outcome) {
    exchange->second.abandon({kSaveFailed, outcome.error().text()});
    return;
  }
  if (auto place = check_place(exchange->second.prepared()->token, floor); !place) {
    exchange->second.abandon(place.error());
    return;
  }
  const SocketAddress controller = exchange->second.peer();
  auto prepared = exchange->second.acknowledge();
  commit(now,
         {std::move(prepared.token), std::move(prepared.controller), controller,
          std::move(prepared.epoch)},
         floor);
}

void MemberSide::rekey_saved(Now now, KeyedEpoch keyed, const GroupFloor& floor,
                             const Result<void>& outcome) {
  const auto group = groups_.find(keyed.token.group_id);
  if (group == groups_.end()) return;  // this host controls the group now
  Result<void> place = outcome;
  if (place) place = check_place(keyed.token, floor);
  if (!place) {
    context_.out.count(place.error().kind);
    context_.out.report({Report::Level::kWarning, "rekey-not-taken", keyed.token.policy.group,
                         keyed.controller.name, place.error().text()});
    group->second.rekey_not_saved(now, keyed.epoch.statement.tuple);
    return;
  }
  commit(now, std::move(keyed), floor);
}

Result<void> MemberSide::check_place(const identity::GroupToken& token, const GroupFloor& floor) {
  if (groups_.size() >= kMaxGroups) {
    std::erase_if(groups_, [&](const auto& entry) {
      return entry.first != token.group_id && entry.second.live().expired();
    });
  }
  if (groups_.size() >= kMaxGroups && !groups_.contains(token.group_id)) {
    return fail(kTooManyGroups, "this host holds keys of too many groups");
  }
  if (auto free = context_.check_addresses_free(token); !free) return free;
  if (const GroupFloor* held = context_.floor(token.group_id); held && held->tuple > floor.tuple) {
    return fail(kStatementStale, "a later epoch came in meanwhile");
  }
  return {};
}

/// States 8 and 10, last step: the key table takes the new keys.
void MemberSide::commit(Now now, KeyedEpoch keyed, const GroupFloor& floor) {
  const GroupId id = keyed.token.group_id;
  context_.floors[id] = floor;
  joins_.done(id);
  const auto held = groups_.find(id);
  const bool repeated = held != groups_.end() && held->second.live().epoch().id == keyed.epoch.id;
  if (!repeated) {
    context_.out.report({Report::Level::kInfo, "keyed", keyed.token.policy.group,
                         keyed.controller.name, "epoch " + keyed.epoch.statement.tuple.text()});
    context_.take_addresses(keyed.token);
    context_.former_addresses.erase(id);
  }
  if (held != groups_.end()) {
    held->second.take(now, std::move(keyed));
  } else {
    groups_.try_emplace(id, context_, std::move(keyed), now);
  }
}

void MemberSide::handle_timeout(Now now) {
  std::erase_if(exchanges_, [&](const auto& entry) {
    const auto& [key, exchange] = entry;
    if (now.mono < exchange.forget_at() || exchange.prepared() != nullptr) return false;
    joins_.failed(now, std::get<GroupId>(key), std::get<ExchangeId>(key),
                  "the controller fell silent", /*refused=*/false);
    return true;
  });
  for (auto& [id, group] : groups_) {
    group.handle_timeout(now);
    follow(now, id, group);
  }
  joins_.handle_timeout(now);
}

void MemberSide::follow(Now now, const GroupId& id, const MemberGroup& group) {
  if (!group.needs_controller(now)) return joins_.no_need(id);
  joins_.need(now, id, group.live().token().policy.group, group.controller_address(),
              random_wait(context_.random, kRejoinSpread));
}

Result<void> MemberSide::join(Now now, const GroupId& group, const std::string& name,
                              const SocketAddress& controller) {
  const auto held = groups_.find(group);
  if (held != groups_.end() && !held->second.live().expired() && !held->second.silent()) {
    return fail(kAlreadyMember, "this host is a member of " + name);
  }
  return joins_.ask(now, group, name, controller);
}

void MemberSide::rejoin(Now now, const AdoptedGroup& group) {
  // A former version did not write down where the controller is.
  if (group.memo.controller_address.port == 0) return;
  joins_.need(now, group.id, group.name, group.memo.controller_address,
              random_wait(context_.random, kRejoinSpread));
}

bool MemberSide::handle_installed(Now now, InstallId id, const Result<void>& outcome) {
  return std::ranges::any_of(
      groups_, [&](auto& entry) { return entry.second.live().handle_installed(now, id, outcome); });
}

void MemberSide::handle_kernel_change(Now now, const IpAddress& data_address) {
  for (auto& [id, group] : groups_) group.live().handle_kernel_change(now, data_address);
}

std::optional<MonoTime> MemberSide::next_timeout() const {
  std::optional<MonoTime> earliest = joins_.next_timeout();
  for (const auto& [key, exchange] : exchanges_) {
    if (exchange.prepared() == nullptr) keep_earlier(earliest, exchange.forget_at());
  }
  for (const auto& [id, group] : groups_) keep_earlier(earliest, group.next_timeout());
  return earliest;
}

void MemberSide::describe(std::vector<GroupView>& views) const {
  for (const auto& [id, group] : groups_) views.push_back(group.describe());
  joins_.describe(views);
}

const LiveGroup* MemberSide::live_group(const GroupId& group) const {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : &found->second.live();
}

const Epoch* MemberSide::epoch_of(const GroupId& group) const {
  const LiveGroup* live = live_group(group);
  return live == nullptr ? nullptr : &live->epoch();
}

}  // namespace gkmpd::protocol
