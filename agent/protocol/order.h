// An order of a commander (RFC 2093 4.1; profile P30, S26), over the network or given on the
// controller's own host: what its text says, what it is held against, and who carries it out.
#pragma once

#include "agent/identity/command.h"
#include "agent/protocol/context.h"

namespace gkmpd::protocol {

/// What orders need of the host's groups. An error changes nothing.
class GroupOffice {
 public:
  GroupOffice() = default;
  GroupOffice(const GroupOffice&) = delete;
  GroupOffice& operator=(const GroupOffice&) = delete;
  virtual ~GroupOffice() = default;

  /// Starts the group, with `mark` to be saved before anything is sent.
  [[nodiscard]] virtual Result<void> create(Now now, const CreateGroupCommand& command,
                                            const CommandMark& mark) = 0;
  /// Has the group of the token rekeyed, at once or as soon as it can be, with `mark` to be saved
  /// before that has any effect.
  [[nodiscard]] virtual Result<void> rekey(Now now, const identity::GroupToken& token,
                                           const CommandMark& mark) = 0;
  /// A group that this host controls under the token of that hash.
  [[nodiscard]] virtual std::optional<GroupView> controlled(const GroupId& group,
                                                            const Digest& token_hash) const = 0;
};

/// The text of an order that is given now.
[[nodiscard]] identity::CommandText order_text(identity::CommandAction action,
                                               const std::string& group, const Digest& token_hash,
                                               const std::string& controller, std::uint64_t counter,
                                               Now now);

/// An order that passed review_order.
struct Order {
  identity::Command command;
  CommandMark mark;  // is to be on disk before any effect
};

/// In the order of docs/PROTOCOL.md, "Command". `token` is that which the order comes with, and
/// `bearer` the host that brings it over the network; null for one that is given here.
[[nodiscard]] Result<Order> review_order(const Context& context, const identity::GroupToken& token,
                                         const identity::Host* bearer, ByteView der, Now now);

/// `protocol.command-stale` if an order of that commander with that counter, or a higher one, was
/// taken before.
[[nodiscard]] Result<void> check_fresh(const CommandMarks& marks, const CommandMark& mark);

/// State 1: has the order carried out. `member_list` is what it came with.
[[nodiscard]] Result<void> obey(GroupOffice& office, Now now, const identity::GroupToken& token,
                                const Order& order, const std::optional<Bytes>& member_list);
/// Tells that it is, and where it came from: "from 10.9.0.4:40000".
void report_obeyed(Context& context, const Order& order, const std::string& where);

}  // namespace gkmpd::protocol
