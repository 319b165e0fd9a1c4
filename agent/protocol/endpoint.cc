#include "agent/protocol/endpoint.h"

#include <algorithm>
#include <set>

#include "agent/protocol/command_side.h"
#include "agent/protocol/controller_group.h"
#include "agent/protocol/errors.h"
#include "agent/protocol/member_side.h"
#include "agent/protocol/review.h"

namespace gkmpd::protocol {

std::string_view to_text(MemberState state) {
  switch (state) {
    case MemberState::kWaiting:
      return "waiting";
    case MemberState::kAsked:
      return "asked";
    case MemberState::kNegotiating:
      return "negotiating";
    case MemberState::kDownloading:
      return "downloading";
    case MemberState::kKeyed:
      return "keyed";
    case MemberState::kFailed:
      return "failed";
  }
  return "unknown";
}

std::string_view to_text(GroupRole role) {
  switch (role) {
    case GroupRole::kController:
      return "controller";
    case GroupRole::kMember:
      return "member";
  }
  return "unknown";
}

std::string_view to_text(GroupState state) {
  switch (state) {
    case GroupState::kCreating:
      return "creating";
    case GroupState::kPending:
      return "pending";
    case GroupState::kActive:
      return "active";
    case GroupState::kSilent:
      return "silent";
    case GroupState::kExpired:
      return "expired";
    case GroupState::kFailed:
      return "failed";
    case GroupState::kAdopted:
      return "adopted";
    case GroupState::kJoining:
      return "joining";
  }
  return "unknown";
}

class Endpoint::Impl final : public GroupOffice {
 public:
  Impl(EndpointConfig config, identity::Host self, std::map<GroupId, GroupFloor> floors,
       Random& random, const std::vector<AdoptedGroup>& adopted, Now now)
      : context_{.config = std::move(config),
                 .self = std::move(self),
                 .random = random,
                 .floors = std::move(floors),
                 .adopted = AdoptedGroups(adopted, now),
                 .out = {}},
        member_side_(context_),
        command_side_(context_, *this) {
    for (const AdoptedGroup& group : adopted) {
      context_.addresses[group.id] = {
          group.name,      group.data_address,    group.data_protocol,
          group.data_port, group.memo.spi_prefix, group.memo.control_multicast.ip};
      if (group.memo.role == GroupRole::kMember) member_side_.rejoin(now, group);
    }
  }

  void handle_datagram(Now now, const SocketAddress& from, ByteView octets) {
    if (auto handled = route(now, from, octets); !handled) {
      context_.out.count(handled.error().kind);
      context_.out.report(
          {Report::Level::kDebug, "dropped", "", from.text(), handled.error().text()});
    }
  }

  void handle_timeout(Now now) {
    member_side_.handle_timeout(now);
    command_side_.handle_timeout(now);
    for (auto& [id, group] : controlled_) group->handle_timeout(now);
    context_.adopted.handle_timeout(context_, now);
  }

  void handle_kernel_change(Now now, const IpAddress& data_address) {
    member_side_.handle_kernel_change(now, data_address);
    for (auto& [id, group] : controlled_) {
      if (!is_superseded(id, *group)) group->handle_kernel_change(now, data_address);
    }
    context_.adopted.handle_kernel_change(context_, data_address);
  }

  Result<void> create(Now now, const CreateGroupCommand& command,
                      const CommandMark& mark) override {
    auto created = handle_command(now, command, mark);
    if (!created) return pass_on(created);
    return {};
  }

  Result<void> rekey(Now now, const identity::GroupToken& token, const CommandMark& mark) override {
    const auto found = controlled_.find(token.group_id);
    if (found == controlled_.end() || found->second->over()) return fail_not_live(token);
    if (found->second->token().hash != token.hash) {
      return fail(kTokenNotInForce, "the group lives under another token, of version " +
                                        std::to_string(found->second->token().policy.version) +
                                        ": order with that");
    }
    return found->second->order_rekey(now, mark);
  }

