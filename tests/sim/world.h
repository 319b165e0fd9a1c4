// Simulated hosts around real endpoints, on virtual time: one seed decides everything.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "agent/crypto/random.h"
#include "agent/protocol/commander.h"
#include "agent/protocol/endpoint.h"
#include "tests/sim/kernel_rules.h"
#include "tests/sim/key_rules.h"
#include "tests/sim/network.h"
#include "tests/sim/wire_rules.h"
#include "tests/support/pki.h"

namespace gkmpd::sim {

/// Who a host is; given again to the endpoint at each start.
struct HostSetup {
  const test::TestHost* identity = nullptr;
  const identity::TrustStore* trust = nullptr;
  SocketAddress address;
  std::optional<IpAddress> second_address = {};  // of the other family, at the same port
  /// Names the configuration gives addresses of.
  std::map<std::string, std::vector<IpAddress>> hosts = {};
  identity::LocalLimits limits = {};

  /// That of `family`, or `address` if there is none.
  [[nodiscard]] SocketAddress address_of(IpFamily family) const {
    const bool second = second_address && second_address->family == family;
    return second ? SocketAddress{*second_address, address.port} : address;
  }
};

/// A group to be made in a world, and what ought to come of it.
struct GroupPlan {
  test::PolicyOptions policy;
  HostIndex controller = 0;
  std::set<HostIndex> entitled;  // the controller too
  std::set<HostIndex> senders;
  std::string member_list;
  Bytes token;
  GroupFacts facts;

  [[nodiscard]] const GroupId& id() const { return facts.id; }
  [[nodiscard]] const std::string& name() const { return facts.name; }
};

/// Changes what the rules get to see between an endpoint and the outside: for the canaries, which
/// have to be noticed.
struct Tampering {
  std::function<void(HostIndex, protocol::Transmit&)> transmit = {};
  std::function<void(HostIndex, protocol::InstallGroup&)> install = {};
  std::function<void(HostIndex, protocol::SaveFloor&)> save = {};
  /// The hosts forget which keys they have used for output.
  bool forgets_used_keys = false;
};

struct WorldOptions {
  std::uint64_t seed = 0;
  NetworkOptions network;
  milliseconds store_delay{15};  // at most, for each save
  milliseconds kernel_delay{10};
  /// Wall clocks differ by up to this much, either way.
  seconds clock_error{0};
  Tampering tampering;
  /// Sees every datagram just before its receiver does, and may inject others.
  std::function<void(HostIndex to, const SocketAddress& from, const Bytes& octets)> intruder;
  /// Sees every report of an endpoint.
  std::function<void(HostIndex, const protocol::Report&)> listener = {};
  /// If there is one, a datagram that the network carried goes here in the place of its receiver,
  /// who gets only what is injected.
  std::function<void(const Delivery&)> on_path;
};

class World {
 public:
  explicit World(WorldOptions options);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  /// Adds a host and starts it.
  HostIndex add(const HostSetup& setup);
  /// A place on the network that is no endpoint: what comes there goes to `receive`.
  using Receive = std::function<void(Now, const SocketAddress& from, const Bytes& octets)>;
  HostIndex add_guest(const SocketAddress& address, Receive receive);
  /// Sends a datagram in a guest's name.
  void send_as(HostIndex guest, const protocol::Transmit& transmit);
  /// Stops a host: what it had in memory and in the kernel is gone, what was written stays.
  void crash(HostIndex host);
  /// Ends a host's agent: the kernel goes on, and the next start adopts what stands in it.
  void kill(HostIndex host);
  void start(HostIndex host);
  [[nodiscard]] bool is_up(HostIndex host) const;

  /// Adds a commander's host: no agent is on it, and `setup.hosts` means nothing.
  HostIndex add_commander(const HostSetup& setup);
  /// What an order may have instead of what an honest commander would give it.
  struct OrderOptions {
    std::uint64_t counter = 1;
    std::optional<SocketAddress> controller;  // else the plan's
    std::function<void(identity::CommandText&)> change;
    identity::CommandAction action = identity::CommandAction::kCreate;
  };
  /// Gives an order from there, in a session of its own; the last one is forgotten.
  [[nodiscard]] Result<void> order(HostIndex commander, const GroupPlan& plan,
                                   OrderOptions options);
  [[nodiscard]] const protocol::Commander& commander(HostIndex commander) const;
  /// Gives an order that `commander` has signed to the agent of the controller's own host.
  [[nodiscard]] Result<GroupId> order_here(HostIndex controller, const HostSetup& commander,
                                           const GroupPlan& plan, const OrderOptions& options);

  /// Tells the rules what to expect of a group. Before the first command.
  void watch(const GroupPlan& plan) { keys_.watch(plan.facts); }
  [[nodiscard]] Result<GroupId> command(const GroupPlan& plan);
  [[nodiscard]] Result<GroupId> command(HostIndex controller, const GroupPlan& plan);
  /// The host's operator wants it to join; asks the plan's controller.
  [[nodiscard]] Result<GroupId> join(HostIndex host, const GroupPlan& plan);
  /// A datagram out of nowhere.
  void inject(HostIndex to, const SocketAddress& from, const Bytes& octets);
  /// Calls `action` at `delay` from now.
  void after(milliseconds delay, std::function<void()> action);
  /// Odds that a host's store, or kernel, fails a request.
  void break_store(HostIndex host, unsigned permille);
  void break_kernel(HostIndex host, unsigned permille);

