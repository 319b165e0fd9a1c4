// All that a host does as a member: exchanges that controllers open with it, groups it holds keys
// of, and the heartbeats it hears (profile P17).
#pragma once

#include <map>
#include <tuple>

#include "agent/protocol/live_group.h"
#include "agent/protocol/member_exchange.h"

namespace gkmpd::protocol {

class MemberSide {
 public:
  explicit MemberSide(Context& context) : context_(context) {}

  /// A datagram of a controller's exchange, or a heartbeat. An error is a drop.
  [[nodiscard]] Result<void> handle_datagram(Now now, const SocketAddress& from,
                                             const wire::Datagram& datagram, ByteView octets);
  void handle_timeout(Now now);
  /// True if the save was one of ours.
  bool handle_saved(Now now, SaveId id, const Result<void>& outcome);
  bool handle_installed(Now now, InstallId id, const Result<void>& outcome);
  /// Asks for all groups of that data address anew.
  void handle_kernel_change(Now now, const IpAddress& data_address);
  [[nodiscard]] std::optional<MonoTime> next_timeout() const;

  void describe(std::vector<GroupView>& views) const;
  [[nodiscard]] const Epoch* epoch_of(const GroupId& group) const;
  [[nodiscard]] const LiveGroup* live_group(const GroupId& group) const;
  /// This host controls the group from now on.
  void forget(const GroupId& group) { groups_.erase(group); }

 private:
  /// With the peer's address: who overheard an id gains nothing by using it first.
  using ExchangeKey = std::tuple<GroupId, ExchangeId, SocketAddress>;

  struct Group {
    identity::Host controller;
    SocketAddress controller_address;
    LiveGroup live;
    std::uint64_t heartbeat_number = 0;
    bool heard_active = false;
    MonoTime silent_at;  // without another heartbeat until then
    bool silent = false;
    MonoTime checks_since{};  // one-second window of signature checks
    int checks = 0;
  };

  [[nodiscard]] Result<void> handle_heartbeat(Now now, const wire::Datagram& datagram,
                                              ByteView octets);
  [[nodiscard]] Result<void> check_heartbeat(Now now, const Group& group,
                                             const wire::Heartbeat& heartbeat) const;
  [[nodiscard]] bool may_check(Now now, Group& group) const;
  [[nodiscard]] MonoTime silence_after(Now now, const identity::GroupPolicy& policy) const;
  void save_mark(const ExchangeKey& key, const MemberExchange::Prepared& prepared);
  void commit(Now now, MemberExchange::Prepared prepared, const SocketAddress& controller);
  void follow(Now now, Group& group);

  Context& context_;
  std::map<ExchangeKey, MemberExchange> exchanges_;
  std::map<GroupId, Group> groups_;
  std::map<SaveId, std::pair<ExchangeKey, GroupFloor>> saves_;
};

}  // namespace gkmpd::protocol
