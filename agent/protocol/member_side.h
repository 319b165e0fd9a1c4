// All that a host does as a member: exchanges that controllers open with it, groups it holds keys
// of, and what it hears in them.
#pragma once

#include <map>
#include <tuple>
#include <variant>

#include "agent/protocol/joins.h"
#include "agent/protocol/member_exchange.h"
#include "agent/protocol/member_group.h"

namespace gkmpd::protocol {

class MemberSide {
 public:
  explicit MemberSide(Context& context) : context_(context), joins_(context) {}

  /// A datagram of a controller's exchange, or one to the whole group. An error is a drop.
  [[nodiscard]] Result<void> handle_datagram(Now now, const SocketAddress& from,
                                             const wire::Datagram& datagram, ByteView octets);
  /// As Endpoint::handle_join.
  [[nodiscard]] Result<void> join(Now now, const GroupId& group, const std::string& name,
                                  const SocketAddress& controller);
  /// Asks for the keys of a group that an earlier run left at work.
  void rejoin(Now now, const AdoptedGroup& group);
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
  void forget(const GroupId& group) {
    groups_.erase(group);
    joins_.done(group);
  }

 private:
  /// With the peer's address: who overheard an id gains nothing by using it first.
  using ExchangeKey = std::tuple<GroupId, ExchangeId, SocketAddress>;

  /// An epoch of Rekey_Multicast, or that of an exchange, whose mark is on its way to disk.
  struct Saving {
    std::variant<ExchangeKey, KeyedEpoch> what;
    GroupId group{};
    GroupFloor floor;
  };

  [[nodiscard]] Result<void> handle_multicast(Now now, const wire::Datagram& datagram,
                                              ByteView octets);
  /// A first message, which may answer a request to join.
  [[nodiscard]] Result<void> open_exchange(Now now, const SocketAddress& from,
                                           const wire::Datagram& datagram, ByteView octets);
  [[nodiscard]] Result<void> handle_exchange(Now now, const SocketAddress& from,
                                             const wire::Datagram& datagram, ByteView octets);
  /// Asks the controller for keys if the group cannot bring this host on.
  void follow(Now now, const GroupId& id, const MemberGroup& group);
  void save_mark(std::variant<ExchangeKey, KeyedEpoch> what, const identity::GroupToken& token,
                 const EpochTuple& tuple);
  void exchange_saved(Now now, const ExchangeKey& key, const GroupFloor& floor,
                      const Result<void>& outcome);
  void rekey_saved(Now now, KeyedEpoch keyed, const GroupFloor& floor, const Result<void>& outcome);
  /// May an epoch of that mark be taken still?
  [[nodiscard]] Result<void> check_place(const identity::GroupToken& token,
                                         const GroupFloor& floor);
  void commit(Now now, KeyedEpoch keyed, const GroupFloor& floor);

  Context& context_;
  Joins joins_;
  std::map<ExchangeKey, MemberExchange> exchanges_;
  std::map<GroupId, MemberGroup> groups_;
  std::map<SaveId, Saving> saves_;
};

}  // namespace gkmpd::protocol
