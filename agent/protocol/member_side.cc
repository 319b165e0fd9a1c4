#include "agent/protocol/member_side.h"

#include <algorithm>

#include "agent/protocol/errors.h"

namespace gkmpd::protocol {

using wire::MessageType;

Result<void> MemberSide::handle_datagram(Now now, const SocketAddress& from,
                                         const wire::Datagram& datagram, ByteView octets) {
  const wire::Header& header = datagram.header;
  if (header.type == MessageType::kHeartbeat) return handle_heartbeat(now, datagram, octets);

  const ExchangeKey key{header.group, header.exchange, from};
  auto found = exchanges_.find(key);
  if (found == exchanges_.end()) {
    const bool opens = header.type == MessageType::kCreateGrpKeys1 ||
                       header.type == MessageType::kCreateSessionKek1;
    if (!opens) return fail(kUnknownExchange);
    if (exchanges_.size() >= kMaxMemberExchanges) return fail(kTooManyExchanges);
    found = exchanges_
                .try_emplace(key, context_, header.suite, header.group, header.exchange, from, now)
                .first;
    // A first message that does not hold leaves nothing behind.
    auto outcome = found->second.handle_datagram(now, from, datagram, octets, nullptr);
    if (!outcome) {
      exchanges_.erase(found);
      return pass_on(outcome);
    }
    return {};
  }
  auto outcome = found->second.handle_datagram(now, from, datagram, octets, epoch_of(header.group));
  if (!outcome) return pass_on(outcome);
  if (*outcome == MemberExchange::Outcome::kPrepared) save_mark(key, *found->second.prepared());
  return {};
}

void MemberSide::save_mark(const ExchangeKey& key, const MemberExchange::Prepared& prepared) {
  const GroupFloor* held = context_.floor(std::get<GroupId>(key));
  GroupFloor floor = held == nullptr ? GroupFloor{} : *held;
  floor.token = {prepared.token.policy.version, prepared.token.hash};
  floor.tuple = prepared.epoch.statement.tuple;
  const SaveId id = context_.save(std::get<GroupId>(key), prepared.token.policy.group, floor);
  saves_.emplace(id, std::pair{key, floor});
}

bool MemberSide::handle_saved(Now now, SaveId id, const Result<void>& outcome) {
  const auto saved = saves_.find(id);
  if (saved == saves_.end()) return false;
  const auto [key, floor] = saved->second;
  saves_.erase(saved);
  const auto exchange = exchanges_.find(key);
  if (exchange == exchanges_.end() || exchange->second.prepared() == nullptr) return true;

  if (!outcome) {
    exchange->second.abandon({kSaveFailed, outcome.error().text()});
    return true;
  }
  if (groups_.size() >= kMaxGroups) {
    std::erase_if(groups_, [](const auto& entry) { return entry.second.live.expired(); });
  }
  if (groups_.size() >= kMaxGroups && !groups_.contains(std::get<GroupId>(key))) {
    exchange->second.abandon({kTooManyGroups, "this host holds keys of too many groups"});
    return true;
  }
  if (auto free = context_.check_addresses_free(exchange->second.prepared()->token); !free) {
    exchange->second.abandon(free.error());
    return true;
  }
  if (const GroupFloor* held = context_.floor(std::get<GroupId>(key));
      held && held->tuple > floor.tuple) {
    exchange->second.abandon({kStatementStale, "a later epoch came in meanwhile"});
    return true;
  }
  context_.floors[std::get<GroupId>(key)] = floor;
  commit(now, exchange->second.acknowledge(), exchange->second.peer());
  return true;
}

/// State 8, last step: the key table takes the new keys.
void MemberSide::commit(Now now, MemberExchange::Prepared prepared,
                        const SocketAddress& controller) {
  const GroupId id = prepared.token.group_id;
  const auto held = groups_.find(id);
  if (held != groups_.end() && held->second.live.epoch().id == prepared.epoch.id) return;

  context_.out.report({Report::Level::kInfo, "keyed", prepared.token.policy.group,
                       prepared.controller.name, "epoch " + prepared.epoch.statement.tuple.text()});
  const MonoTime silent_at = silence_after(now, prepared.token.policy);
  if (held != groups_.end()) {
    const SocketAddress heard_so_far = held->second.live.control_multicast();
    const identity::GroupPolicy& policy = prepared.token.policy;
    if (heard_so_far != SocketAddress{policy.control_address, policy.control_port}) {
      context_.out.event(LeaveControl{id, heard_so_far});
    }
  }
  context_.take_addresses(prepared.token);
  context_.former_addresses.erase(prepared.token.group_id);
  LiveGroup live(context_, std::move(prepared.token), std::move(prepared.epoch), now,
                 held == groups_.end() ? nullptr : &held->second.live);
  if (held != groups_.end()) groups_.erase(held);
  groups_.emplace(id, Group{.controller = std::move(prepared.controller),
                            .controller_address = controller,
                            .live = std::move(live),
                            .silent_at = silent_at});
}

Result<void> MemberSide::handle_heartbeat(Now now, const wire::Datagram& datagram,
                                          ByteView octets) {
  const auto found = groups_.find(datagram.header.group);
  if (found == groups_.end()) return fail(kUnknownGroup);
  Group& group = found->second;
  auto message = wire::decode_body(MessageType::kHeartbeat, datagram.body);
  if (!message) return pass_on(message);
  const auto& heartbeat = std::get<wire::Heartbeat>(*message);

  if (auto good = check_heartbeat(now, group, heartbeat); !good) return good;
  if (datagram.header.suite != group.live.token().policy.control_suite) return fail(kSuiteDiffers);
  if (!may_check(now, group)) return fail(kHeartbeatRate);
  const ByteView signed_octets =
      octets.first(wire::kHeaderSize + wire::unsigned_size(datagram.body));
  auto good = group.controller.certificate.public_key().verify(
      crypto::SignatureContext::kHeartbeat, {signed_octets}, heartbeat.signature);
  if (!good) return good;

  group.heartbeat_number = heartbeat.number;
  group.heard_active = heartbeat.active;
  group.silent_at = silence_after(now, group.live.token().policy);
  if (group.silent) {
    group.silent = false;
    context_.out.report({Report::Level::kInfo, "controller-heard-again",
                         group.live.token().policy.group, group.controller.name, ""});
  }
  note_crls(context_, heartbeat.crl_numbers);
  return {};
}

/// All that needs no cryptography comes first (profile S24).
Result<void> MemberSide::check_heartbeat(Now now, const Group& group,
                                         const wire::Heartbeat& heartbeat) const {
  const Epoch& epoch = group.live.epoch();
  if (heartbeat.tuple > epoch.statement.tuple) return fail(kHeartbeatNewerEpoch);
  if (heartbeat.tuple < epoch.statement.tuple || heartbeat.number <= group.heartbeat_number) {
    return fail(kHeartbeatStale);
  }
  if (heartbeat.time > now.wall + identity::kClockSkew ||
      heartbeat.time < now.wall - identity::kClockSkew) {
    return fail(kHeartbeatTime);
  }
  if (heartbeat.epoch_id != epoch.id || heartbeat.token_hash != epoch.statement.token_hash ||
      heartbeat.exclusion_hash != epoch.statement.exclusion_hash ||
      heartbeat.control_multicast != group.live.control_multicast() ||
      heartbeat.control_unicast != group.controller_address) {
    return fail(kHeartbeatContent);
  }
  return {};
}

bool MemberSide::may_check(Now now, Group& group) const {
  if (now.mono - group.checks_since >= seconds(1)) {
    group.checks_since = now.mono;
    group.checks = 0;
  }
  return ++group.checks <= kHeartbeatChecksPerSecond;
}

MonoTime MemberSide::silence_after(Now now, const identity::GroupPolicy& policy) const {
  return now.mono + milliseconds(policy.heartbeat_interval_ms) * kSilenceIntervals;
}

void MemberSide::follow(Now now, Group& group) {
  group.live.handle_timeout(now);
  if (!group.silent && !group.live.expired() && now.mono >= group.silent_at) {
    group.silent = true;
    context_.out.report({Report::Level::kWarning, "controller-silent",
                         group.live.token().policy.group, group.controller.name,
                         "keys stay in use until their end"});
  }
}

void MemberSide::handle_timeout(Now now) {
  std::erase_if(exchanges_, [&](const auto& entry) {
    return now.mono >= entry.second.forget_at() && entry.second.prepared() == nullptr;
  });
  for (auto& [id, group] : groups_) follow(now, group);
}

bool MemberSide::handle_installed(Now now, InstallId id, const Result<void>& outcome) {
  return std::ranges::any_of(
      groups_, [&](auto& entry) { return entry.second.live.handle_installed(now, id, outcome); });
}

void MemberSide::handle_kernel_change(Now now, const IpAddress& data_address) {
  for (auto& [id, group] : groups_) group.live.handle_kernel_change(now, data_address);
}

std::optional<MonoTime> MemberSide::next_timeout() const {
  std::optional<MonoTime> earliest;
  for (const auto& [key, exchange] : exchanges_) {
    if (exchange.prepared() == nullptr) keep_earlier(earliest, exchange.forget_at());
  }
  for (const auto& [id, group] : groups_) {
    keep_earlier(earliest, group.live.next_timeout());
    if (!group.silent && !group.live.expired()) keep_earlier(earliest, group.silent_at);
  }
  return earliest;
}

void MemberSide::describe(std::vector<GroupView>& views) const {
  for (const auto& [id, group] : groups_) {
    GroupView view;
    group.live.describe(view);
    view.role = GroupRole::kMember;
    view.controller = group.controller.name;
    view.controller_address = group.controller_address;
    view.state = group.live.expired() ? GroupState::kExpired
                 : group.silent       ? GroupState::kSilent
                 : group.heard_active ? GroupState::kActive
                                      : GroupState::kPending;
    views.push_back(std::move(view));
  }
}

const LiveGroup* MemberSide::live_group(const GroupId& group) const {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : &found->second.live;
}

const Epoch* MemberSide::epoch_of(const GroupId& group) const {
  const LiveGroup* live = live_group(group);
  return live == nullptr ? nullptr : &live->epoch();
}

}  // namespace gkmpd::protocol
