#include "agent/protocol/member_group.h"

#include "agent/protocol/channel.h"
#include "agent/protocol/errors.h"
#include "agent/protocol/review.h"

namespace gkmpd::protocol {
namespace {

bool is_same_line(const EpochTuple& a, const EpochTuple& b) {
  return a.token_version == b.token_version && a.term == b.term && a.rank == b.rank;
}

}  // namespace

MemberGroup::MemberGroup(Context& context, KeyedEpoch keyed, Now now)
    : context_(context),
      controller_(std::move(keyed.controller)),
      controller_address_(keyed.controller_address),
      live_(context, std::move(keyed.token), std::move(keyed.epoch), keyed.controller_address,
            now) {
  controller_heard(now);
}

void MemberGroup::take(Now now, KeyedEpoch keyed) {
  saving_.reset();
  if (live_.epoch().id == keyed.epoch.id && !live_.expired()) return;
  const SocketAddress heard_so_far = live_.control_multicast();
  const bool goes_on = is_same_line(live_.epoch().statement.tuple, keyed.epoch.statement.tuple);
  controller_ = std::move(keyed.controller);
  controller_address_ = keyed.controller_address;
  live_.advance(std::move(keyed.token), std::move(keyed.epoch), controller_address_, now);
  if (heard_so_far != live_.control_multicast()) {
    context_.out.event(LeaveControl{live_.token().group_id, heard_so_far});
  }
  const bool newest = newest_heard_ == live_.epoch().statement.tuple;
  heartbeat_number_ = newest ? newest_number_ : 0;
  heard_active_ = heard_active_ && goes_on;
  controller_heard(now);
  repair_.stop();
  asked_ = 0;
  if (newest_heard_ > live_.epoch().statement.tuple) epoch_missed(now, newest_heard_);
}

// --- Heartbeats ----------------------------------------------------------------------------------

Result<void> MemberGroup::handle_heartbeat(Now now, const wire::Datagram& datagram,
                                           ByteView octets) {
  auto message = wire::decode_body(wire::MessageType::kHeartbeat, datagram.body);
  if (!message) return pass_on(message);
  const auto& heartbeat = std::get<wire::Heartbeat>(*message);

  if (auto good = check_heartbeat(now, heartbeat); !good) return good;
  if (datagram.header.suite != policy().control_suite) return fail(kSuiteDiffers);
  if (auto may = outsiders_.spend(now); !may) return may;
  const ByteView signed_octets =
      octets.first(wire::kHeaderSize + wire::unsigned_size(datagram.body));
  auto good = controller_.certificate.public_key().verify(crypto::SignatureContext::kHeartbeat,
                                                          {signed_octets}, heartbeat.signature);
  if (!good) return good;

  controller_heard(now);
  note_crls(context_, heartbeat.crl_numbers);
  if (heartbeat.tuple > live_.epoch().statement.tuple) {
    epoch_missed(now, heartbeat.tuple);
    newest_number_ = heartbeat.number;
    return fail(kEpochMissing, "the controller is at epoch " + heartbeat.tuple.text());
  }
  heartbeat_number_ = heartbeat.number;
  heard_active_ = heartbeat.active;
  return {};
}

/// All that needs no cryptography comes first (profile S24).
Result<void> MemberGroup::check_heartbeat(Now now, const wire::Heartbeat& heartbeat) const {
  const Epoch& epoch = live_.epoch();
  if (is_stale(heartbeat)) return fail(kHeartbeatStale);
  if (heartbeat.time > now.wall + identity::kClockSkew ||
      heartbeat.time < now.wall - identity::kClockSkew) {
    return fail(kHeartbeatTime);
  }
  if (heartbeat.tuple > epoch.statement.tuple) return {};
  if (heartbeat.epoch_id != epoch.id || heartbeat.token_hash != epoch.statement.token_hash ||
      heartbeat.exclusion_hash != epoch.statement.exclusion_hash ||
      heartbeat.control_multicast != live_.control_multicast() ||
      heartbeat.control_unicast != controller_address_) {
    return fail(kHeartbeatContent);
  }
  return {};
}

bool MemberGroup::is_stale(const wire::Heartbeat& heartbeat) const {
  const EpochTuple& held = live_.epoch().statement.tuple;
  if (heartbeat.tuple <= held) {
    return heartbeat.tuple < held || heartbeat.number <= heartbeat_number_;
  }
  return heartbeat.tuple < newest_heard_ ||
         (heartbeat.tuple == newest_heard_ && heartbeat.number <= newest_number_);
}

void MemberGroup::controller_heard(Now now) {
  silent_at_ = now.mono + milliseconds(policy().heartbeat_interval_ms) * kSilenceIntervals;
  ask_at_.reset();
  unheard_ = false;
  if (!silent_) return;
  silent_ = false;
  context_.out.report(
      {Report::Level::kInfo, "controller-heard-again", policy().group, controller_.name, ""});
}

// --- Rekeys --------------------------------------------------------------------------------------

Result<std::optional<KeyedEpoch>> MemberGroup::handle_rekey(Now now,
                                                            const wire::Datagram& datagram) {
  auto package = read_rekey(datagram);
  if (!package) return pass_on(package);
  shelf_.seen(now, package->datagram);
  const Epoch& held = live_.epoch();
  if (package->hash == held.hash) {
    // Whoever was first member, or was keyed anew, has the epoch and not yet its package, and
    // cannot open it. One that was opened stays: a forgery must not take its place.
    const EpochId& previous = package->statement.previous;
    if (package->message.statement_signature == held.signature && !shelf_.has(previous)) {
      shelf_.keep(now, previous, std::move(package->datagram));
    }
    return std::nullopt;
  }
  if (package->hash == saving_) return std::nullopt;
  if (package->statement.tuple < held.statement.tuple) return fail(kStatementStale);
  if (live_.expired()) return fail(kStatementStale, "the epoch held has ended");
  // Forgeries of those who hold no key would use up the checks that a true one needs.
  const bool follows = package->statement.previous == held.id;
  if (follows) {
    if (auto good = check_made_by_holder(held, *package); !good) return pass_on(good);
  }
  if (auto may = (follows ? holders_ : outsiders_).spend(now); !may) return pass_on(may);

  auto keyed = check_package(now, *package);
  if (!keyed) {
    if (keyed.error().kind == kEpochMissing) epoch_missed(now, package->statement.tuple);
    return pass_on(keyed);
  }
  saving_ = package->hash;
  shelf_.keep(now, held.id, std::move(package->datagram));
  return std::optional(std::move(*keyed));
}

/// State 10. Before the keys are opened, token and permissions as they are held hold still.
Result<KeyedEpoch> MemberGroup::check_package(Now now, const RekeyPackage& package) const {
  const identity::GroupToken& token = live_.token();
  const Epoch& held = live_.epoch();
  const EpochCheck check{token, controller_, held.statement.tuple.rank, &held};
  auto epoch = check_rekey(context_, check, package, now);
  if (!epoch) return pass_on(epoch);
  if (auto good = review_again(context_, token, controller_, now); !good) return pass_on(good);
  return KeyedEpoch{token, controller_, controller_address_, std::move(*epoch)};
}

void MemberGroup::rekey_not_saved(Now now, const EpochTuple& tuple) {
  saving_.reset();
  if (tuple <= live_.epoch().statement.tuple) return;
  newest_heard_ = std::max(newest_heard_, tuple);
  repair_.need(now, context_.random);
}

// --- Repair --------------------------------------------------------------------------------------

void MemberGroup::epoch_missed(Now now, const EpochTuple& tuple) {
  if (tuple > newest_heard_) {
    newest_heard_ = tuple;
    newest_number_ = 0;
  }
  // An epoch of another token or term has no package that could be opened here.
  if (saving_ || !is_same_line(tuple, live_.epoch().statement.tuple) || repair_.due()) return;
  context_.out.report({Report::Level::kInfo, "epoch-missed", policy().group, controller_.name,
                       "epoch " + tuple.text() + ", this host holds " +
                           live_.epoch().statement.tuple.text() + ": asking the group for it"});
  repair_.need(now, context_.random);
}

void MemberGroup::ask_for_repair(Now now) {
  wire::Header header;
  header.suite = policy().control_suite;
  header.type = wire::MessageType::kRepairRequest;
  header.role = wire::SenderRole::kMember;
  header.group = live_.token().group_id;
  context_.out.transmit(live_.control_multicast(),
                        plain_datagram(header, wire::RepairRequest{live_.epoch().id}));
  repair_.asked(now, context_.random);
  ++asked_;
}

bool MemberGroup::needs_controller(Now now) const {
  if (policy().not_after <= now.wall) return false;
  const EpochTuple& held = live_.epoch().statement.tuple;
  const bool left_behind = newest_heard_ > held && !saving_ &&
                           (asked_ >= kRepairsBeforeJoin || !is_same_line(newest_heard_, held));
  return left_behind || live_.expired() || unheard_;
}

Result<void> MemberGroup::handle_repair_request(Now now, const wire::Datagram& datagram) {
  auto message = wire::decode_body(wire::MessageType::kRepairRequest, datagram.body);
  if (!message) return pass_on(message);
  const EpochId& asked = std::get<wire::RepairRequest>(*message).held;
  if (asked == live_.epoch().id && repair_.due()) {
    repair_.asked(now, context_.random);
    ++asked_;
  }
  if (!live_.expired()) shelf_.asked_for(now, context_.random, asked);
  return {};
}

// --- Time ----------------------------------------------------------------------------------------

void MemberGroup::handle_timeout(Now now) {
  live_.handle_timeout(now);
  if (live_.expired()) {
    repair_.stop();
    return;
  }
  if (!silent_ && now.mono >= silent_at_) {
    silent_ = true;
    ask_at_ = now.mono + milliseconds(policy().heartbeat_interval_ms) * kSilenceBeforeJoin;
    context_.out.report({Report::Level::kWarning, "controller-silent", policy().group,
                         controller_.name, "keys stay in use until their end"});
  }
  if (ask_at_ && now.mono >= *ask_at_) {
    ask_at_.reset();
    unheard_ = true;
  }
  if (repair_.due() && now.mono >= *repair_.due()) ask_for_repair(now);
  for (Bytes& datagram : shelf_.take_due(now)) {
    context_.out.transmit(live_.control_multicast(), std::move(datagram));
  }
}

std::optional<MonoTime> MemberGroup::next_timeout() const {
  std::optional<MonoTime> earliest = live_.next_timeout();
  if (live_.expired()) return earliest;
  keep_earlier(earliest, silent_ ? ask_at_ : silent_at_);
  keep_earlier(earliest, repair_.due());
  keep_earlier(earliest, shelf_.next_timeout());
  return earliest;
}

GroupView MemberGroup::describe() const {
  GroupView view;
  live_.describe(view);
  view.role = GroupRole::kMember;
  view.controller = controller_.name;
  view.controller_address = controller_address_;
  view.state = live_.expired() ? GroupState::kExpired
               : silent_       ? GroupState::kSilent
               : heard_active_ ? GroupState::kActive
                               : GroupState::kPending;
  return view;
}

}  // namespace gkmpd::protocol