  [[nodiscard]] std::optional<GroupView> controlled(const GroupId& group,
                                                    const Digest& token_hash) const override {
    const auto found = controlled_.find(group);
    if (found == controlled_.end() || found->second->token().hash != token_hash) {
      return std::nullopt;
    }
    return found->second->describe();
  }

  Result<GroupId> handle_command(Now now, const CreateGroupCommand& command,
                                 const std::optional<CommandMark>& mark) {
    auto group = ControllerGroup::make(context_, command, mark, now);
    if (!group) return pass_on(group);
    const GroupId id = (*group)->token().group_id;
    if (controlled_.size() >= kMaxGroups) {
      std::erase_if(controlled_,
                    [&](const auto& entry) { return entry.first != id && entry.second->over(); });
    }
    if (auto free = check_free(id, (*group)->token().policy.group); !free) return pass_on(free);
    leave_earlier_control(id, (*group)->control_multicast());
    keep_ended(id);
    member_side_.forget(id);
    (*group)->begin();
    controlled_[id] = std::move(*group);
    return id;
  }

  Result<GroupId> join(Now now, const std::string& name, const SocketAddress& controller) {
    const GroupId id = identity::group_id(context_.anchor(), name);
    const auto controlled = controlled_.find(id);
    if (controlled != controlled_.end() && !controlled->second->over()) {
      return fail(kGroupExists, "this host controls " + name);
    }
    if (context_.own_address(controller.ip.family) == nullptr) {
      return fail(kAddressFamily, "this host has no address of the family of " +
                                      controller.ip.text() + ": give it one in [control] address");
    }
    if (auto asked = member_side_.join(now, id, name, controller); !asked) return pass_on(asked);
    return id;
  }

  Result<GroupId> handle_order(Now now, const SignedOrder& given) {
    auto token = review_token(context_, given.token, now);
    if (!token) return pass_on(token);
    if (auto rank = review_controller(token->policy, context_.self); !rank) return pass_on(rank);
    auto order = review_order(context_, *token, /*bearer=*/nullptr, given.command, now);
    if (!order) return pass_on(order);
    auto obeyed = obey(*this, now, *token, *order, /*member_list=*/std::nullopt);
    if (!obeyed) return pass_on(obeyed);
    report_obeyed(context_, *order, "on this host");
    return token->group_id;
  }

  void handle_saved(Now now, SaveId id, const Result<void>& outcome) {
    if (member_side_.handle_saved(now, id, outcome)) return;
    for (auto& [group_id, group] : controlled_) {
      if (group->handle_saved(now, id, outcome)) return;
    }
  }

  void handle_installed(Now now, InstallId id, const Result<void>& outcome) {
    if (member_side_.handle_installed(now, id, outcome)) return;
    for (auto& [group_id, group] : controlled_) {
      if (group->handle_installed(now, id, outcome)) return;
    }
  }

  [[nodiscard]] std::optional<MonoTime> next_timeout() const {
    std::optional<MonoTime> earliest = member_side_.next_timeout();
    keep_earlier(earliest, command_side_.next_timeout());
    for (const auto& [id, group] : controlled_) keep_earlier(earliest, group->next_timeout());
    keep_earlier(earliest, context_.adopted.next_timeout());
    return earliest;
  }

  [[nodiscard]] std::vector<GroupView> groups() const {
    std::vector<GroupView> views;
    for (const auto& [id, group] : controlled_) {
      if (!is_superseded(id, *group)) views.push_back(group->describe());
    }
    member_side_.describe(views);
    context_.adopted.describe(views);
    std::ranges::sort(views, {}, &GroupView::name);
    return views;
  }

  [[nodiscard]] const LiveGroup* live_group(const GroupId& group) const {
    const auto controlled = controlled_.find(group);
    if (controlled == controlled_.end() || is_superseded(group, *controlled->second)) {
      return member_side_.live_group(group);
    }
    return controlled->second->live();
  }

  [[nodiscard]] Context& context() { return context_; }

