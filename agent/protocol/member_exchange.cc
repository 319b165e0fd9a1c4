#include "agent/protocol/member_exchange.h"

#include <algorithm>

#include "agent/crypto/agreement.h"
#include "agent/crypto/hash.h"
#include "agent/protocol/errors.h"
#include "agent/protocol/review.h"

namespace gkmpd::protocol {
namespace {

using wire::MessageType;

/// The peer's key if it signed this Create_1 (profile S9: over itself alone).
template <typename Create1>
Result<crypto::PublicKey> check_create_1(const Incoming& in, const Create1& create) {
  auto key = crypto::PublicKey::from_spki(create.public_key);
  if (!key) return key;
  const ByteView signed_octets =
      ByteView(in.octets).first(wire::kHeaderSize + wire::unsigned_size(in.body));
  auto good = key->verify(crypto::SignatureContext::kCreate1, {signed_octets}, create.signature);
  if (!good) return pass_on(good);
  return key;
}

}  // namespace

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
                               const ExchangeId& exchange, const SocketAddress& controller, Now now)
    : context_(context),
      channel_(context, wire::SenderRole::kMember, suite, group, exchange, controller,
               context.answered_octets),
      forget_at_(now.mono + kMemberExchangeLife) {}

const MemberExchange::Transition* MemberExchange::transition_for(MessageType type) const {
  const auto row = std::ranges::find_if(kTransitions, [&](const Transition& transition) {
    return transition.from == state_.index() && transition.message == type;
  });
  return row == kTransitions.end() ? nullptr : &*row;
}

const Secret* MemberExchange::stage_key() const {
  if (const auto* waiting = std::get_if<AwaitNegotiate>(&state_)) return &waiting->stage.down;
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
  const Transition* transition = transition_for(datagram.header.type);
  if (transition == nullptr) {
    return fail(kUnexpectedMessage, std::string(wire::to_text(datagram.header.type)));
  }
  const Secret* key =
      transition->opens_with == nullptr ? nullptr : (this->*transition->opens_with)();
  auto incoming = channel_.open(datagram, octets, key);
  if (!incoming) return pass_on(incoming);
  if (!*incoming) return Outcome::kNothing;

  auto step = (this->*transition->handler)(now, **incoming, held);
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
  const auto& create = std::get<wire::CreateGrpKeys1>(in.message);
  auto key = check_create_1(in, create);
  if (!key) return pass_on(key);
  const crypto::Agreement agreement = crypto::agreement_of(channel_.suite());
  auto for_gtek = crypto::EphemeralKey::generate(agreement, context_.random);
  auto for_gkek = crypto::EphemeralKey::generate(agreement, context_.random);

  wire::CreateGrpKeys2 answer;
  answer.gtek_id = create.gtek_id;
  answer.gkek_id = create.gkek_id;
  answer.nonce = context_.random.array<32>();
  answer.gtek_creation = for_gtek.share();
  answer.gkek_creation = for_gkek.share();

  const auto gtek_agreement = std::move(for_gtek).agree(create.gtek_creation);
  if (!gtek_agreement) return fail(gtek_agreement.error().kind, gtek_agreement.error().detail);
  const auto gkek_agreement = std::move(for_gkek).agree(create.gkek_creation);
  if (!gkek_agreement) return fail(gkek_agreement.error().kind, gkek_agreement.error().detail);

  AwaitNegotiate next(std::move(*key));
  next.group_flow = true;
  next.key_ids = {create.gtek_id, create.gkek_id};
  auto step = answer_create(in, create, answer, MessageType::kCreateGrpKeys2, std::move(next));
  if (!step) return step;
  auto& waiting = std::get<AwaitNegotiate>(step->next);
  auto stage = keys::derive_group_stage(channel_.hash(), {create.nonce, answer.nonce},
                                        *gtek_agreement, *gkek_agreement, waiting.th1);
  waiting.stage = std::move(stage.negotiate);
  waiting.root = std::move(stage.root);
  waiting.packet = std::move(stage.packet);
  return step;
}

/// State 5: the SKEK is made and stored pending negotiation.
Result<MemberExchange::Step> MemberExchange::on_create_session_kek(Now, const Incoming& in,
                                                                   const Epoch*) {
  const auto& create = std::get<wire::CreateSessionKek1>(in.message);
  auto key = check_create_1(in, create);
  if (!key) return pass_on(key);
  auto ephemeral =
      crypto::EphemeralKey::generate(crypto::agreement_of(channel_.suite()), context_.random);

  wire::CreateSessionKek2 answer;
  answer.skek_id = create.skek_id;
  answer.nonce = context_.random.array<32>();
  answer.skek_creation = ephemeral.share();
  const auto agreement = std::move(ephemeral).agree(create.skek_creation);
  if (!agreement) return fail(agreement.error().kind, agreement.error().detail);

  AwaitNegotiate next(std::move(*key));
  next.key_ids = {create.skek_id};
  auto step = answer_create(in, create, answer, MessageType::kCreateSessionKek2, std::move(next));
  if (!step) return step;
  auto& waiting = std::get<AwaitNegotiate>(step->next);
  auto stage = keys::derive_session_stage(channel_.hash(), {create.nonce, answer.nonce}, *agreement,
                                          waiting.th1);
  waiting.stage = std::move(stage.stek);
  waiting.root = std::move(stage.root);
  return step;
}

