#include "tests/sim/world.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "agent/crypto/hash.h"
#include "agent/protocol/order.h"

namespace gkmpd::sim {
namespace {

constexpr ErrorKind kStoreBroken{"sim.store-broken"};
constexpr ErrorKind kFloorLowered{"sim.floor-lowered"};
constexpr ErrorKind kKernelBroken{"sim.kernel-broken"};
constexpr ErrorKind kOutboundBurnt{"sim.outbound-burnt"};

/// How often what is dear is looked at.
constexpr milliseconds kSweepInterval{500};
/// A real event loop wakes up a little late.
constexpr milliseconds kTimerLateness{2};
/// From the write to the endpoint being told of it.
constexpr milliseconds kStoreAnswer{3};
/// More inputs than this in one millisecond, or timers of one host, mean that time stands still.
constexpr std::uint64_t kMaxStepsInMillisecond = 100'000;
constexpr unsigned kMaxTimersAtOnce = 8;

/// Reports and the trace's hash go to stderr.
bool is_verbose() { return std::getenv("GKMPD_SIM_VERBOSE") != nullptr; }

std::uint64_t sub_seed(std::uint64_t seed, std::uint64_t use) {
  return Prng(seed ^ (use * 0xd6e8feb86659fd93)).next();
}

/// As an honest commander signs, after `change`, if there is one.
Result<Bytes> sign_changed(identity::CommandText text,
                           const std::function<void(identity::CommandText&)>& change,
                           const test::TestHost& commander, Now now) {
  if (change) change(text);
  return identity::sign_command(text, commander.certificate, commander.key, {}, now.wall);
}

}  // namespace

struct World::Host {
  HostSetup setup;
  std::uint64_t random_seed = 0;
  seconds clock_error{};
  unsigned incarnation = 0;
  std::map<GroupId, protocol::GroupFloor> disk;
  std::unique_ptr<crypto::SeededRandom> random;
  std::optional<protocol::Endpoint> endpoint;
  std::optional<protocol::Commander> commander;  // where there is no endpoint
  Receive guest;                                 // instead of an endpoint
  std::set<std::pair<SocketAddress, GroupId>> joined;
  std::set<std::pair<EpochId, std::uint32_t>> burnt;   // SPIs installed for output, ever
  std::map<GroupId, protocol::AdoptedGroup> recorded;  // what the next start adopts
  std::map<GroupId, EpochId> installed;                // what the kernel took
  std::map<GroupId, EpochId> active;                   // seen active with this epoch
  MonoTime store_free_at{};
  unsigned store_failure_permille = 0;
  unsigned kernel_failure_permille = 0;
  std::optional<MonoTime> timer_at;
  std::uint64_t timer = 0;  // number of the armed one
  MonoTime last_timer_at{};
  unsigned timers_at_once = 0;
  Effects effects;
};

World::World(WorldOptions options)
    : options_(std::move(options)),
      openssl_(sub_seed(options_.seed, 1)),
      chance_(sub_seed(options_.seed, 2)),
      network_(sub_seed(options_.seed, 3), options_.network),
      keys_(findings_),
      kernels_(findings_, keys_),
      wire_(findings_) {}

World::~World() = default;

HostIndex World::add(const HostSetup& setup) {
  const HostIndex index = hosts_.size();
  auto host = std::make_unique<Host>();
  host->setup = setup;
  host->random_seed = sub_seed(options_.seed, 1000 + index);
  const std::int64_t error = options_.clock_error.count();
  host->clock_error = seconds(chance_.between(-error, error));
  hosts_.push_back(std::move(host));
  start(index);
  return index;
}

void World::start(HostIndex index) {
  Host& host = *hosts_[index];
  ++host.incarnation;
  host.random = std::make_unique<crypto::SeededRandom>(host.random_seed + host.incarnation);
  protocol::EndpointConfig config{.trust = *host.setup.trust,
                                  .limits = host.setup.limits,
                                  .certificate = host.setup.identity->certificate,
                                  .intermediates = {},
                                  .key = host.setup.identity->key,
                                  .addresses = {host.setup.address.ip},
                                  .port = host.setup.address.port,
                                  .hosts = host.setup.hosts};
  if (host.setup.second_address) config.addresses.push_back(*host.setup.second_address);
  std::vector<protocol::AdoptedGroup> adopted;
  for (const auto& [id, group] : host.recorded) {
    adopted.push_back(group);
    adopted.back().sending = kernels_.protects(index, id);
  }
  auto endpoint =
      protocol::Endpoint::make(std::move(config), host.disk, *host.random, now_at(host), adopted);
  if (!endpoint) {
    std::fprintf(stderr, "sim: host %zu does not start: %s\n", index,
                 endpoint.error().text().c_str());
    std::abort();
  }
  host.endpoint.emplace(std::move(*endpoint));
  for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6}) {
    network_.attach(index, host.setup.address_of(family));
  }
  for (const auto& [group, floor] : host.disk) keys_.on_saved(index, group, floor);
  kernels_.on_start(now_, index, host.endpoint->groups());
  note(index, "start", {});
  arm_timer(index);
}

