// The agent at work: the core with its socket, store, kernel and operators around it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/crypto/random.h"
#include "agent/daemon/config.h"
#include "agent/daemon/control_server.h"
#include "agent/daemon/counters.h"
#include "agent/daemon/kernel_watch.h"
#include "agent/daemon/link_follower.h"
#include "agent/daemon/log.h"
#include "agent/daemon/loop.h"
#include "agent/daemon/sender_totals.h"
#include "agent/daemon/startup.h"
#include "agent/daemon/udp.h"
#include "agent/protocol/endpoint.h"

namespace gkmpd::daemon {

class Agent {
 public:
  /// `prepare`, then UDP, core and control socket. `log` and `loop` outlive the agent.
  [[nodiscard]] static Result<std::unique_ptr<Agent>> start(const Config& config, const Log& log,
                                                            Loop& loop);
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  ~Agent() = default;

  /// Takes out of the kernel what the groups' tokens say, and leaves the rest at work. False if
  /// something stayed that should not: the log says what.
  [[nodiscard]] bool stop();

  [[nodiscard]] const std::string& host_name() const { return endpoint_.self().name; }

 private:
  /// What is shown of the revocation list; it is read once, at the start.
  struct CrlFacts {
    std::uint64_t number = 0;
    WallTime this_update{};
    std::optional<WallTime> next_update;
    std::size_t entries = 0;
  };

  Agent(const Config& config, const Log& log, Loop& loop,
        std::unique_ptr<crypto::SystemRandom> random, Prepared prepared, std::vector<UdpSocket> udp,
        protocol::Endpoint endpoint, CrlFacts crl);

  [[nodiscard]] Result<void> listen(unsigned interface);
  /// The kernel's word of what others do to SAs, policies, links and addresses.
  [[nodiscard]] Result<void> follow_kernel(unsigned interface);
  [[nodiscard]] Now now() const;
  /// To the log and to whoever watches.
  void report(const protocol::Report& report);

  // Inputs; each ends in `drain`.
  void on_datagrams(UdpSocket& socket);
  void on_timeout();
  /// Has the groups of that data address compared with the kernel; true if anything was repaired.
  [[nodiscard]] bool compare(const IpAddress& data_address);
  [[nodiscard]] std::string answer(const Request& request);
  [[nodiscard]] std::string create_group(const CreateGroupRequest& request);
  [[nodiscard]] std::string order_group(const OrderRequest& request);
  [[nodiscard]] std::string join_group(const JoinGroupRequest& request);
  /// The group that the endpoint has taken an order for, or why it has not.
  [[nodiscard]] std::string answer_order(const Result<GroupId>& taken);
  /// Of one group, or of all if that is empty.
  [[nodiscard]] std::string list_sas(const std::string& group);
  [[nodiscard]] std::string show_group(const std::string& name);
  /// All SAs of ours with what the kernel counts of them, which goes into the senders' totals.
  [[nodiscard]] Result<std::vector<SaView>> read_sas();
  /// The same for the totals alone.
  void note_usage();
  /// Likewise, if the last look is long ago; groups that are gone are forgotten.
  void note_usage_now_and_then();

  [[nodiscard]] std::string snapshot(const WatchRequest& watch) const;
  [[nodiscard]] Status status();

  /// Does what the endpoint asks for until it asks for nothing more, then waits for its next time.
  void drain();
  void perform(const protocol::SaveFloor& event);
  void perform(protocol::InstallGroup event);
  void perform(const protocol::KeepGroup& event);
  void perform(const protocol::JoinControl& event);
  void perform(const protocol::LeaveControl& event);
  /// To the log and the counters, if there was anything to repair.
  void note_repair(const std::string& group, const xfrm::Tally& done);
  /// Tells once that the kernel shows no keys, if that is so.
  void note_hidden_keys();
  /// Listens on the interface of that index, to all control addresses.
  [[nodiscard]] Result<void> move_to(unsigned interface);
  /// Tells watchers of groups that look different than when last told.
  void notify_changes();

  const Config config_;
  const Log& log_;
  Loop& loop_;
  const MonoTime started_;
  std::unique_ptr<crypto::SystemRandom> random_;
  std::unique_ptr<store::Store> store_;
  Installer installer_;
  std::vector<xfrm::KernelLack> kernel_lacks_;
  const std::optional<WallTime> time_floor_;
  const CrlFacts crl_;
  std::vector<UdpSocket> udp_;
  protocol::Endpoint endpoint_;
  Counters counters_;
  SenderTotals sender_totals_;
  MonoTime usage_noted_at_{};
  std::map<GroupId, SocketAddress> joined_;
  std::map<std::string, std::string> told_;  // per group name, the last line for watchers
  std::vector<Loop::Source> udp_sources_;
  Loop::Source timer_;
  bool repaired_ = false;  // since `compare` began
  bool hidden_keys_told_ = false;
  std::unique_ptr<KernelWatch> kernel_watch_;
  std::unique_ptr<LinkFollower> link_follower_;
  std::unique_ptr<ControlServer> control_;
};

}  // namespace gkmpd::daemon
