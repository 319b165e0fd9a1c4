// One group that this host is a member of: the epoch it holds, the heartbeats it hears, the rekeys
// that take it on, and the repair of those that it or others missed (RFC 2093 state 10; profile
// P17, P18, P31).
#pragma once

#include "agent/protocol/check_budget.h"
#include "agent/protocol/live_group.h"
#include "agent/protocol/rekey_package.h"
#include "agent/protocol/repair.h"

namespace gkmpd::protocol {

/// An epoch that passed every check, and where it came from.
struct KeyedEpoch {
  identity::GroupToken token;
  identity::Host controller;
  SocketAddress controller_address;
  Epoch epoch;
};

class MemberGroup {
 public:
  MemberGroup(Context& context, KeyedEpoch keyed, Now now);

  /// State 8 and 10, last step: the key table takes the new keys, whose mark is on disk.
  void take(Now now, KeyedEpoch keyed);

  /// An error is a drop.
  [[nodiscard]] Result<void> handle_heartbeat(Now now, const wire::Datagram& datagram,
                                              ByteView octets);
  /// The epoch of a Rekey_Multicast that passed every check, once: its mark is to be saved, then it
  /// is to be taken. Nothing for a repetition.
  [[nodiscard]] Result<std::optional<KeyedEpoch>> handle_rekey(Now now,
                                                               const wire::Datagram& datagram);
  /// The mark could not be saved: the next repetition is looked at again.
  void rekey_not_saved(Now now, const EpochTuple& tuple);
  [[nodiscard]] Result<void> handle_repair_request(Now now, const wire::Datagram& datagram);
  void handle_timeout(Now now);
  [[nodiscard]] std::optional<MonoTime> next_timeout() const;

  /// The group cannot bring this host on, and has not forgotten it for good: only the controller
  /// can.
  [[nodiscard]] bool needs_controller(Now now) const;
  [[nodiscard]] const SocketAddress& controller_address() const { return controller_address_; }
  [[nodiscard]] bool silent() const { return silent_; }

  [[nodiscard]] GroupView describe() const;
  [[nodiscard]] LiveGroup& live() { return live_; }
  [[nodiscard]] const LiveGroup& live() const { return live_; }

 private:
  [[nodiscard]] const identity::GroupPolicy& policy() const { return live_.token().policy; }
  [[nodiscard]] Result<void> check_heartbeat(Now now, const wire::Heartbeat& heartbeat) const;
  /// Was heard already, or is of an epoch before one that was heard of.
  [[nodiscard]] bool is_stale(const wire::Heartbeat& heartbeat) const;
  [[nodiscard]] Result<KeyedEpoch> check_package(Now now, const RekeyPackage& package) const;
  void controller_heard(Now now);
  /// A controller's signature says that there is an epoch above the one held.
  void epoch_missed(Now now, const EpochTuple& tuple);
  void ask_for_repair(Now now);

  Context& context_;
  identity::Host controller_;
  SocketAddress controller_address_;
  LiveGroup live_;
  std::uint64_t heartbeat_number_ = 0;
  bool heard_active_ = false;
  MonoTime silent_at_;  // without another heartbeat until then
  bool silent_ = false;
  std::optional<MonoTime> ask_at_;  // of a silent controller: then it is asked whether it is there
  bool unheard_ = false;            // and that time has come
  CheckBudget outsiders_;           // of what anybody can send
  CheckBudget holders_;             // of rekeys that only who holds the group's keys can have made
  PackageShelf shelf_;
  RepairClock repair_;
  EpochTuple newest_heard_;          // above the one held, if there is one
  std::uint64_t newest_number_ = 0;  // of the last heartbeat of that epoch
  int asked_ = 0;                    // repair requests for what this host lacks, anybody's
  std::optional<Digest> saving_;     // statement of the rekey whose mark is on its way to disk
};

}  // namespace gkmpd::protocol