HostIndex World::add_commander(const HostSetup& setup) {
  const HostIndex index = hosts_.size();
  auto host = std::make_unique<Host>();
  host->setup = setup;
  host->random_seed = sub_seed(options_.seed, 1000 + index);
  host->random = std::make_unique<crypto::SeededRandom>(host->random_seed);
  const std::int64_t error = options_.clock_error.count();
  host->clock_error = seconds(chance_.between(-error, error));
  hosts_.push_back(std::move(host));
  network_.attach(index, setup.address);
  return index;
}

Result<void> World::order(HostIndex index, const GroupPlan& plan, OrderOptions options) {
  Host& host = *hosts_[index];
  const test::TestHost& identity = *host.setup.identity;
  const Now now = now_at(host);
  auto sign = [&identity, now, change = options.change](const identity::CommandText& text) {
    return sign_changed(text, change, identity, now);
  };
  auto commander = protocol::Commander::make(
      {.trust = *host.setup.trust,
       .certificate = identity.certificate,
       .intermediates = {},
       .key = identity.key,
       .controller = options.controller.value_or(setup(plan.controller).address),
       .counter = options.counter,
       .sign = std::move(sign)},
      {plan.token, plan.member_list, options.action}, *host.random, now);
  if (!commander) return pass_on(commander);
  host.commander.emplace(std::move(*commander));
  ++host.incarnation;
  note(index, "order", {});
  after_input(index);
  return {};
}

const protocol::Commander& World::commander(HostIndex commander) const {
  return *hosts_[commander]->commander;
}

HostIndex World::add_guest(const SocketAddress& address, Receive receive) {
  const HostIndex index = hosts_.size();
  auto host = std::make_unique<Host>();
  host->setup.address = address;
  host->guest = std::move(receive);
  hosts_.push_back(std::move(host));
  network_.attach(index, address);
  return index;
}

void World::send_as(HostIndex guest, const protocol::Transmit& transmit) {
  note(guest, "guest", transmit.octets);
  deliver(guest, transmit);
}

void World::crash(HostIndex index) {
  end_agent(index);
  hosts_[index]->installed.clear();
  hosts_[index]->recorded.clear();
  kernels_.on_crash(index);
  note(index, "crash", {});
}

void World::kill(HostIndex index) {
  end_agent(index);
  note(index, "kill", {});
}

void World::end_agent(HostIndex index) {
  Host& host = *hosts_[index];
  ++host.incarnation;
  host.endpoint.reset();
  host.joined.clear();
  host.active.clear();
  host.timer_at.reset();
  network_.leave_all(index);
}

bool World::is_up(HostIndex host) const { return hosts_[host]->endpoint.has_value(); }

Result<GroupId> World::command(const GroupPlan& plan) { return command(plan.controller, plan); }

Result<GroupId> World::command(HostIndex controller, const GroupPlan& plan) {
  Host& host = *hosts_[controller];
  auto outcome = host.endpoint->handle_command(now_at(host), {plan.token, plan.member_list});
  note(controller, "command", {});
  after_input(controller);
  return outcome;
}

Result<GroupId> World::join(HostIndex index, const GroupPlan& plan) {
  Host& host = *hosts_[index];
  const SocketAddress controller = setup(plan.controller).address_of(plan.facts.destination.family);
  auto outcome = host.endpoint->handle_join(now_at(host), plan.name(), controller);
  note(index, "join-wanted", {});
  after_input(index);
  return outcome;
}

