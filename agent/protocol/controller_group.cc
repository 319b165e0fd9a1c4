#include "agent/protocol/controller_group.h"

#include <algorithm>
#include <utility>

#include "agent/crypto/errors.h"
#include "agent/protocol/errors.h"
#include "agent/protocol/rekey_package.h"
#include "agent/protocol/review.h"

namespace gkmpd::protocol {
namespace {

/// Failures that say nothing of the member itself.
bool is_of_the_network(const Error& error) {
  return error.kind == kTimeout || error.kind == crypto::kBadShare;
}

}  // namespace

ControllerGroup::ControllerGroup(Context& context, identity::GroupToken token, std::uint8_t rank)
    : context_(context), token_(std::move(token)), rank_(rank) {}

Result<std::unique_ptr<ControllerGroup>> ControllerGroup::make(
    Context& context, const CreateGroupCommand& command, const std::optional<CommandMark>& mark,
    Now now) {
  auto token = review_token(context, command.token, now);
  if (!token) return pass_on(token);
  auto self = context.config.trust.check_host(context.config.certificate,
                                              context.config.intermediates, now.wall);
  if (!self) return pass_on(self);
  auto rank = review_controller(token->policy, *self);
  if (!rank) return pass_on(rank);
  if (auto good = review_member(token->policy, *self); !good) return pass_on(good);
  auto list = identity::check_member_list(command.member_list, token->policy);
  if (!list) return pass_on(list);

  std::unique_ptr<ControllerGroup> group(new ControllerGroup(context, std::move(*token), *rank));
  if (auto good = group->take_members(*list); !good) return pass_on(good);
  if (auto good = group->plan_epoch(); !good) return pass_on(good);
  if (auto good = group->assign_senders(); !good) return pass_on(good);
  if (mark) group->floor_.marks.raise(*mark);
  return group;
}

void ControllerGroup::begin() {
  if (const auto held = context_.addresses.find(token_.group_id);
      held != context_.addresses.end()) {
    earlier_addresses_ = held->second;
  }
  context_.take_addresses(token_);
  std::deque<std::size_t> candidates;
  for (int round = 0; round < kFirstMemberRounds; ++round) {
    for (std::size_t member = 0; member < members_.size(); ++member) candidates.push_back(member);
  }
  make_epoch(wire::Cause::kCreate, std::move(candidates));
}

void ControllerGroup::make_epoch(wire::Cause cause, std::deque<std::size_t> candidates) {
  making_ = Making{cause, std::move(candidates)};
  making_->save = context_.save(token_.group_id, token_.policy.group, floor_);
}

bool ControllerGroup::is_waiting() const {
  return receiver_initiated_ && !live_ && !failed_ && exchanges_.empty();
}

bool ControllerGroup::over() const { return failed_ || (live_ && live_->expired()); }

bool ControllerGroup::handle_saved(Now now, SaveId id, const Result<void>& outcome) {
  if (!making_ || making_->save != id) return false;
  making_->save.reset();
  if (!outcome) {
    making_failed(now, {kSaveFailed, outcome.error().text()});
    return true;
  }
  context_.floors[token_.group_id] = floor_;
  try_first_member(now);
  return true;
}

void ControllerGroup::making_failed(Now now, Error why) {
  if (!live_) return fail_group(std::move(why));
  making_.reset();
  rekey_orders_.failed();
  rekey_error_ = why.text();
  context_.out.count(why.kind);
  context_.out.report({Report::Level::kError, "rekey-failed", token_.policy.group, "", why.text()});
  rekey_at_ = now.mono + rekey_retry_wait_;
  rekey_retry_wait_ = std::min(rekey_retry_wait_ * 2, kRetryRekeyMax);
}

bool ControllerGroup::open_exchange(Now now, std::size_t member, Flow flow) {
  Entry& entry = members_[member];
  const SocketAddress address{entry.address, token_.policy.control_port};
  auto exchange =
      std::make_unique<ControllerExchange>(context_, token_, flow, Candidate{entry.name, address});
  if (!is_rekeying() || flow == Flow::kSession) {
    entry.state = MemberState::kAsked;
    entry.why.clear();
    entry.retry_at.reset();
  }
  int transmissions = kMaxTransmissions;
  if (flow == Flow::kGroup) {
    transmissions = is_rekeying() ? kMaxRekeyTransmissions : kMaxFirstMemberTransmissions;
  }
  if (auto started = exchange->start(now, transmissions); !started) {
    entry.state = MemberState::kFailed;
    entry.why = started.error().text();
    entry.refused = true;  // our own key does not sign: asking again would not help
    context_.out.count(started.error().kind);
    return false;
  }
  const ExchangeId id = exchange->id();
  exchanges_.emplace(id, std::move(exchange));
  if (flow == Flow::kGroup) making_->exchange = id;
  context_.out.report({Report::Level::kDebug, "member-asked", token_.policy.group, entry.name,
                       flow == Flow::kGroup ? "to make the group keys" : "to take the group keys"});
  return true;
}

/// Figure 1 with the next candidate. A list that is gone through for a creation ends it (readings
/// 10); a rekey goes on without a first member (profile K10).
void ControllerGroup::try_first_member(Now now) {
  while (making_ && !making_->candidates.empty()) {
    const std::size_t candidate = making_->candidates.front();
    making_->candidates.pop_front();
    if (!members_[candidate].refused && open_exchange(now, candidate, Flow::kGroup)) return;
  }
  if (is_rekeying()) {
    (void)begin_epoch(now, make_keys_alone(context_.random), "");
    return;
  }
  if (receiver_initiated_) return;  // until somebody asks
  const bool anybody_left = !std::ranges::all_of(members_, &Entry::refused);
  fail_group({kNoMemberAnswered, anybody_left ? "no listed member answered"
                                              : "every listed member refused or was refused"});
}

/// Figure 2 with as many members at a time as the limit allows.
void ControllerGroup::distribute(Now now) {
  if (!live_) return;
  for (std::size_t i = 0; i < members_.size() && exchanges_.size() < kMaxExchangesPerGroup; ++i) {
    Entry& entry = members_[i];
    const bool due = entry.retry_at && now.mono >= *entry.retry_at;
    if (entry.state == MemberState::kWaiting || due) {
      if (!open_exchange(now, i, Flow::kSession)) note_decided();
    }
  }
}

Result<void> ControllerGroup::handle_datagram(Now now, const SocketAddress& from,
                                              const wire::Datagram& datagram, ByteView octets) {
  const auto found = exchanges_.find(datagram.header.exchange);
  if (found == exchanges_.end()) return fail(kUnknownExchange);
  auto outcome = found->second->handle_datagram(now, from, datagram, octets);
  if (!outcome) return pass_on(outcome);
  act_on(now, *found->second, *outcome);
  return {};
}

void ControllerGroup::act_on(Now now, ControllerExchange& exchange,
                             ControllerExchange::Outcome outcome) {
  switch (outcome) {
    case ControllerExchange::Outcome::kNothing:
      return;
    case ControllerExchange::Outcome::kAnswered:
      if (Entry* entry = entry_of(exchange); entry != nullptr && !is_first_again(exchange)) {
        entry->state = MemberState::kNegotiating;
      }
      return;
    case ControllerExchange::Outcome::kReviewed:
      if (exchange.is_join()) enroll(exchange);
      if (!is_first_again(exchange)) entry_of(exchange)->state = MemberState::kDownloading;
      member_reviewed(now, exchange);
      return;
    case ControllerExchange::Outcome::kAcknowledged:
      member_keyed(*entry_of(exchange));
      exchanges_.erase(ExchangeId(exchange.id()));
      distribute(now);
      return;
    case ControllerExchange::Outcome::kFailed:
      member_failed(now, exchange);
      return;
  }
}

/// States 4 and 7. With the first member reviewed the epoch is signed and begins.
void ControllerGroup::member_reviewed(Now now, ControllerExchange& exchange) {
  if (exchange.flow() == Flow::kGroup) {
    const ExchangeId id = exchange.id();
    // One tuple is signed once: only the exchange of the epoch that is being made brings its keys.
    if (!makes_keys(exchange) ||
        !begin_epoch(now, exchange.take_created(), exchange.member().name)) {
      exchanges_.erase(id);
      return;
    }
  }
  exchange.download(now, live_->epoch());
  if (exchange.flow() == Flow::kGroup) distribute(now);
}

bool ControllerGroup::begin_epoch(Now now, NewKeys keys, const std::string& with) {
  const EpochId previous = live_ ? live_->epoch().id : EpochId{};
  auto epoch = sign_epoch(context_,
                          {.token = token_,
                           .tuple = floor_.tuple,
                           .keys = std::move(keys),
                           .senders = senders_,
                           .cause = making_->cause,
                           .previous = previous},
                          now);
  if (!epoch) {
    making_failed(now, epoch.error());
    return false;
  }
  making_.reset();
  rekey_orders_.done();
  rekey_error_.clear();
  context_.out.report({Report::Level::kInfo, "epoch-created", token_.policy.group, with,
                       "epoch " + floor_.tuple.text() + (live_ ? ", a rekey" : "")});
  heartbeat_at_ = now.mono;
  rekey_retry_wait_ = kRetryRekeyFirst;
  if (token_.policy.actions.contains(identity::Action::kRekey)) {
    rekey_at_ = now.mono + seconds(token_.policy.rekey_interval_s);
  }
  if (rekey_orders_.waiting()) rekey_at_ = now.mono;
  if (live_) {
    Bytes datagram = rekey_datagram(*epoch, live_->epoch());
    live_->advance(token_, std::move(*epoch), own_address(), now);
    shelf_.keep(now, previous, datagram);
    send_rekey(now, std::move(datagram));
    return true;
  }
  live_.emplace(context_, token_, std::move(*epoch), own_address(), now);
  context_.former_addresses.erase(token_.group_id);
  // Those who failed as first member have their turn again with all others.
  for (Entry& entry : members_) {
    if (entry.state != MemberState::kFailed) continue;
    if (entry.refused) {
      entry.retry_at = now.mono + kRetryMemberMax;
    } else {
      entry.state = MemberState::kWaiting;
    }
  }
  return true;
}

/// State 9: the group management log.
void ControllerGroup::member_keyed(Entry& member) {
  member.state = MemberState::kKeyed;
  member.refused = false;
  context_.out.report({Report::Level::kInfo, "member-keyed", token_.policy.group, member.name,
                       "epoch " + live_->epoch().statement.tuple.text()});
  note_decided();
}

/// Tells once that every listed member has been keyed or has failed; later retries do not take it
/// back.
void ControllerGroup::note_decided() {
  const bool decided =
      live_ && std::ranges::all_of(members_, [](const Entry& entry) {
        return entry.state == MemberState::kKeyed || entry.state == MemberState::kFailed;
      });
  if (!decided || distributed_) return;
  distributed_ = true;
  const auto keyed = std::ranges::count(members_, MemberState::kKeyed, &Entry::state);
  context_.out.report(
      {Report::Level::kInfo, "distribution-finished", token_.policy.group, "",
       std::to_string(keyed) + " of " + std::to_string(members_.size()) + " members keyed"});
}

void ControllerGroup::member_failed(Now now, ControllerExchange& exchange) {
  const Error why = exchange.take_error();
  Entry* found = entry_of(exchange);
  if (found == nullptr) {
    context_.out.report({Report::Level::kWarning, "join-failed", token_.policy.group,
                         exchange.member().address.text(), why.text()});
    exchanges_.erase(ExchangeId(exchange.id()));
    distribute(now);
    return;
  }
  Entry& entry = *found;
  if (is_first_again(exchange)) {
    exchanges_.erase(ExchangeId(exchange.id()));
    first_member_failed(now, entry, why);
    return;
  }
  const bool broke_off = why.kind == kTimeout && (entry.state == MemberState::kNegotiating ||
                                                  entry.state == MemberState::kDownloading);
  entry.state = MemberState::kFailed;
  entry.why = why.text();
  entry.refused = !is_of_the_network(why);
  context_.out.report(
      {Report::Level::kWarning, "member-failed", token_.policy.group, entry.name, why.text()});
  exchanges_.erase(ExchangeId(exchange.id()));
  if (!live_) {
    try_first_member(now);
    return;
  }
  // A refusal may have been forged by whoever stood in the member's place, or its cause may be
  // mended: such a member is asked again too, only less often.
  if (entry.refused) entry.retry_wait = kRetryMemberMax;
  // One whose agent was started anew meanwhile must be keyed before the others switch.
  if (broke_off && !std::exchange(entry.broken_off, true)) {
    entry.state = MemberState::kWaiting;
  } else {
    entry.retry_at = now.mono + entry.retry_wait;
    entry.retry_wait = std::min(entry.retry_wait * 2, kRetryMemberMax);
  }
  note_decided();
  distribute(now);
}

/// It holds an epoch, and may go on holding it; only who refuses is no member any more.
void ControllerGroup::first_member_failed(Now now, Entry& member, const Error& why) {
  context_.out.report({Report::Level::kWarning, "first-member-failed", token_.policy.group,
                       member.name, why.text()});
  if (!is_of_the_network(why)) {
    member.state = MemberState::kFailed;
    member.why = why.text();
    member.refused = true;
    member.retry_at = now.mono + kRetryMemberMax;
  }
  try_first_member(now);
}

void ControllerGroup::fail_group(Error why) {
  context_.out.count(why.kind);
  context_.out.report({Report::Level::kError, "group-failed", token_.policy.group, "", why.text()});
  exchanges_.clear();
  making_.reset();
  if (!live_) context_.give_addresses_back(token_.group_id, earlier_addresses_);
  failed_ = std::move(why);
}

ControllerGroup::Entry* ControllerGroup::entry_of(const ControllerExchange& exchange) {
  const auto found = std::ranges::find(members_, exchange.member().name, &Entry::name);
  return found == members_.end() ? nullptr : &*found;
}

void ControllerGroup::handle_timeout(Now now) {
  if (failed_) return;
  if (live_) {
    live_->handle_timeout(now);
    if (live_->expired()) {
      exchanges_.clear();
      making_.reset();
      repeats_.stop();
      return;
    }
  }
  std::vector<ExchangeId> due;
  for (const auto& [id, exchange] : exchanges_) {
    if (exchange->next_timeout() && now.mono >= *exchange->next_timeout()) due.push_back(id);
  }
  for (const ExchangeId& id : due) {
    const auto found = exchanges_.find(id);
    if (found != exchanges_.end()) act_on(now, *found->second, found->second->handle_timeout(now));
  }
  if (!live_) return;
  distribute(now);
  if (rekey_at_ && now.mono >= *rekey_at_) begin_rekey(now);
  if (auto again = repeats_.take_due(now)) context_.out.transmit(control_multicast(), *again);
  for (Bytes& datagram : shelf_.take_due(now)) {
    context_.out.transmit(control_multicast(), std::move(datagram));
  }
  if (heartbeat_at_ && now.mono >= *heartbeat_at_) send_heartbeat(now);
}

SocketAddress ControllerGroup::own_address() const {
  return {*context_.own_address(token_.policy.family()), context_.config.port};
}

void ControllerGroup::send_heartbeat(Now now) {
  const Epoch& epoch = live_->epoch();
  wire::Heartbeat heartbeat;
  heartbeat.tuple = epoch.statement.tuple;
  heartbeat.epoch_id = epoch.id;
  heartbeat.number = ++heartbeat_number_;
  heartbeat.time = now.wall;
  heartbeat.token_hash = token_.hash;
  heartbeat.crl_numbers = context_.crl_numbers();
  heartbeat.exclusion_hash = epoch.statement.exclusion_hash;
  heartbeat.control_unicast = own_address();
  heartbeat.control_multicast = live_->control_multicast();
  heartbeat.active = distributed_;

  wire::Header header;
  header.suite = token_.policy.control_suite;
  header.type = wire::MessageType::kHeartbeat;
  header.role = wire::SenderRole::kController;
  header.group = token_.group_id;
  header.message_number = static_cast<std::uint32_t>(heartbeat_number_);
  auto signature = context_.config.key.sign(crypto::SignatureContext::kHeartbeat,
                                            {signed_part(header, heartbeat)});
  heartbeat_at_ = now.mono + milliseconds(token_.policy.heartbeat_interval_ms);
  if (!signature) {
    context_.out.count(signature.error().kind);
    return;
  }
  heartbeat.signature = std::move(*signature);
  context_.out.transmit(live_->control_multicast(), plain_datagram(header, heartbeat));
}

bool ControllerGroup::handle_installed(Now now, InstallId id, const Result<void>& outcome) {
  return live_ && live_->handle_installed(now, id, outcome);
}

void ControllerGroup::handle_kernel_change(Now now, const IpAddress& data_address) {
  if (live_) live_->handle_kernel_change(now, data_address);
}

std::optional<MonoTime> ControllerGroup::next_timeout() const {
  std::optional<MonoTime> earliest;
  if (failed_) return earliest;
  if (live_ && live_->expired()) return live_->next_timeout();
  for (const auto& [id, exchange] : exchanges_) keep_earlier(earliest, exchange->next_timeout());
  if (live_) {
    keep_earlier(earliest, live_->next_timeout());
    keep_earlier(earliest, heartbeat_at_);
    keep_earlier(earliest, rekey_at_);
    keep_earlier(earliest, repeats_.next_timeout());
    keep_earlier(earliest, shelf_.next_timeout());
    if (exchanges_.size() < kMaxExchangesPerGroup) {
      for (const Entry& entry : members_) keep_earlier(earliest, entry.retry_at);
    }
  }
  return earliest;
}

GroupView ControllerGroup::describe() const {
  GroupView view;
  if (live_) {
    live_->describe(view);
  } else {
    view.id = token_.group_id;
    view.name = token_.policy.group;
    view.data_address = token_.policy.address;
    view.data_port = token_.policy.port;
    view.control_multicast = control_multicast();
  }
  view.role = GroupRole::kController;
  view.controller = context_.self.name;
  view.state = failed_            ? GroupState::kFailed
               : !live_           ? GroupState::kCreating
               : live_->expired() ? GroupState::kExpired
               : distributed_     ? GroupState::kActive
                                  : GroupState::kPending;
  if (failed_) view.why = failed_->text();
  view.rekey_ordered = rekey_orders_.standing();
  view.rekey_error = rekey_error_;
  for (const Entry& entry : members_) {
    view.members.push_back({entry.name, entry.address, entry.state, entry.why});
  }
  return view;
}

}  // namespace gkmpd::protocol
