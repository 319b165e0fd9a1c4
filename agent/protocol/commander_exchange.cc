#include "agent/protocol/commander_exchange.h"

#include "agent/crypto/errors.h"
#include "agent/protocol/order.h"
#include "agent/protocol/report_view.h"
#include "agent/protocol/review.h"

namespace gkmpd::protocol {

using wire::MessageType;

// The left-hand column of the figure in command_exchange.cc.
const std::array<CommanderExchange::Transition, 5> CommanderExchange::kTransitions{{
    {1, MessageType::kCreateSessionKek2, nullptr, &CommanderExchange::on_create},
    {2, MessageType::kNegotiateSessionKeys2, &CommanderExchange::stage_key,
     &CommanderExchange::on_negotiate},
    {2, MessageType::kRefusal, &CommanderExchange::stage_key, &CommanderExchange::on_refusal},
    {3, MessageType::kReport, &CommanderExchange::report_key, &CommanderExchange::on_report},
    {3, MessageType::kRefusal, &CommanderExchange::report_key, &CommanderExchange::on_refusal},
}};

CommanderExchange::CommanderExchange(Context& context, identity::GroupToken token, Order order)
    : context_(context),
      token_(std::move(token)),
      order_(std::move(order)),
      channel_(context, wire::SenderRole::kCommander, token_.policy.control_suite, token_.group_id,
               context.random.array<8>(), order_.controller, context.opened_octets) {}

const Secret* CommanderExchange::stage_key() const {
  return &std::get<AwaitNegotiate>(state_).agreed.stage.up;
}
const Secret* CommanderExchange::report_key() const {
  return &std::get<Following>(state_).keys.skek.up;
}

Result<void> CommanderExchange::start(Now now) {
  auto opened = open_session(context_, channel_, token_.hash);
  if (!opened) return pass_on(opened);
  std::vector<Bytes> request{opened->create_1};
  state_ = std::move(*opened);
  send(now, std::move(request));
  return {};
}

void CommanderExchange::send(Now now, std::vector<Bytes> request) {
  channel_.send(std::move(request));
  timer_.start(now.mono, context_.random, kMaxTransmissions);
}

void CommanderExchange::finish(Error why) {
  context_.out.count(why.kind);
  error_ = std::move(why);
  state_ = Done{};
  timer_.stop();
  ask_at_.reset();
}

CommanderExchange::Step CommanderExchange::over(Error why) {
  finish(std::move(why));
  return Step{Done{}, {}};
}

void CommanderExchange::handle_timeout(Now now) {
  if (ask_at_ && now.mono >= *ask_at_) ask_status(now);
  if (!timer_.due() || now.mono < *timer_.due()) return;
  if (timer_.again(now.mono, context_.random)) return channel_.resend();
  finish(
      {kTimeout, "no answer from " + channel_.peer().text() +
                     ": is a controller's agent running there, and does it know this commander?"});
}

std::optional<MonoTime> CommanderExchange::next_timeout() const {
  std::optional<MonoTime> earliest = timer_.due();
  keep_earlier(earliest, ask_at_);
  return earliest;
}

Result<void> CommanderExchange::handle_datagram(Now now, const SocketAddress& from,
                                                ByteView octets) {
  auto datagram = wire::decode_datagram(octets);
  if (!datagram) return pass_on(datagram);
  const wire::Header& header = datagram->header;
  if (from != channel_.peer()) return fail(kWrongPeer, from.text());
  if (header.exchange != channel_.exchange() || header.group != channel_.group() ||
      header.role != wire::SenderRole::kController) {
    return fail(kUnknownExchange);
  }
  auto found = find_row(kTransitions, state_.index(), header.type);
  if (!found) return pass_on(found);
  const Transition& row = **found;
  const Secret* key = row.opens_with == nullptr ? nullptr : (this->*row.opens_with)();
  auto incoming = channel_.open(*datagram, octets, key);
  if (!incoming) return pass_on(incoming);
  if (!*incoming) return {};

  auto step = (this->*row.handler)(now, **incoming);
  if (!step) return pass_on(step);
  channel_.received();
  state_ = std::move(step->next);
  timer_.stop();
  if (!step->request.empty()) send(now, std::move(step->request));
  return {};
}

Result<CommanderExchange::Step> CommanderExchange::on_create(Now, const Incoming& in) {
  auto agreed = agree(channel_, std::get<Opened>(state_), in);
  if (!agreed && agreed.error().kind == crypto::kBadShare) return over(agreed.error());
  if (!agreed) return pass_on(agreed);
  auto sealed = seal_negotiate_1(context_, channel_, *agreed, token_.der);
  if (!sealed) return over(sealed.error());
  return Step{AwaitNegotiate{std::move(*agreed), std::move(sealed->transcript)},
              std::move(sealed->datagrams)};
}

/// The controller is who it should be: the order, signed for it, goes out.
Result<CommanderExchange::Step> CommanderExchange::on_negotiate(Now now, const Incoming& in) {
  auto& state = std::get<AwaitNegotiate>(state_);
  auto controller = review(now, state.agreed, std::get<wire::Negotiate2>(in.message));
  if (!controller) return over(controller.error());
  Following next{derive_pairwise(channel_, state.agreed, state.negotiate_1, in.octets),
                 blank_view(controller->name)};
  auto request = seal_command(now, *controller, next.keys.skek.down);
  if (!request) return over(request.error());
  return Step{std::move(next), std::move(*request)};
}

Result<identity::Host> CommanderExchange::review(Now now, const Agreed& agreed,
                                                 const wire::Negotiate2& negotiate) const {
  auto controller = prove_answerer(context_, agreed, negotiate, now);
  if (!controller) return controller;
  auto rank = review_controller(token_.policy, *controller);
  if (!rank) return pass_on(rank);
  return controller;
}

Result<std::vector<Bytes>> CommanderExchange::seal_command(Now now,
                                                           const identity::Host& controller,
                                                           const Secret& key) {
  auto signed_order = order_.sign(order_text(order_.action, token_.policy.group, token_.hash,
                                             controller.name, order_.counter, now));
  if (!signed_order) return pass_on(signed_order);
  const wire::Command command{std::move(*signed_order), order_.member_list};
  return Channel::seal(channel_.next_header(MessageType::kCommand), wire::encode_body(command), key)
      .datagrams;
}

/// What the commander knows of the group by itself.
GroupView CommanderExchange::blank_view(const std::string& controller) const {
  GroupView view;
  view.id = token_.group_id;
  view.name = token_.policy.group;
  view.role = GroupRole::kController;
  view.controller = controller;
  view.controller_address = channel_.peer();
  view.data_address = token_.policy.address;
  view.data_port = token_.policy.port;
  view.control_multicast = {token_.policy.control_address, token_.policy.control_port};
  return view;
}

/// One report may be a part: members come in pages, and a view is shown when it is whole.
Result<CommanderExchange::Step> CommanderExchange::on_report(Now now, const Incoming& in) {
  auto& state = std::get<Following>(state_);
  auto report = wire::decode_group_report(std::get<wire::Report>(in.message).report);
  if (!report) return pass_on(report);
  GroupView view = state.view;
  if (auto taken = take_report(*report, view); !taken) return pass_on(taken);
  for (MemberView& member : view.members) {
    const auto listed = order_.addresses.find(member.name);
    if (listed != order_.addresses.end()) member.address = listed->second;
  }
  Following next{std::move(state.keys), std::move(view)};
  if (next.view.members.size() < report->listed) {
    auto request = seal_status(next);
    return Step{std::move(next), std::move(request)};
  }
  shown_ = next.view;
  next.view.members.clear();
  ask_at_ = now.mono + kStatusInterval;
  return Step{std::move(next), {}};
}

void CommanderExchange::ask_status(Now now) {
  ask_at_.reset();
  send(now, seal_status(std::get<Following>(state_)));
}

std::vector<Bytes> CommanderExchange::seal_status(const Following& state) {
  wire::StatusRequest request;
  request.first = static_cast<std::uint16_t>(state.view.members.size());
  return Channel::seal(channel_.next_header(MessageType::kStatusRequest),
                       wire::encode_body(request), state.keys.skek.down)
      .datagrams;
}

Result<CommanderExchange::Step> CommanderExchange::on_refusal(Now, const Incoming& in) {
  refused_as_ = std::get<wire::Refusal>(in.message).error_name;
  const bool proven = std::holds_alternative<Following>(state_);
  const std::string who = proven ? std::get<Following>(state_).view.controller + " refused"
                                 : "who answers at " + channel_.peer().text() +
                                       " refused before it had proven to be a controller";
  return over({kRefusedByPeer, who + ": " + refused_as_});
}

}  // namespace gkmpd::protocol