Result<GroupId> World::order_here(HostIndex controller, const HostSetup& commander,
                                  const GroupPlan& plan, const OrderOptions& options) {
  Host& host = *hosts_[controller];
  const Now now = now_at(host);
  const auto text = protocol::order_text(options.action, plan.name(), crypto::sha256({plan.token}),
                                         host.endpoint->self().name, options.counter, now);
  auto signed_order = sign_changed(text, options.change, *commander.identity, now);
  if (!signed_order) return pass_on(signed_order);
  auto outcome = host.endpoint->handle_order(now, {*signed_order, plan.token});
  note(controller, "order here", {});
  after_input(controller);
  return outcome;
}

void World::inject(HostIndex to, const SocketAddress& from, const Bytes& octets) {
  receive(to, from, octets);
}

void World::after(milliseconds delay, std::function<void()> action) {
  schedule(now_ + delay, std::move(action));
}

void World::break_store(HostIndex host, unsigned permille) {
  hosts_[host]->store_failure_permille = permille;
}
void World::break_kernel(HostIndex host, unsigned permille) {
  hosts_[host]->kernel_failure_permille = permille;
}

// --- Time ----------------------------------------------------------------------------------------

void World::schedule(MonoTime at, std::function<void()> act) {
  actions_.push({at, scheduled_++, std::move(act)});
}

bool World::run_next(MonoTime limit) {
  if (actions_.empty() || actions_.top().at > limit) return false;
  const Action next = actions_.top();
  actions_.pop();
  if (next.at > now_) {
    now_ = next.at;
    steps_in_this_ms_ = 0;
  }
  next.act();
  return true;
}

bool World::run_until(const std::function<bool()>& done, milliseconds limit) {
  const MonoTime end = now_ + limit;
  for (;;) {
    sweep();
    if (!findings_.none()) return false;
    if (done()) return true;
    const MonoTime next_sweep = std::min(now_ + kSweepInterval, end);
    while (findings_.none() && run_next(next_sweep)) {
    }
    if (!findings_.none()) return false;
    now_ = next_sweep;
    if (now_ >= end) return done();
  }
}

void World::run_for(milliseconds span) {
  if (run_until([] { return false; }, span)) std::abort();
}

void World::finish() {
  sweep();
  kernels_.at_end(now_);
  wire_.at_end(now_, secrets());
  if (is_verbose()) std::fprintf(stderr, "trace %s\n", to_hex(trace_).c_str());
}

Now World::guest_now() const {
  return {now_, test::kNow + std::chrono::floor<seconds>(now_.time_since_epoch())};
}

Now World::now_at(const Host& host) const {
  const auto wall = test::kNow + std::chrono::floor<seconds>(now_.time_since_epoch());
  return {now_, wall + host.clock_error};
}

milliseconds World::up_to(milliseconds longest) {
  return milliseconds(chance_.between(0, longest.count()));
}

// --- Inputs --------------------------------------------------------------------------------------

void World::arrive(const Delivery& delivery) {
  if (options_.intruder && is_up(delivery.to)) {
    options_.intruder(delivery.to, delivery.from, delivery.octets);
  }
  if (options_.on_path) {
    options_.on_path(delivery);
  } else {
    receive(delivery.to, delivery.from, delivery.octets);
  }
}

void World::receive(HostIndex index, const SocketAddress& from, const Bytes& octets) {
  Host& host = *hosts_[index];
  if (host.guest) return host.guest(now_at(host), from, octets);
  if (host.commander) {
    host.commander->handle_datagram(now_at(host), from, octets);
  } else if (host.endpoint) {
    host.endpoint->handle_datagram(now_at(host), from, octets);
  } else {
    return;
  }
  note(index, "datagram", octets);
  after_input(index);
}

void World::fire_timer(HostIndex index, std::uint64_t timer) {
  Host& host = *hosts_[index];
  const bool is_up = host.endpoint || host.commander;
  if (!is_up || host.timer != timer || !host.timer_at) return;
  host.timer_at.reset();
  host.timers_at_once = host.last_timer_at == now_ ? host.timers_at_once + 1 : 1;
  host.last_timer_at = now_;
  if (host.timers_at_once > kMaxTimersAtOnce) {
    findings_.add(now_, index, "livelock", "a timer does not go away");
    return;
  }
  if (host.commander) {
    host.commander->handle_timeout(now_at(host));
  } else {
    host.endpoint->handle_timeout(now_at(host));
  }
  note(index, "timeout", {});
  after_input(index);
}

