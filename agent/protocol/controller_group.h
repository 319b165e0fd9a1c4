// One group that this host controls: from the command over the first member and all others to the
// heartbeats (RFC 2093 6.1; profile P17).
#pragma once

#include <map>
#include <memory>

#include "agent/protocol/controller_exchange.h"
#include "agent/protocol/live_group.h"

namespace gkmpd::protocol {

class ControllerGroup {
 public:
  /// State 1: checks the command as RFC 2093 5.1 says. An error changes nothing. `mark` is that of
  /// a command that came over the network.
  [[nodiscard]] static Result<std::unique_ptr<ControllerGroup>> make(
      Context& context, const CreateGroupCommand& command, const std::optional<CommandMark>& mark,
      Now now);

  /// Asks for the marks to be saved; nothing is sent before that is done.
  void begin();

  [[nodiscard]] const identity::GroupToken& token() const { return token_; }
  /// True once the group can be created anew: it failed, or its epoch has ended.
  [[nodiscard]] bool over() const;

  /// A member's datagram. An error is a drop.
  [[nodiscard]] Result<void> handle_datagram(Now now, const SocketAddress& from,
                                             const wire::Datagram& datagram, ByteView octets);
  void handle_timeout(Now now);
  bool handle_saved(Now now, SaveId id, const Result<void>& outcome);
  bool handle_installed(Now now, InstallId id, const Result<void>& outcome);
  /// Asks for the group anew, if that is its data address.
  void handle_kernel_change(Now now, const IpAddress& data_address);
  [[nodiscard]] std::optional<MonoTime> next_timeout() const;

  [[nodiscard]] GroupView describe() const;
  [[nodiscard]] const LiveGroup* live() const { return live_ ? &*live_ : nullptr; }
  [[nodiscard]] SocketAddress control_multicast() const {
    return {token_.policy.control_address, token_.policy.control_port};
  }

 private:
  struct Entry {
    std::string name;
    IpAddress address;
    MemberState state = MemberState::kWaiting;
    std::string why;
    bool refused = false;     // by one side or the other: asked again seldom
    bool broken_off = false;  // it had answered and fell silent, once
    std::optional<MonoTime> retry_at;
    milliseconds retry_wait = kRetryMemberFirst;
  };

  ControllerGroup(Context& context, identity::GroupToken token, std::uint8_t rank);

  [[nodiscard]] Result<void> take_members(const identity::MemberList& list);
  [[nodiscard]] Result<void> assign_senders();
  [[nodiscard]] Result<void> plan_epoch();

  [[nodiscard]] bool open_exchange(Now now, std::size_t member, Flow flow);
  void try_first_member(Now now);
  void distribute(Now now);
  void act_on(Now now, ControllerExchange& exchange, ControllerExchange::Outcome outcome);
  void member_reviewed(Now now, ControllerExchange& exchange);
  void member_keyed(Entry& member);
  void member_failed(Now now, ControllerExchange& exchange);
  void fail_group(Error why);
  void send_heartbeat(Now now);
  [[nodiscard]] Entry& entry_of(const ControllerExchange& exchange);
  void note_decided();

  Context& context_;
  identity::GroupToken token_;
  std::uint8_t rank_;
  GroupFloor floor_;  // with the tuple of the epoch being made
  std::optional<SaveId> save_;
  std::vector<Entry> members_;
  wire::SenderTable senders_;
  std::map<ExchangeId, std::unique_ptr<ControllerExchange>> exchanges_;
  std::size_t next_first_ = 0;  // index of the first member to be tried next
  int rounds_left_ = kFirstMemberRounds;
  std::optional<LiveGroup> live_;
  std::optional<MonoTime> heartbeat_at_;
  std::uint64_t heartbeat_number_ = 0;
  bool distributed_ = false;  // every listed member has been keyed or has failed once
  std::optional<Error> failed_;
  /// Where an earlier epoch of the group still stands in the kernel, if it does.
  std::optional<GroupAddresses> earlier_addresses_;
};

}  // namespace gkmpd::protocol