 private:
  Result<void> route(Now now, const SocketAddress& from, ByteView octets) {
    auto datagram = wire::decode_datagram(octets);
    if (!datagram) return pass_on(datagram);
    const auto controlled = controlled_.find(datagram->header.group);
    if (datagram->header.role == wire::SenderRole::kCommander) {
      return command_side_.handle_datagram(now, from, *datagram, octets);
    }
    const bool controls = controlled != controlled_.end() && !controlled->second->over();
    if (wire::is_multicast(datagram->header.type)) {
      return controls ? controlled->second->handle_multicast(now, *datagram)
                      : member_side_.handle_datagram(now, from, *datagram, octets);
    }
    const bool from_controller = datagram->header.role == wire::SenderRole::kController;
    if (from_controller) {
      if (controls) return fail(kOwnGroup);
      return member_side_.handle_datagram(now, from, *datagram, octets);
    }
    if (datagram->header.type == wire::MessageType::kRequestGroupJoin) {
      // Who serves no such group keeps silent (RFC 2093 state 11).
      return controls ? controlled->second->handle_join(now, from, *datagram, octets)
                      : Result<void>(fail(kUnknownGroup));
    }
    if (controlled == controlled_.end()) return fail(kUnknownGroup);
    return controlled->second->handle_datagram(now, from, *datagram, octets);
  }

  /// A group that we controlled once, and that another controller has keyed us for since.
  [[nodiscard]] bool is_superseded(const GroupId& id, const ControllerGroup& group) const {
    return group.over() && member_side_.epoch_of(id) != nullptr;
  }

  /// What stands of the group from an earlier epoch may have been heard on another address.
  void leave_earlier_control(const GroupId& id, const SocketAddress& now_on) {
    const auto controlled = controlled_.find(id);
    const LiveGroup* live = controlled == controlled_.end() ? nullptr : controlled->second->live();
    if (live == nullptr) live = member_side_.live_group(id);
    if (live != nullptr && live->control_multicast() != now_on) {
      context_.out.event(LeaveControl{id, live->control_multicast()});
    }
  }

  /// What stands of an ended epoch is nobody's until the new one comes, which may be never.
  void keep_ended(const GroupId& id) {
    const LiveGroup* live = member_side_.live_group(id);
    const auto controlled = controlled_.find(id);
    if (live == nullptr && controlled != controlled_.end()) live = controlled->second->live();
    if (live != nullptr) context_.adopted.keep_ended(live->to_adopted());
  }

  /// Why an order about a group that lives finds none here, and what would help.
  [[nodiscard]] Result<void> fail_not_live(const identity::GroupToken& token) const {
    const std::string& name = token.policy.group;
    const auto views = groups();
    const auto found = std::ranges::find(views, token.group_id, &GroupView::id);
    if (found == views.end()) {
      return fail(kGroupNotLive, "this host has no group " + name +
                                     ": give the order to its controller, or create it first");
    }
    if (found->role == GroupRole::kMember && found->state != GroupState::kAdopted) {
      return fail(kGroupNotLive, "this host is a member of " + name +
                                     ": give the order to its controller, " + found->controller);
    }
    return fail(kGroupNotLive, name + " is " + std::string(to_text(found->state)) +
                                   " here, and this host has no keys of it: create it again");
  }

  [[nodiscard]] Result<void> check_free(const GroupId& id, const std::string& name) const {
    const auto controlled = controlled_.find(id);
    if (controlled != controlled_.end() && !controlled->second->over() &&
        !controlled->second->is_waiting()) {
      return fail(kGroupExists, "this host controls " + name + " already");
    }
    if (const auto* live = member_side_.live_group(id); live != nullptr && !live->expired()) {
      return fail(kGroupExists, name + " has a controller, which has keyed this host");
    }
    if (controlled == controlled_.end() && controlled_.size() >= kMaxGroups) {
      return fail(kTooManyGroups, "this host controls " + std::to_string(kMaxGroups) + " groups");
    }
    return {};
  }

