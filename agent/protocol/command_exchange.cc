#include "agent/protocol/command_exchange.h"

#include "agent/protocol/report_view.h"
#include "agent/protocol/review.h"

namespace gkmpd::protocol {

using wire::MessageType;

// RFC 2093, figure 2, with a commander in the left-hand column and the controller in the right-hand
// one; and the order, of which the RFC draws one, figure 1's Command_Create_Group, within a host:
//
//   commander                                    controller
//       | ---- Create Session KEK_1 ------------>  |   state 5
//       | <--- Create Session KEK_2 -------------  |
//       | ---- Negotiate Session Keys_1 -------->  |   state 6
//       | <--- Negotiate Session Keys_2 ---------  |
//       | ---- Command ------------------------->  |   state 1
//       | <--- Report ---------------------------  |
//       | ---- Status_Request ------------------>  |   as often as it wants to know
//       | <--- Report ---------------------------  |
const std::array<CommandExchange::Transition, 4> CommandExchange::kTransitions{{
    {0, MessageType::kCreateSessionKek1, nullptr, &CommandExchange::on_create},
    {1, MessageType::kNegotiateSessionKeys1, &CommandExchange::stage_key,
     &CommandExchange::on_negotiate},
    {2, MessageType::kCommand, &CommandExchange::command_key, &CommandExchange::on_command},
    {3, MessageType::kStatusRequest, &CommandExchange::status_key, &CommandExchange::on_status},
}};

CommandExchange::CommandExchange(Context& context, GroupOffice& office, Suite suite,
                                 const GroupId& group, const ExchangeId& exchange,
                                 const SocketAddress& commander, Now now)
    : context_(context),
      office_(office),
      channel_(context, wire::SenderRole::kController, suite, group, exchange, commander,
               context.commanded_octets),
      forget_at_(now.mono + kCommandSessionLife) {}

const Secret* CommandExchange::stage_key() const { return &std::get<Agreed>(state_).stage.down; }
const Secret* CommandExchange::command_key() const {
  return &std::get<AwaitCommand>(state_).keys.skek.down;
}
const Secret* CommandExchange::status_key() const {
  return &std::get<Obeyed>(state_).keys.skek.down;
}

Result<void> CommandExchange::handle_datagram(Now now, const SocketAddress& from,
                                              const wire::Datagram& datagram, ByteView octets) {
  if (channel_.repeats_last(from, octets)) {
    channel_.resend();
    return {};
  }
  auto found = find_row(kTransitions, state_.index(), datagram.header.type);
  if (!found) return pass_on(found);
  const Transition& row = **found;
  const Secret* key = row.opens_with == nullptr ? nullptr : (this->*row.opens_with)();
  auto incoming = channel_.open(datagram, octets, key);
  if (!incoming) return pass_on(incoming);
  if (!*incoming) return {};

  auto step = (this->*row.handler)(now, **incoming);
  if (!step) return pass_on(step);
  channel_.received();
  state_ = std::move(step->next);
  forget_at_ = now.mono + kCommandSessionLife;
  channel_.send(std::move(step->reply));
  return {};
}

/// State 5: the SKEK is made and stored pending negotiation.
Result<CommandExchange::Step> CommandExchange::on_create(Now, const Incoming& in) {
  auto agreed = answer_session(context_, channel_, in);
  if (!agreed) return pass_on(agreed);
  std::vector<Bytes> reply{agreed->create_2};
  return Step{std::move(*agreed), std::move(reply)};
}

/// State 6. Until signature and certificate hold a failure ends the session silently; a host of
/// ours that may not command is told so by name (profile K6).
Result<CommandExchange::Step> CommandExchange::on_negotiate(Now now, const Incoming& in) {
  auto& agreed = std::get<Agreed>(state_);
  const auto& negotiate = std::get<wire::Negotiate1>(in.message);
  auto commander = prove_opener(context_, agreed, in, now);
  if (!commander) return end_silently(commander.error());
  note_crls(context_, negotiate.crl_numbers);
  auto token = review(now, agreed, negotiate, *commander);
  if (!token) return refuse(token.error(), "", *commander, agreed.stage.up);

  const auto sealed = seal_negotiate_2(context_, channel_, agreed, {});
  return Step{AwaitCommand{std::move(*token), std::move(*commander),
                           derive_pairwise(channel_, agreed, in.octets, sealed.transcript)},
              sealed.datagrams};
}

Result<identity::GroupToken> CommandExchange::review(Now now, const Agreed& agreed,
                                                     const wire::Negotiate1& negotiate,
                                                     const identity::Host& commander) const {
  if (auto role = identity::check_commander_role(commander.permissions); !role) {
    return pass_on(role);
  }
  auto token = review_offer(context_, channel_, agreed, negotiate, now);
  if (!token) return token;
  auto scope = identity::check_commander(commander.permissions, token->policy);
  if (!scope) return pass_on(scope);
  if (auto rank = review_controller(token->policy, context_.self); !rank) return pass_on(rank);
  return token;
}

/// State 1. What has charge of the group checks everything that it checks of a local order.
Result<CommandExchange::Step> CommandExchange::on_command(Now now, const Incoming& in) {
  auto& state = std::get<AwaitCommand>(state_);
  const auto& message = std::get<wire::Command>(in.message);
  const std::string group = state.token.policy.group;
  const Secret& key = state.keys.skek.up;
  auto order = review_order(context_, state.token, &state.commander, message.command, now);
  if (!order) return refuse(order.error(), group, state.commander, key);
  auto obeyed = obey(office_, now, state.token, *order, message.member_list);
  if (!obeyed) return refuse(obeyed.error(), group, state.commander, key);
  report_obeyed(context_, *order, "from " + channel_.peer().text());
  auto reply = seal_report(*office_.controlled(channel_.group(), state.token.hash), 0, key);
  return Step{Obeyed{std::move(state.keys), state.token.hash}, std::move(reply)};
}

Result<CommandExchange::Step> CommandExchange::on_status(Now, const Incoming& in) {
  auto& state = std::get<Obeyed>(state_);
  const auto view = office_.controlled(channel_.group(), state.token_hash);
  if (!view) return fail(kUnknownGroup);
  auto reply =
      seal_report(*view, std::get<wire::StatusRequest>(in.message).first, state.keys.skek.up);
  return Step{std::move(state), std::move(reply)};
}

std::vector<Bytes> CommandExchange::seal_report(const GroupView& view, std::size_t first,
                                                const Secret& key) {
  const wire::Report report{wire::encode(report_of(view, first))};
  return Channel::seal(channel_.next_header(MessageType::kReport), wire::encode_body(report), key)
      .datagrams;
}

CommandExchange::Step CommandExchange::end_silently(const Error& why) {
  context_.out.count(why.kind);
  context_.out.report(
      {Report::Level::kWarning, "commander-not-trusted", "", channel_.peer().text(), why.text()});
  return Step{Done{}, {}};
}

CommandExchange::Step CommandExchange::refuse(const Error& why, const std::string& group,
                                              const identity::Host& commander, const Secret& key) {
  context_.out.count(why.kind);
  context_.out.report(
      {Report::Level::kWarning, "command-refused", group, commander.name, why.text()});
  return Step{Done{}, seal_refusal(channel_, why, key)};
}

}  // namespace gkmpd::protocol