void World::after_input(HostIndex index) {
  ++steps_;
  if (++steps_in_this_ms_ > kMaxStepsInMillisecond) {
    findings_.add(now_, index, "livelock", "too many inputs in one millisecond");
    return;
  }
  drain(index);
  if (is_up(index)) keys_.after_step(now_, index, *hosts_[index]->endpoint);
  arm_timer(index);
}

void World::drain(HostIndex index) {
  if (auto& commander = hosts_[index]->commander) {
    while (auto transmit = commander->poll_transmit()) send(index, std::move(*transmit));
    return;
  }
  protocol::Endpoint& endpoint = *hosts_[index]->endpoint;
  while (auto event = endpoint.poll_event()) {
    std::visit([&](auto& one) { take(index, std::move(one)); }, *event);
  }
  while (auto transmit = endpoint.poll_transmit()) send(index, std::move(*transmit));
}

void World::arm_timer(HostIndex index) {
  Host& host = *hosts_[index];
  const auto due = host.commander ? host.commander->poll_timeout() : host.endpoint->poll_timeout();
  if (due == host.timer_at) return;
  host.timer_at = due;
  const std::uint64_t timer = ++host.timer;
  if (!due) return;
  const MonoTime at =
      std::max(*due, now_) + (*due > now_ ? up_to(kTimerLateness) : milliseconds(0));
  schedule(at, [this, index, timer] { fire_timer(index, timer); });
}

// --- Outputs -------------------------------------------------------------------------------------

void World::take(HostIndex index, protocol::SaveFloor save) {
  Host& host = *hosts_[index];
  ++host.effects.saves;
  if (options_.tampering.save) options_.tampering.save(index, save);
  keys_.on_save_wanted(now_, index, save);
  note(index, "save " + save.floor.tuple.text(), save.group);

  const MonoTime written_at = std::max(now_, host.store_free_at) + up_to(options_.store_delay);
  host.store_free_at = written_at;
  schedule(written_at, [this, index, incarnation = host.incarnation, save = std::move(save)] {
    if (hosts_[index]->incarnation == incarnation) write(index, save);
  });
}

/// As store::Store does: a floor below the one on disk is refused.
void World::write(HostIndex index, const protocol::SaveFloor& save) {
  Host& host = *hosts_[index];
  Result<void> outcome;
  const auto held = host.disk.find(save.group);
  if (chance_.chance(host.store_failure_permille)) {
    outcome = fail(kStoreBroken);
  } else if (held != host.disk.end() && save.floor.tuple < held->second.tuple) {
    outcome = fail(kFloorLowered);
  } else {
    host.disk[save.group] = save.floor;
  }
  schedule(now_ + up_to(kStoreAnswer),
           [this, index, incarnation = host.incarnation, save, outcome = std::move(outcome)] {
             Host& there = *hosts_[index];
             if (there.incarnation != incarnation) return;
             if (outcome) keys_.on_saved(index, save.group, save.floor);
             there.endpoint->handle_saved(now_at(there), save.id, outcome);
             note(index, "saved", {});
             after_input(index);
           });
}

void World::take(HostIndex index, protocol::InstallGroup install) {
  Host& host = *hosts_[index];
  ++host.effects.installs;
  if (options_.tampering.install) options_.tampering.install(index, install);
  const bool all = options_.tampering.forgets_used_keys || burn(index, install);
  kernels_.on_install(now_, index, host.setup.address_of(install.spec.destination.family).ip,
                      install, *host.endpoint);
  host.recorded[install.group] = {.id = install.group,
                                  .name = install.spec.group_name,
                                  .data_address = install.spec.destination,
                                  .data_port = install.spec.port,
                                  .epoch_id = install.epoch_id,
                                  .memo = install.memo,
                                  .missing = {}};
  note_spec(index, install);

  const bool fails = chance_.chance(host.kernel_failure_permille);
  const unsigned incarnation = host.incarnation;
  schedule(now_ + up_to(options_.kernel_delay),
           [this, index, incarnation, fails, all, id = install.id, group = install.group,
            epoch = install.epoch_id] {
             Host& there = *hosts_[index];
             if (there.incarnation != incarnation) return;
             Result<void> outcome;
             if (fails) {
               outcome = fail(kKernelBroken);
             } else {
               there.installed[group] = epoch;
               if (!all) outcome = fail(kOutboundBurnt);
             }
             there.endpoint->handle_installed(now_at(there), id, outcome);
             note(index, "installed", {});
             after_input(index);
           });
}

