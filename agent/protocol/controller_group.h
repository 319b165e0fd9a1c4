// One group that this host controls: from the command over the first member and all others to the
// heartbeats and rekeys (RFC 2093 6.1, figures 1 to 3; profile P17).
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "agent/protocol/check_budget.h"
#include "agent/protocol/controller_exchange.h"
#include "agent/protocol/live_group.h"
#include "agent/protocol/rekey_orders.h"
#include "agent/protocol/repair.h"

namespace gkmpd::protocol {

class ControllerGroup {
 public:
  /// State 1: checks the command as RFC 2093 5.1 says. An error changes nothing. `mark` is that of
  /// a signed order.
  [[nodiscard]] static Result<std::unique_ptr<ControllerGroup>> make(
      Context& context, const CreateGroupCommand& command, const std::optional<CommandMark>& mark,
      Now now);

  /// Asks for the marks to be saved; nothing is sent before that is done.
  void begin();

  /// State 1 of an order to rekey: at once, or as soon as no earlier epoch is at work and none is
  /// being made; `mark` is saved with the new epoch's tuple. An error changes nothing.
  [[nodiscard]] Result<void> order_rekey(Now now, const CommandMark& mark);

  [[nodiscard]] const identity::GroupToken& token() const { return token_; }
  /// True once the group can be created anew: it failed, or its epoch has ended.
  [[nodiscard]] bool over() const;
  /// It has no keys, and nobody has asked for any yet: another order may take its place.
  [[nodiscard]] bool is_waiting() const;

  /// A member's datagram. An error is a drop.
  [[nodiscard]] Result<void> handle_datagram(Now now, const SocketAddress& from,
                                             const wire::Datagram& datagram, ByteView octets);
  /// What a member sent to the whole group: a repair request, or a rekey for others to have.
  [[nodiscard]] Result<void> handle_multicast(Now now, const wire::Datagram& datagram);
  /// State 11 (figure 4): a cookie comes first, then the exchange. An error is a drop.
  [[nodiscard]] Result<void> handle_join(Now now, const SocketAddress& from,
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

  /// An epoch that is being made: its tuple goes to disk, then a first member is looked for.
  struct Making {
    wire::Cause cause = wire::Cause::kCreate;
    std::deque<std::size_t> candidates;    // places in the member list
    std::optional<ExchangeId> exchange{};  // with whom the keys are being made
    std::optional<SaveId> save{};
  };

  ControllerGroup(Context& context, identity::GroupToken token, std::uint8_t rank);

  [[nodiscard]] Result<void> take_members(const identity::MemberList& list);
  [[nodiscard]] Result<void> assign_senders();
  [[nodiscard]] Result<void> plan_epoch();

  void make_epoch(wire::Cause cause, std::deque<std::size_t> candidates);
  /// Of an epoch that takes the place of another one the members' states tell nothing yet.
  [[nodiscard]] bool is_rekeying() const { return making_ && live_; }
  void begin_rekey(Now now);
  [[nodiscard]] Result<void> check_rekey_allowed(Now now) const;
  [[nodiscard]] std::deque<std::size_t> choose_first_members();
  void making_failed(Now now, Error why);
  /// False if it could not be signed: then making_failed has said so.
  [[nodiscard]] bool begin_epoch(Now now, NewKeys keys, const std::string& with);
  void send_rekey(Now now, Bytes datagram);

  /// In which figure who joins now takes part; `protocol.not-ready` while another makes the keys.
  [[nodiscard]] Result<Flow> flow_of_join() const;
  /// Room for an exchange with who asks from there: `protocol.too-many-exchanges`.
  [[nodiscard]] Result<void> make_room_for_join(const SocketAddress& from);
  void demand_cookie(Now now, const CookieQuestion& question);
  [[nodiscard]] Result<void> open_join(Now now, Flow flow, const SocketAddress& from,
                                       const wire::Datagram& datagram, ByteView octets);
  [[nodiscard]] Result<void> check_may_join(const identity::Host& host) const;
  /// The list's entry of who has joined, or a new one.
  Entry& enroll(const ControllerExchange& exchange);

  [[nodiscard]] bool open_exchange(Now now, std::size_t member, Flow flow);
  void try_first_member(Now now);
  void distribute(Now now);
  void act_on(Now now, ControllerExchange& exchange, ControllerExchange::Outcome outcome);
  void member_reviewed(Now now, ControllerExchange& exchange);
  void member_keyed(Entry& member);
  void member_failed(Now now, ControllerExchange& exchange);
  void first_member_failed(Now now, Entry& member, const Error& why);
  void fail_group(Error why);
  /// Where members reach this host.
  [[nodiscard]] SocketAddress own_address() const;
  void send_heartbeat(Now now);
  /// It is the exchange of the epoch that is being made.
  [[nodiscard]] bool makes_keys(const ControllerExchange& exchange) const {
    return making_ && making_->exchange == exchange.id();
  }
  /// And the member holds an epoch already.
  [[nodiscard]] bool is_first_again(const ControllerExchange& exchange) const {
    return live_ && makes_keys(exchange);
  }
  /// Null of who asked to join and has no name yet.
  [[nodiscard]] Entry* entry_of(const ControllerExchange& exchange);
  void note_decided();

  Context& context_;
  identity::GroupToken token_;
  std::uint8_t rank_;
  GroupFloor floor_;  // with the tuple of the epoch being made
  std::vector<Entry> members_;
  wire::SenderTable senders_;
  std::map<ExchangeId, std::unique_ptr<ControllerExchange>> exchanges_;
  std::optional<Making> making_;
  std::optional<LiveGroup> live_;
  std::optional<MonoTime> rekey_at_;
  milliseconds rekey_retry_wait_ = kRetryRekeyFirst;
  RekeyOrders rekey_orders_;
  std::string rekey_error_;  // of the last attempt, if it failed
  RekeyRepeats repeats_;
  PackageShelf shelf_;
  std::optional<MonoTime> heartbeat_at_;
  std::uint64_t heartbeat_number_ = 0;
  CheckBudget join_checks_;
  bool receiver_initiated_ = false;  // nobody is listed: the first to ask makes the keys
  bool distributed_ = false;         // every listed member has been keyed or has failed once
  std::optional<Error> failed_;
  /// Where an earlier epoch of the group still stands in the kernel, if it does.
  std::optional<GroupAddresses> earlier_addresses_;
};

}  // namespace gkmpd::protocol
