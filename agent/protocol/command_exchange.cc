#include "agent/protocol/command_exchange.h"

#include "agent/protocol/report_view.h"
#include "agent/protocol/review.h"

namespace gkmpd::protocol {

using wire::MessageType;

// RFC 2093, figure 2, with a commander in the left-hand column and the controller in the right-hand
// one; and figure 1's first arrow, Command_Create_Group, which the RFC draws within one host:
//
//   commander                                    controller
//       | ---- Create Session KEK_1 ------------>  |   state 5
//       | <--- Create Session KEK_2 -------------  |
//       | ---- Negotiate Session Keys_1 -------->  |   state 6
//       | <--- Negotiate Session Keys_2 ---------  |
//       | ---- Command_Create_Group ------------>  |   state 1
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

/// State 1. What makes the group checks everything that it checks of a local command.
Result<CommandExchange::Step> CommandExchange::on_command(Now now, const Incoming& in) {
  auto& state = std::get<AwaitCommand>(state_);
  const auto& message = std::get<wire::Command>(in.message);
  const std::string group = state.token.policy.group;
  const Secret& key = state.keys.skek.up;
  auto mark = review_command(now, state, message.command);
  if (!mark) return refuse(mark.error(), group, state.commander, key);
  auto created =
      office_.create(now, {state.token.der, std::string(as_text(message.member_list))}, *mark);
  if (!created) return refuse(created.error(), group, state.commander, key);
  context_.out.report({Report::Level::kInfo, "commanded", group, state.commander.name,
                       "to create it, from " + channel_.peer().text()});
  auto reply = seal_report(*office_.controlled(channel_.group(), state.token.hash), 0, key);
  return Step{Obeyed{std::move(state.keys), state.token.hash}, std::move(reply)};
}

/// In the order of docs/PROTOCOL.md, "Command". The result is to be on disk before any effect.
Result<CommandMark> CommandExchange::review_command(Now now, const AwaitCommand& state,
                                                    ByteView der) const {
  auto command =
      identity::check_command(der, {&context_.config.trust, &state.token.policy, now.wall});
  if (!command) return pass_on(command);
  const identity::CommandText& text = command->text;
  if (command->commander.hash != state.commander.hash) {
    return fail(kCommandSigner,
                "signed by " + command->commander.name + ", brought by " + state.commander.name);
  }
  if (text.controller != context_.self.name) {
    return fail(kCommandTarget, "it is for " + text.controller);
  }
  if (text.group != state.token.policy.group || text.token_hash != state.token.hash) {
    return fail(kCommandToken, "it is for another group or token than the session");
  }
  if (auto moment = check_moment(now, text); !moment) return pass_on(moment);
  const CommandMark mark{state.commander.hash, text.counter};
  const GroupFloor* floor = context_.floor(channel_.group());
  if (floor != nullptr && mark.counter <= floor->marks.last_of(mark.commander)) {
    return fail(kCommandStale, "counter " + std::to_string(mark.counter) + " of " +
                                   state.commander.name + " is used");
  }
  return mark;
}

Result<void> CommandExchange::check_moment(Now now, const identity::CommandText& text) const {
  if (now.wall - identity::kClockSkew > text.not_after) {
    return fail(kCommandExpired, "its not_after has passed; compare the hosts' clocks");
  }
  if (text.not_after > now.wall + kMaxCommandLife + identity::kClockSkew) {
    return fail(kCommandValidTooLong, "its not_after is too far ahead; compare the hosts' clocks");
  }
  return {};
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