void World::take(HostIndex index, const protocol::KeepGroup& keep) {
  const auto recorded = hosts_[index]->recorded.find(keep.group);
  if (recorded == hosts_[index]->recorded.end()) {
    findings_.add(now_, index, "not-adopted", "a group is to be kept that was never installed");
    return;
  }
  const auto newest =
      static_cast<xfrm::Generation>(recorded->second.memo.tuple.epoch & xfrm::kMaxGeneration);
  protocol::Kept kept;
  kept.sending = kernels_.on_keep(index, keep.group, newest, keep.keep);
  const unsigned incarnation = hosts_[index]->incarnation;
  schedule(now_ + up_to(options_.kernel_delay), [this, index, incarnation, id = keep.id, kept] {
    Host& there = *hosts_[index];
    if (there.incarnation != incarnation) return;
    there.endpoint->handle_kept(now_at(there), id, kept);
    note(index, "kept", {});
    after_input(index);
  });
}

/// As the daemon's installer does: a key is used for output once, and one that stands is not added.
/// False if an outbound SA had to be left out.
bool World::burn(HostIndex index, protocol::InstallGroup& install) {
  auto& burnt = hosts_[index]->burnt;
  const auto is_spent = [&](const xfrm::SenderSa& sa) {
    return sa.outbound && !kernels_.has_outbound(index, install.group, sa) &&
           !burnt.insert({install.epoch_id, sa.spi}).second;
  };
  const auto own = std::ranges::find_if(install.spec.senders, &xfrm::SenderSa::outbound);
  if (own == install.spec.senders.end()) return true;
  const auto standing = std::ranges::find_if(install.standby, [&](const xfrm::SenderSa& sa) {
    return kernels_.has_outbound(index, install.group, sa);
  });
  if (standing != install.standby.end()) {
    *own = std::move(*standing);
    return true;
  }
  while (is_spent(*own)) {
    if (install.standby.empty()) {
      install.spec.senders.erase(own);
      install.spec.active_generation.reset();
      return false;
    }
    *own = std::move(install.standby.front());
    install.standby.erase(install.standby.begin());
  }
  return true;
}

void World::take(HostIndex index, const protocol::JoinControl& join) {
  hosts_[index]->joined.insert({join.control_multicast, join.group});
  network_.join(index, join.control_multicast);
  note(index, "join", join.group);
}

void World::take(HostIndex index, const protocol::LeaveControl& leave) {
  auto& joined = hosts_[index]->joined;
  if (joined.erase({leave.control_multicast, leave.group}) == 0) {
    findings_.add(now_, index, "leave-without-join", leave.control_multicast.text());
  }
  const auto other = joined.lower_bound({leave.control_multicast, GroupId{}});
  if (other == joined.end() || other->first != leave.control_multicast) {
    network_.leave(index, leave.control_multicast);
  }
  note(index, "leave", leave.group);
}

void World::take(HostIndex index, const protocol::Report& report) {
  wire_.on_report(index, report);
  if (options_.listener) options_.listener(index, report);
  note(index, report.what, as_bytes(report.detail));
  if (is_verbose()) {
    std::fprintf(stderr, "%8lld ms host %zu: %s %s %s %s\n",
                 static_cast<long long>(now_.time_since_epoch().count()), index,
                 report.what.c_str(), report.group.c_str(), report.peer.c_str(),
                 report.detail.c_str());
  }
}

void World::send(HostIndex index, protocol::Transmit transmit) {
  Host& host = *hosts_[index];
  ++host.effects.transmits;
  if (options_.tampering.transmit) options_.tampering.transmit(index, transmit);
  wire_.on_transmit(now_, index, host.incarnation, transmit);
  note(index, "transmit", transmit.octets);
  deliver(index, transmit);
}

void World::deliver(HostIndex index, const protocol::Transmit& transmit) {
  for (Delivery& delivery :
       network_.carry(now_, index, hosts_[index]->setup.address_of(transmit.to.ip.family),
                      transmit.to, transmit.octets)) {
    const MonoTime at = delivery.at;
    schedule(at, [this, delivery = std::move(delivery)] { arrive(delivery); });
  }
}

