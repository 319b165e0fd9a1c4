#include "agent/protocol/controller_group.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "agent/crypto/errors.h"
#include "agent/identity/errors.h"
#include "agent/protocol/errors.h"
#include "agent/protocol/order.h"
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

Result<void> ControllerGroup::take_members(const identity::MemberList& list) {
  for (const identity::MemberList::Entry& listed : list.members) {
    if (listed.name == context_.self.name) continue;
    const IpFamily family = token_.policy.family();
    std::optional<IpAddress> address = listed.address;
    if (!address) {
      const auto known = context_.config.hosts.find(listed.name);
      const IpAddress* found =
          known == context_.config.hosts.end() ? nullptr : find_family(known->second, family);
      if (found == nullptr) {
        return fail(kNoAddress, std::string("no ") + (family == IpFamily::kV4 ? "IPv4" : "IPv6") +
                                    " address for " + listed.name +
                                    ": put one into the member list, or under [hosts] of the "
                                    "configuration");
      }
      address = *found;
    }
    if (address->family != family) {
      return fail(kAddressFamily, listed.name + " has address " + address->text() +
                                      ", which is of another family than the group's");
    }
    members_.push_back({.name = listed.name, .address = *address, .why = {}, .retry_at = {}});
  }
  receiver_initiated_ = members_.empty();
  if (receiver_initiated_ && token_.policy.joins != identity::JoinPolicy::kPermitted) {
    return fail(kNoMembers,
                "the member list names nobody but this host, and the token does not let others "
                "join: list somebody, or have a token signed with joins = \"permitted\"");
  }
  return {};
}

/// The next tuple (profile P1, S5): terms restart with a token version, epochs count on.
Result<void> ControllerGroup::plan_epoch() {
  if (const GroupFloor* held = context_.floor(token_.group_id)) floor_ = *held;
  constexpr auto kMax = std::numeric_limits<std::uint32_t>::max();
  const std::uint32_t version = token_.policy.version;
  const bool same_version = floor_.tuple.token_version == version;
  const std::uint32_t term = same_version ? floor_.tuple.term : 0;
  if (term == kMax) return fail(kNumbersExhausted, "sign a token with a higher version");
  // Epochs count on over token versions too; but a controller that once signed the last one must
  // not end the group for ever. A higher version is above it, whatever its epoch.
  if (floor_.tuple.epoch == kMax && !same_version) floor_.tuple.epoch = 0;
  if (floor_.tuple.epoch == kMax) {
    return fail(kNumbersExhausted, "all epochs are used: sign a token with a higher version");
  }
  floor_.tuple = {version, term + 1, rank_, floor_.tuple.epoch + 1};
  floor_.token = {version, token_.hash};
  return {};
}

