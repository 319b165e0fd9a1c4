// Rekeys of a group that this host controls, by interval and by order (RFC 2093 figure 3), and
// their repair.
#include <limits>

#include "agent/identity/errors.h"
#include "agent/protocol/controller_group.h"
#include "agent/protocol/errors.h"
#include "agent/protocol/order.h"
#include "agent/protocol/rekey_package.h"
#include "agent/protocol/review.h"

namespace gkmpd::protocol {

/// State 1 again, and state 2 to 4 with a member that is chosen afresh.
void ControllerGroup::begin_rekey(Now now) {
  rekey_at_.reset();
  if (making_) return;
  // Two epochs of a sender always fit, three need not (profile R8).
  if (const auto until = live_->earlier_until()) {
    rekey_at_ = until;
    return;
  }
  if (auto allowed = check_rekey_allowed(now); !allowed) {
    return making_failed(now, allowed.error());
  }
  ++floor_.tuple.epoch;
  rekey_orders_.begun();
  make_epoch(wire::Cause::kRoutine, choose_first_members());
}

Result<void> ControllerGroup::order_rekey(Now now, const CommandMark& mark) {
  if (!live_ || over()) {
    return fail(kGroupNotLive, "its first keys are being made: wait until it is there");
  }
  if (!token_.policy.actions.contains(identity::Action::kRekey)) {
    return fail(kActionMissing,
                "the token does not allow to rekey the group: sign one of a higher version with "
                "\"rekey\" among its actions, and create the group again with that");
  }
  if (auto fresh = check_fresh(floor_.marks, mark); !fresh) return fresh;
  if (auto allowed = check_rekey_allowed(now); !allowed) return allowed;
  floor_.marks.raise(mark);
  rekey_orders_.take();
  rekey_error_.clear();
  begin_rekey(now);
  if (rekey_orders_.waiting()) {
    context_.out.report({Report::Level::kInfo, "rekey-put-off", token_.policy.group, "",
                         making_ ? "until the epoch that is being made is done with"
                                 : "until the epoch before is done with"});
  }
  return {};
}

Result<void> ControllerGroup::check_rekey_allowed(Now now) const {
  if (floor_.tuple.epoch == std::numeric_limits<std::uint32_t>::max()) {
    return fail(kNumbersExhausted, "all epochs are used: sign a token with a higher version");
  }
  if (token_.policy.not_after <= now.wall) {
    return fail(identity::kTokenExpired, "the token has ended: sign one with a higher version");
  }
  return review_again(context_, token_, context_.self, now);
}

std::deque<std::size_t> ControllerGroup::choose_first_members() {
  std::deque<std::size_t> keyed;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].state == MemberState::kKeyed) keyed.push_back(i);
  }
  std::deque<std::size_t> chosen;
  while (!keyed.empty() && chosen.size() < kRekeyFirstMembers) {
    const auto drawn = context_.random.array<2>();
    const auto place = keyed.begin() + (drawn[0] << 8 | drawn[1]) % std::ssize(keyed);
    chosen.push_back(*place);
    keyed.erase(place);
  }
  return chosen;
}

/// Spread over the activation delay, which members count from the first that they receive
/// (profile R8).
void ControllerGroup::send_rekey(Now now, Bytes datagram) {
  const std::uint32_t times = token_.policy.rekey_repeats;
  const milliseconds interval(token_.policy.activation_delay_ms / times);
  context_.out.transmit(control_multicast(), datagram);
  repeats_.start(now, std::move(datagram), times - 1, interval);
}

Result<void> ControllerGroup::handle_multicast(Now now, const wire::Datagram& datagram) {
  if (datagram.header.type == wire::MessageType::kRekeyMulticast) {
    auto package = read_rekey(datagram);
    if (!package) return pass_on(package);
    shelf_.seen(now, package->datagram);
    return {};
  }
  if (datagram.header.type != wire::MessageType::kRepairRequest) return fail(kOwnGroup);
  auto message = wire::decode_body(datagram.header.type, datagram.body);
  if (!message) return pass_on(message);
  if (live_ && !live_->expired()) {
    shelf_.asked_for(now, context_.random, std::get<wire::RepairRequest>(*message).held);
  }
  return {};
}

}  // namespace gkmpd::protocol