// --- What tests and rules ask --------------------------------------------------------------------

void World::sweep() {
  for (HostIndex index = 0; index < hosts_.size(); ++index) {
    Host& host = *hosts_[index];
    if (!host.endpoint) continue;
    const auto views = host.endpoint->groups();
    keys_.sweep(now_, index, views);
    for (const protocol::GroupView& view : views) {
      if (view.epoch_id && view.state == protocol::GroupState::kActive) {
        host.active[view.id] = *view.epoch_id;
      }
    }
  }
}

const protocol::Endpoint& World::endpoint(HostIndex host) const { return *hosts_[host]->endpoint; }
const HostSetup& World::setup(HostIndex host) const { return hosts_[host]->setup; }
std::optional<HostIndex> World::host_at(const SocketAddress& unicast) const {
  for (HostIndex index = 0; index < hosts_.size(); ++index) {
    if (hosts_[index]->setup.address_of(unicast.ip.family) == unicast) return index;
  }
  return std::nullopt;
}
const World::Effects& World::effects(HostIndex host) const { return hosts_[host]->effects; }

std::optional<protocol::GroupView> World::view(HostIndex host, const GroupPlan& plan) const {
  if (!is_up(host)) return std::nullopt;
  return endpoint(host).group(plan.name());
}

std::optional<protocol::GroupFloor> World::floor(HostIndex host, const GroupId& group) const {
  const auto found = hosts_[host]->disk.find(group);
  if (found == hosts_[host]->disk.end()) return std::nullopt;
  return found->second;
}

bool World::holds_keys(HostIndex host, const GroupPlan& plan) const {
  return is_up(host) && endpoint(host).held_keys(plan.id()).has_value();
}

bool World::was_active(HostIndex host, const GroupPlan& plan) const {
  if (!is_up(host)) return false;
  const auto held = endpoint(host).held_keys(plan.id());
  const auto seen = hosts_[host]->active.find(plan.id());
  return held && seen != hosts_[host]->active.end() && seen->second == held->epoch_id;
}

bool World::is_settled(const GroupPlan& plan, const std::set<HostIndex>& except) const {
  if (!is_up(plan.controller)) return false;
  const auto epoch = endpoint(plan.controller).held_keys(plan.id());
  if (!epoch) return false;
  for (const HostIndex index : plan.entitled) {
    if (!except.contains(index) && !is_settled_at(index, plan, epoch->epoch_id)) return false;
  }
  const auto shown = view(plan.controller, plan);
  return std::ranges::all_of(shown->members, [&](const protocol::MemberView& member) {
    const HostIndex host = plan.facts.members.at(member.name);
    return member.state == protocol::MemberState::kKeyed || except.contains(host) ||
           !plan.entitled.contains(host);
  });
}

bool World::is_settled_at(HostIndex index, const GroupPlan& plan, const EpochId& epoch) const {
  const Host& host = *hosts_[index];
  const auto installed = host.installed.find(plan.id());
  return was_active(index, plan) && installed != host.installed.end() &&
         installed->second == epoch &&
         (!plan.senders.contains(index) || kernels_.protects(index, plan.id()));
}

std::vector<Bytes> World::secrets() const {
  std::vector<Bytes> secrets = kernels_.esp_keys();
  for (const auto& [id, epoch] : keys_.epochs()) {
    secrets.push_back(epoch.gtek);
    secrets.push_back(epoch.gkek);
  }
  return secrets;
}

void World::note(HostIndex host, std::string_view what, ByteView octets) {
  Bytes when;
  append_u64(when, static_cast<std::uint64_t>(now_.time_since_epoch().count()));
  append_u64(when, host);
  trace_ = crypto::sha256({trace_, when, as_bytes(what), octets});
}

void World::note_spec(HostIndex host, const protocol::InstallGroup& install) {
  Bytes octets = to_bytes(install.epoch_id);
  octets.push_back(install.spec.active_generation ? 1 : 0);
  for (const xfrm::SenderSa& sa : install.spec.senders) {
    append_u32(octets, sa.spi);
    append(octets, sa.key.expose());
  }
  note(host, "install", octets);
}

}  // namespace gkmpd::sim