/// Ids of this epoch (profile P24): the block is saved as used together with the tuple.
Result<void> ControllerGroup::assign_senders() {
  constexpr std::uint32_t kMaxId = std::numeric_limits<std::uint16_t>::max();
  // The one SA that all share is never burnt: no run.
  const bool shared = token_.policy.sender_mode == xfrm::SenderMode::kShared;
  const std::uint16_t run = shared ? std::uint16_t{1} : kSenderRun;
  const auto needed = static_cast<std::uint32_t>(token_.policy.senders.size()) * run;
  // An id may serve again in another epoch: its SPI and key are others there.
  if (floor_.next_sender_id == 0 || floor_.next_sender_id + needed > kMaxId) {
    floor_.next_sender_id = 1;
  }
  for (const std::string& name : token_.policy.senders) {
    IpAddress source = *context_.own_address(token_.policy.family());
    if (name != context_.self.name) {
      const auto listed = std::ranges::find(members_, name, &Entry::name);
      if (listed == members_.end()) {
        return fail(kSenderNotListed, "the token's sender " + name +
                                          " is not in the member list: it would get no keys");
      }
      source = listed->address;
    }
    senders_.entries.push_back({context_.name_hash(name), floor_.next_sender_id, run, {source}});
    floor_.next_sender_id = static_cast<std::uint16_t>(floor_.next_sender_id + run);
  }
  return {};
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

// --- Rekey (RFC 2093 figure 3) -------------------------------------------------------------------

/// State 1 again, and state 2 to 4 with a member that is chosen afresh.
void ControllerGroup::begin_rekey(Now now) {
  rekey_at_.reset();
  if (making_) return;
  // Two epochs of a sender always fit, three need not (profile R8).
  if (const auto until = live_->earlier_until()) {
    rekey_at_ = until;
    return;
  }
  if (auto allowed = check_rekey_allowed(now); !allowed) {
    return making_failed(now, allowed.error());
  }
  ++floor_.tuple.epoch;
  rekey_orders_.begun();
  make_epoch(wire::Cause::kRoutine, choose_first_members());
}

Result<void> ControllerGroup::order_rekey(Now now, const CommandMark& mark) {
  if (!live_ || over()) {
    return fail(kGroupNotLive, "its first keys are being made: wait until it is there");
  }
  if (!token_.policy.actions.contains(identity::Action::kRekey)) {
    return fail(kActionMissing,
                "the token does not allow to rekey the group: sign one of a higher version with "
                "\"rekey\" among its actions, and create the group again with that");
  }
  if (auto fresh = check_fresh(floor_.marks, mark); !fresh) return fresh;
  if (auto allowed = check_rekey_allowed(now); !allowed) return allowed;
  floor_.marks.raise(mark);
  rekey_orders_.take();
  rekey_error_.clear();
  begin_rekey(now);
  if (rekey_orders_.waiting()) {
    context_.out.report({Report::Level::kInfo, "rekey-put-off", token_.policy.group, "",
                         making_ ? "until the epoch that is being made is done with"
                                 : "until the epoch before is done with"});
  }
  return {};
}

Result<void> ControllerGroup::check_rekey_allowed(Now now) const {
  if (floor_.tuple.epoch == std::numeric_limits<std::uint32_t>::max()) {
    return fail(kNumbersExhausted, "all epochs are used: sign a token with a higher version");
  }
  if (token_.policy.not_after <= now.wall) {
    return fail(identity::kTokenExpired, "the token has ended: sign one with a higher version");
  }
  return review_again(context_, token_, context_.self, now);
}

std::deque<std::size_t> ControllerGroup::choose_first_members() {
  std::deque<std::size_t> keyed;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].state == MemberState::kKeyed) keyed.push_back(i);
  }
  std::deque<std::size_t> chosen;
  while (!keyed.empty() && chosen.size() < kRekeyFirstMembers) {
    const auto drawn = context_.random.array<2>();
    const auto place = keyed.begin() + (drawn[0] << 8 | drawn[1]) % std::ssize(keyed);
    chosen.push_back(*place);
    keyed.erase(place);
  }
  return chosen;
}

/// Spread over the activation delay, which members count from the first that they receive
/// (profile R8).
void ControllerGroup::send_rekey(Now now, Bytes datagram) {
  const std::uint32_t times = token_.policy.rekey_repeats;
  const milliseconds interval(token_.policy.activation_delay_ms / times);
  context_.out.transmit(control_multicast(), datagram);
  repeats_.start(now, std::move(datagram), times - 1, interval);
}

Result<void> ControllerGroup::handle_multicast(Now now, const wire::Datagram& datagram) {
  if (datagram.header.type == wire::MessageType::kRekeyMulticast) {
    auto package = read_rekey(datagram);
    if (!package) return pass_on(package);
    shelf_.seen(now, package->datagram);
    return {};
  }
  if (datagram.header.type != wire::MessageType::kRepairRequest) return fail(kOwnGroup);
  auto message = wire::decode_body(datagram.header.type, datagram.body);
  if (!message) return pass_on(message);
  if (live_ && !live_->expired()) {
    shelf_.asked_for(now, context_.random, std::get<wire::RepairRequest>(*message).held);
  }
  return {};
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
