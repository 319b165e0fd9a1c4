#include "agent/protocol/member_exchange.h"

#include "agent/protocol/errors.h"
#include "agent/protocol/review.h"

namespace gkmpd::protocol {

using wire::MessageType;

// RFC 2093, figures 1 and 2, right-hand column:
//   Create Grp Keys_1     -> State 2     Create Session KEK_1      -> State 5
//   Negotiate Grp Keys_1  -> State 3     Negotiate Session Keys_1  -> State 6
//                                        Download Grp Keys         -> State 8
// The first member gets Download Grp Keys too, for the signed statement (docs/PROTOCOL.md).
const std::array<MemberExchange::Transition, 6> MemberExchange::kTransitions{{
    {0, MessageType::kCreateGrpKeys1, nullptr, &MemberExchange::on_create_grp_keys},
    {0, MessageType::kCreateSessionKek1, nullptr, &MemberExchange::on_create_session_kek},
    {1, MessageType::kNegotiateGrpKeys1, &MemberExchange::stage_key, &MemberExchange::on_negotiate},
    {1, MessageType::kNegotiateSessionKeys1, &MemberExchange::stage_key,
     &MemberExchange::on_negotiate},
    {2, MessageType::kDownloadGrpKeys, &MemberExchange::download_key, &MemberExchange::on_download},
    {2, MessageType::kRefusal, &MemberExchange::stage_key, &MemberExchange::on_refusal},
}};

MemberExchange::MemberExchange(Context& context, Suite suite, const GroupId& group,
                               const ExchangeId& exchange, const SocketAddress& controller, Now now,
                               Bytes join_request)
    : context_(context),
      channel_(context, wire::SenderRole::kMember, suite, group, exchange, controller,
               context.answered_octets),
      forget_at_(now.mono + kMemberExchangeLife) {
  channel_.begin_with(std::move(join_request));
}

const Secret* MemberExchange::stage_key() const {
  if (const auto* agreed = std::get_if<Agreed>(&state_)) return &agreed->stage.down;
  return &std::get<AwaitDownload>(state_).stage.down;
}

const Secret* MemberExchange::download_key() const {
  return &std::get<AwaitDownload>(state_).keys.skek.down;
}

Result<MemberExchange::Outcome> MemberExchange::handle_datagram(Now now, const SocketAddress& from,
                                                                const wire::Datagram& datagram,
                                                                ByteView octets,
                                                                const Epoch* held) {
  if (from != channel_.peer()) return fail(kWrongPeer, from.text());
  if (channel_.repeats_last(from, octets)) {
    channel_.resend();
    return Outcome::kNothing;
  }
  auto found = find_row(kTransitions, state_.index(), datagram.header.type);
  if (!found) return pass_on(found);
  const Transition& row = **found;
  const Secret* key = row.opens_with == nullptr ? nullptr : (this->*row.opens_with)();
  auto incoming = channel_.open(datagram, octets, key);
  if (!incoming) return pass_on(incoming);
  if (!*incoming) return Outcome::kNothing;

  auto step = (this->*row.handler)(now, **incoming, held);
  if (!step) return pass_on(step);
  channel_.received();
  state_ = std::move(step->next);
  forget_at_ = now.mono + kMemberExchangeLife;
  channel_.send(std::move(step->reply));
  return step->outcome;
}

/// State 2: the keys are made and stored pending negotiation.
Result<MemberExchange::Step> MemberExchange::on_create_grp_keys(Now, const Incoming& in,
                                                                const Epoch*) {
  auto agreed = answer_group(context_, channel_, in);
  if (!agreed) return pass_on(agreed);
  std::vector<Bytes> reply{agreed->create_2};
  return Step{std::move(*agreed), std::move(reply)};
}

/// State 5: the SKEK is made and stored pending negotiation.
Result<MemberExchange::Step> MemberExchange::on_create_session_kek(Now, const Incoming& in,
                                                                   const Epoch*) {
  auto agreed = answer_session(context_, channel_, in);
  if (!agreed) return pass_on(agreed);
  std::vector<Bytes> reply{agreed->create_2};
  return Step{std::move(*agreed), std::move(reply)};
}

/// States 3 and 6. Until the controller's signature and certificate hold a failure ends the
/// exchange silently; afterwards it is a refusal with a name (profile K6).
Result<MemberExchange::Step> MemberExchange::on_negotiate(Now now, const Incoming& in,
                                                          const Epoch*) {
  auto& agreed = std::get<Agreed>(state_);
  const auto& negotiate = std::get<wire::Negotiate1>(in.message);
  auto controller = prove_opener(context_, agreed, in, now);
  if (!controller) return end_silently(controller.error());
  peer_proven_ = controller->permissions.has(identity::Role::kController);
  note_crls(context_, negotiate.crl_numbers);

  auto reviewed = review(now, agreed, negotiate, std::move(*controller));
  if (!reviewed) return refuse(reviewed.error(), agreed.stage.up);

  std::vector<IpAddress> sources;
  if (is_sender(reviewed->token.policy, context_.self.name)) {
    sources = {*context_.own_address(reviewed->token.policy.family())};
  }
  const auto sealed = seal_negotiate_2(context_, channel_, agreed, std::move(sources));
  reviewed->keys = derive_pairwise(channel_, agreed, in.octets, sealed.transcript);
  // Nothing can fail any more: what is not derived again moves on.
  reviewed->key_ids = agreed.key_ids;
  reviewed->stage = std::move(agreed.stage);
  reviewed->packet = std::move(agreed.packet);
  return Step{std::move(*reviewed), sealed.datagrams};
}

Result<MemberExchange::AwaitDownload> MemberExchange::review(Now now, const Agreed& agreed,
                                                             const wire::Negotiate1& negotiate,
                                                             identity::Host controller) const {
  auto token = review_offer(context_, channel_, agreed, negotiate, now);
  if (!token) return pass_on(token);
  if (token->policy.family() != channel_.peer().ip.family) {
    return fail(kAddressFamily, "the exchange came over the other family than the group's");
  }
  auto rank = review_controller(token->policy, controller);
  if (!rank) return pass_on(rank);
  if (auto good = review_member(token->policy, context_.self); !good) return pass_on(good);
  return AwaitDownload(std::move(*token), std::move(controller), *rank);
}

/// State 8, in the order of profile P18; the epoch waits for its mark to be saved.
Result<MemberExchange::Step> MemberExchange::on_download(Now now, const Incoming& in,
                                                         const Epoch* held) {
  auto& state = std::get<AwaitDownload>(state_);
  const auto& download = std::get<wire::DownloadGrpKeys>(in.message);
  auto epoch = check_epoch(context_, {state.token, state.controller, state.rank, held}, download,
                           state.packet, state.keys.skek.down, now);
  if (!epoch) return refuse(epoch.error(), state.keys.skek.up);
  if (state.packet && (epoch->statement.gtek_id != state.key_ids[0] ||
                       epoch->statement.gkek_id != state.key_ids[1])) {
    return refuse({kKeyIdDiffers, "the statement names other keys than were made"},
                  state.keys.skek.up);
  }
  return Step{Prepared{std::move(state.token), std::move(state.controller), std::move(*epoch),
                       std::move(state.keys)},
              {},
              Outcome::kPrepared};
}

Result<MemberExchange::Step> MemberExchange::on_refusal(Now, const Incoming& in, const Epoch*) {
  const auto& refusal = std::get<wire::Refusal>(in.message);
  context_.out.count(kRefusedByPeer);
  context_.out.report({Report::Level::kWarning, "refused-by-controller",
                       std::get<AwaitDownload>(state_).token.policy.group,
                       std::get<AwaitDownload>(state_).controller.name, refusal.error_name});
  why_ended_ = "the controller refused: " + refusal.error_name;
  return Step{Done{}, {}, Outcome::kEnded};
}

/// Nobody but the peer can have sealed what failed, and it is not who it should be: no more work
/// for it, and not a word.
MemberExchange::Step MemberExchange::end_silently(const Error& why) {
  why_ended_ = why.text();
  context_.out.count(why.kind);
  context_.out.report(
      {Report::Level::kWarning, "controller-not-trusted", "", channel_.peer().text(), why.text()});
  return Step{Done{}, {}, Outcome::kEnded};
}

MemberExchange::Step MemberExchange::refuse(const Error& why, const Secret& key) {
  why_ended_ = why.text();
  context_.out.count(why.kind);
  context_.out.report({Report::Level::kWarning, "refused", "", channel_.peer().text(), why.text()});
  return Step{Done{}, seal_refusal(channel_, why, key), Outcome::kEnded};
}

const MemberExchange::Prepared* MemberExchange::prepared() const {
  return std::get_if<Prepared>(&state_);
}

MemberExchange::Prepared MemberExchange::acknowledge() {
  Prepared prepared = std::move(std::get<Prepared>(state_));
  wire::KeyDownloadAck ack;
  ack.epoch_id = prepared.epoch.id;
  ack.confirmation = keys::confirmation(prepared.keys.pairwise,
                                        static_cast<std::uint8_t>(MessageType::kKeyDownloadAck),
                                        prepared.epoch.hash);
  channel_.send(Channel::seal(channel_.next_header(MessageType::kKeyDownloadAck),
                              wire::encode_body(ack), prepared.keys.skek.up)
                    .datagrams);
  state_ = Done{};
  return prepared;
}

void MemberExchange::abandon(const Error& why) {
  const Prepared prepared = std::move(std::get<Prepared>(state_));
  Step step = refuse(why, prepared.keys.skek.up);
  state_ = std::move(step.next);
  channel_.send(std::move(step.reply));
}

}  // namespace gkmpd::protocol