  Context context_;
  MemberSide member_side_;
  CommandSide command_side_;
  std::map<GroupId, std::unique_ptr<ControllerGroup>> controlled_;
};

Endpoint::Endpoint(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Endpoint::Endpoint(Endpoint&&) noexcept = default;
Endpoint& Endpoint::operator=(Endpoint&&) noexcept = default;
Endpoint::~Endpoint() = default;

Result<Endpoint> Endpoint::make(EndpointConfig config, std::map<GroupId, GroupFloor> floors,
                                Random& random, Now now, const std::vector<AdoptedGroup>& adopted) {
  auto self = own_identity(config.trust, config.certificate, config.intermediates, config.key, now);
  if (!self) return pass_on(self);
  return Endpoint(std::make_unique<Impl>(std::move(config), std::move(*self), std::move(floors),
                                         random, adopted, now));
}

void Endpoint::handle_datagram(Now now, const SocketAddress& from, ByteView octets) {
  impl_->handle_datagram(now, from, octets);
}
void Endpoint::handle_timeout(Now now) { impl_->handle_timeout(now); }
Result<GroupId> Endpoint::handle_command(Now now, const CreateGroupCommand& command) {
  return impl_->handle_command(now, command, std::nullopt);
}
Result<GroupId> Endpoint::handle_join(Now now, const std::string& group_name,
                                      const SocketAddress& controller) {
  return impl_->join(now, group_name, controller);
}
Result<GroupId> Endpoint::handle_order(Now now, const SignedOrder& order) {
  return impl_->handle_order(now, order);
}
void Endpoint::handle_saved(Now now, SaveId id, const Result<void>& outcome) {
  impl_->handle_saved(now, id, outcome);
}
void Endpoint::handle_installed(Now now, InstallId id, const Result<void>& outcome) {
  impl_->handle_installed(now, id, outcome);
}

void Endpoint::handle_kept(Now now, InstallId id, const Result<Kept>& outcome) {
  impl_->context().adopted.handle_kept(impl_->context(), now, id, outcome);
}
void Endpoint::handle_kernel_change(Now now, const IpAddress& data_address) {
  impl_->handle_kernel_change(now, data_address);
}

std::optional<Transmit> Endpoint::poll_transmit() { return impl_->context().out.next_transmit(); }
std::optional<Event> Endpoint::poll_event() { return impl_->context().out.next_event(); }
std::optional<MonoTime> Endpoint::poll_timeout() const { return impl_->next_timeout(); }

const identity::Host& Endpoint::self() const { return impl_->context().self; }
std::vector<GroupView> Endpoint::groups() const { return impl_->groups(); }

std::optional<GroupView> Endpoint::group(std::string_view name) const {
  for (GroupView& view : impl_->groups()) {
    if (view.name == name) return std::move(view);
  }
  return std::nullopt;
}

std::vector<IpAddress> Endpoint::data_addresses() const {
  std::set<IpAddress> all;
  const Context& context = impl_->context();
  for (const auto* held : {&context.addresses, &context.former_addresses}) {
    for (const auto& [id, group] : *held) all.insert(group.data);
  }
  return {all.begin(), all.end()};
}

std::map<std::uint32_t, std::string> Endpoint::sender_names(const GroupId& group) const {
  const LiveGroup* live = impl_->live_group(group);
  return live == nullptr ? std::map<std::uint32_t, std::string>{} : live->sender_names();
}

const std::map<std::string_view, std::uint64_t>& Endpoint::counters() const {
  return impl_->context().out.counters();
}

std::optional<Endpoint::HeldKeys> Endpoint::held_keys(const GroupId& group) const {
  const LiveGroup* live = impl_->live_group(group);
  if (live == nullptr || live->epoch().packet.gtek.empty()) return std::nullopt;
  const Epoch& epoch = live->epoch();
  return HeldKeys{epoch.id, epoch.packet.gtek.clone(), epoch.packet.gkek.clone()};
}

}  // namespace gkmpd::protocol