  /// Runs until `done`, which is asked every kSweepInterval of virtual time; false if that did not
  /// come within `limit`, or a rule was broken.
  [[nodiscard]] bool run_until(const std::function<bool()>& done, milliseconds limit);
  void run_for(milliseconds span);
  /// The rules for the end of a run. After it the findings are complete.
  void finish();

  [[nodiscard]] std::size_t size() const { return hosts_.size(); }
  [[nodiscard]] MonoTime now() const { return now_; }
  /// The present of a guest, whose clock is right.
  [[nodiscard]] Now guest_now() const;
  [[nodiscard]] const protocol::Endpoint& endpoint(HostIndex host) const;
  [[nodiscard]] const HostSetup& setup(HostIndex host) const;
  [[nodiscard]] std::optional<HostIndex> host_at(const SocketAddress& unicast) const;
  [[nodiscard]] std::optional<protocol::GroupView> view(HostIndex host,
                                                        const GroupPlan& plan) const;
  [[nodiscard]] std::optional<protocol::GroupFloor> floor(HostIndex host,
                                                          const GroupId& group) const;
  [[nodiscard]] bool holds_keys(HostIndex host, const GroupPlan& plan) const;
  /// True once the host has shown the group as active with the epoch that it holds now.
  [[nodiscard]] bool was_active(HostIndex host, const GroupPlan& plan) const;
  /// Every entitled host but `except` is keyed with the controller's epoch, has heard that the
  /// group is active, has its SAs, and sends if it is a sender; and the controller knows it.
  [[nodiscard]] bool is_settled(const GroupPlan& plan,
                                const std::set<HostIndex>& except = {}) const;

  [[nodiscard]] Network& network() { return network_; }
  [[nodiscard]] Findings& findings() { return findings_; }
  [[nodiscard]] const KernelRules& kernels() const { return kernels_; }
  [[nodiscard]] const WireRules& wire() const { return wire_; }
  [[nodiscard]] Prng& chance() { return chance_; }
  /// Hash over everything that has happened, in order.
  [[nodiscard]] const Digest& trace() const { return trace_; }
  /// Inputs given to endpoints so far.
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  /// Saves and installs asked for, and datagrams sent, so far, by one host.
  struct Effects {
    std::uint64_t transmits = 0;
    std::uint64_t saves = 0;
    std::uint64_t installs = 0;
    friend bool operator==(const Effects&, const Effects&) = default;
  };
  [[nodiscard]] const Effects& effects(HostIndex host) const;

 private:
  struct Host;
  struct Action {
    MonoTime at;
    std::uint64_t order = 0;
    std::function<void()> act;
    friend bool operator<(const Action& a, const Action& b) {
      return std::tie(a.at, a.order) > std::tie(b.at, b.order);  // the earliest is on top
    }
  };

  void schedule(MonoTime at, std::function<void()> act);
  [[nodiscard]] bool run_next(MonoTime limit);
  [[nodiscard]] Now now_at(const Host& host) const;
  [[nodiscard]] milliseconds up_to(milliseconds longest);

  void arrive(const Delivery& delivery);
  void receive(HostIndex host, const SocketAddress& from, const Bytes& octets);
  void fire_timer(HostIndex host, std::uint64_t timer);
  void after_input(HostIndex host);
  void drain(HostIndex host);
  void arm_timer(HostIndex host);
  void take(HostIndex host, protocol::SaveFloor save);
  void write(HostIndex host, const protocol::SaveFloor& save);
  void end_agent(HostIndex host);
  void take(HostIndex host, protocol::InstallGroup install);
  void take(HostIndex host, const protocol::KeepGroup& keep);
  [[nodiscard]] bool burn(HostIndex host, protocol::InstallGroup& install);
  void take(HostIndex host, const protocol::JoinControl& join);
  void take(HostIndex host, const protocol::LeaveControl& leave);
  void take(HostIndex host, const protocol::Report& report);
  void send(HostIndex host, protocol::Transmit transmit);
  void deliver(HostIndex host, const protocol::Transmit& transmit);
  void sweep();
  [[nodiscard]] bool is_settled_at(HostIndex host, const GroupPlan& plan,
                                   const EpochId& epoch) const;
  [[nodiscard]] std::vector<Bytes> secrets() const;
  void note(HostIndex host, std::string_view what, ByteView octets);
  void note_spec(HostIndex host, const protocol::InstallGroup& install);

  WorldOptions options_;
  crypto::SeededRandom::OpenSslOverride openssl_;
  Prng chance_;
  MonoTime now_{milliseconds(1'000'000)};
  std::uint64_t scheduled_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t steps_in_this_ms_ = 0;
  std::priority_queue<Action> actions_;
  std::vector<std::unique_ptr<Host>> hosts_;
  Network network_;
  Findings findings_;
  KeyRules keys_;
  KernelRules kernels_;
  WireRules wire_;
  Digest trace_{};
  MonoTime swept_at_{};
};

}  // namespace gkmpd::sim