template <typename Create1, typename Create2>
Result<MemberExchange::Step> MemberExchange::answer_create(const Incoming& in,
                                                           const Create1& create, Create2 answer,
                                                           MessageType answer_type,
                                                           AwaitNegotiate next) {
  answer.public_key = context_.config.key.public_key().spki();
  answer.token_hash = create.token_hash;
  const wire::Header header = channel_.next_header(answer_type);
  next.th1 = keys::transcript_1(channel_.hash(), in.octets, signed_part(header, answer));
  auto signature = context_.config.key.sign(crypto::SignatureContext::kCreate2, {next.th1});
  if (!signature) return pass_on(signature);
  answer.signature = std::move(*signature);
  next.create_1 = in.octets;
  next.create_2 = plain_datagram(header, answer);
  next.create_2_signature = answer.signature;
  next.token_hash = create.token_hash;
  std::vector<Bytes> reply{next.create_2};
  return Step{std::move(next), std::move(reply)};
}

/// States 3 and 6. Until the controller's signature and certificate hold a failure ends the
/// exchange silently; afterwards it is a refusal with a name (profile K6).
Result<MemberExchange::Step> MemberExchange::on_negotiate(Now now, const Incoming& in,
                                                          const Epoch*) {
  auto& state = std::get<AwaitNegotiate>(state_);
  const auto& negotiate = std::get<wire::Negotiate1>(in.message);
  const ByteView content =
      ByteView(in.octets).first(wire::kHeaderSize + wire::unsigned_size(in.body));
  auto proven = state.controller_key.verify(
      crypto::SignatureContext::kNegotiate1,
      {negotiate_1_content(state.th1, state.create_2_signature, content)}, negotiate.signature);
  if (!proven) return end_silently(proven.error());
  auto controller = review_host(context_, negotiate.certificates, state.controller_key, now);
  if (!controller) return end_silently(controller.error());
  if (has_newer_crl(negotiate.crl_numbers, context_.crl_numbers()))
    context_.out.count(kPeerCrlNewer);

  auto reviewed = review(now, state, negotiate, std::move(*controller));
  if (!reviewed) return refuse(reviewed.error(), state.stage.up);

  wire::Negotiate2 answer;
  answer.key_ids = state.key_ids;
  answer.certificates = context_.certificate_chain();
  answer.crl_numbers = context_.crl_numbers();
  if (is_sender(reviewed->token.policy, context_.self.name)) {
    answer.source_addresses = {*context_.own_address(reviewed->token.policy.family())};
  }
  const auto sealed =
      Channel::seal(channel_.next_header(state.group_flow ? MessageType::kNegotiateGrpKeys2
                                                          : MessageType::kNegotiateSessionKeys2),
                    wire::encode_body(answer), state.stage.up);
  const Bytes th2 = keys::transcript_2(channel_.hash(), state.create_1, state.create_2, in.octets,
                                       sealed.transcript);
  reviewed->keys = keys::derive_pairwise(channel_.hash(), state.root, th2);
  // Nothing can fail any more: what is not derived again moves on.
  reviewed->key_ids = state.key_ids;
  reviewed->stage = std::move(state.stage);
  reviewed->packet = std::move(state.packet);
  return Step{std::move(*reviewed), sealed.datagrams};
}

Result<MemberExchange::AwaitDownload> MemberExchange::review(Now now, const AwaitNegotiate& state,
                                                             const wire::Negotiate1& negotiate,
                                                             identity::Host controller) const {
  if (negotiate.key_ids != state.key_ids) {
    return fail(kKeyIdDiffers, "the negotiation names other keys than the creation");
  }
  if (crypto::sha256({negotiate.token}) != state.token_hash) {
    return fail(kTokenHashDiffers, "the token is not the one that the Create message named");
  }
  auto token = review_token(context_, negotiate.token, now);
  if (!token) return pass_on(token);
  if (token->group_id != channel_.group()) {
    return fail(kGroupIdDiffers, "the token is for another group than the exchange");
  }
  if (token->policy.control_suite != channel_.suite()) {
    return fail(kSuiteDiffers, "the exchange is not of the token's [control] suite");
  }
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
  return Step{Done{}, {}, Outcome::kEnded};
}

/// Nobody but the peer can have sealed what failed, and it is not who it should be: no more work
/// for it, and not a word.
MemberExchange::Step MemberExchange::end_silently(const Error& why) {
  context_.out.count(why.kind);
  context_.out.report(
      {Report::Level::kWarning, "controller-not-trusted", "", channel_.peer().text(), why.text()});
  return Step{Done{}, {}, Outcome::kEnded};
}

MemberExchange::Step MemberExchange::refuse(const Error& why, const Secret& key) {
  context_.out.count(why.kind);
  context_.out.report({Report::Level::kWarning, "refused", "", channel_.peer().text(), why.text()});
  const auto sealed = Channel::seal(channel_.next_header(MessageType::kRefusal),
                                    wire::encode_body(wire::Refusal{std::string(why.name())}), key);
  return Step{Done{}, sealed.datagrams, Outcome::kEnded};
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
