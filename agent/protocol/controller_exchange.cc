#include "agent/protocol/controller_exchange.h"

#include <algorithm>

#include "agent/protocol/errors.h"
#include "agent/protocol/review.h"

namespace gkmpd::protocol {

using wire::MessageType;

// RFC 2093, figures 1 and 2, left-hand column:
//   Create Grp Keys_2     -> State 2     Create Session KEK_2      -> State 5
//   Negotiate Grp Keys_2  -> State 4     Negotiate Session Keys_2  -> State 7
//                                        Key download ack          -> State 9
// The first member acknowledges the signed statement in the same way (docs/PROTOCOL.md).
const std::array<ControllerExchange::Transition, 7> ControllerExchange::kTransitions{{
    {1, MessageType::kCreateGrpKeys2, nullptr, &ControllerExchange::on_create_grp_keys},
    {1, MessageType::kCreateSessionKek2, nullptr, &ControllerExchange::on_create_session_kek},
    {2, MessageType::kNegotiateGrpKeys2, &ControllerExchange::stage_key,
     &ControllerExchange::on_negotiate},
    {2, MessageType::kNegotiateSessionKeys2, &ControllerExchange::stage_key,
     &ControllerExchange::on_negotiate},
    {2, MessageType::kRefusal, &ControllerExchange::stage_key, &ControllerExchange::on_refusal},
    {4, MessageType::kKeyDownloadAck, &ControllerExchange::ack_key, &ControllerExchange::on_ack},
    {4, MessageType::kRefusal, &ControllerExchange::ack_key, &ControllerExchange::on_refusal},
}};

ControllerExchange::ControllerExchange(Context& context, const identity::GroupToken& token,
                                       Flow flow, Candidate member)
    : context_(context),
      token_(token),
      flow_(flow),
      member_(std::move(member)),
      channel_(context, wire::SenderRole::kController, token.policy.control_suite, token.group_id,
               context.random.array<8>(), member_.address, context.opened_octets) {}

const Secret* ControllerExchange::stage_key() const {
  return &std::get<AwaitNegotiate>(state_).stage.up;
}

const Secret* ControllerExchange::ack_key() const {
  return &std::get<AwaitAck>(state_).keys.skek.up;
}

int ControllerExchange::max_transmissions() const {
  return flow_ == Flow::kGroup ? kMaxFirstMemberTransmissions : kMaxTransmissions;
}

template <typename Create1>
Result<Bytes> ControllerExchange::signed_create(MessageType type, Create1 create) {
  create.public_key = context_.config.key.public_key().spki();
  create.token_hash = token_.hash;
  const wire::Header header = channel_.next_header(type);
  auto signature =
      context_.config.key.sign(crypto::SignatureContext::kCreate1, {signed_part(header, create)});
  if (!signature) return pass_on(signature);
  create.signature = std::move(*signature);
  return plain_datagram(header, create);
}

/// State 1, last step: our portion of the key creation message.
Result<void> ControllerExchange::start(Now now) {
  const crypto::Agreement agreement = crypto::agreement_of(channel_.suite());
  AwaitCreate next{
      {crypto::EphemeralKey::generate(agreement, context_.random), std::nullopt}, {}, {}, {}};
  next.nonce = context_.random.array<32>();
  Result<Bytes> datagram;
  if (flow_ == Flow::kGroup) {
    next.shares.second = crypto::EphemeralKey::generate(agreement, context_.random);
    wire::CreateGrpKeys1 create;
    create.gtek_id = context_.random.array<16>();
    create.gkek_id = context_.random.array<16>();
    create.nonce = next.nonce;
    create.gtek_creation = next.shares.first.share();
    create.gkek_creation = next.shares.second->share();
    next.key_ids = {create.gtek_id, create.gkek_id};
    datagram = signed_create(MessageType::kCreateGrpKeys1, create);
  } else {
    wire::CreateSessionKek1 create;
    create.skek_id = context_.random.array<16>();
    create.nonce = next.nonce;
    create.skek_creation = next.shares.first.share();
    next.key_ids = {create.skek_id};
    datagram = signed_create(MessageType::kCreateSessionKek1, create);
  }
  if (!datagram) return pass_on(datagram);
  next.create_1 = *datagram;
  state_ = std::move(next);
  channel_.send({std::move(*datagram)});
  timer_.start(now.mono, context_.random, max_transmissions());
  return {};
}

Result<ControllerExchange::Outcome> ControllerExchange::handle_datagram(
    Now now, const SocketAddress& from, const wire::Datagram& datagram, ByteView octets) {
  if (from != channel_.peer()) return fail(kWrongPeer, from.text());
  const auto row = std::ranges::find_if(kTransitions, [&](const Transition& transition) {
    return transition.from == state_.index() && transition.message == datagram.header.type;
  });
  if (row == kTransitions.end()) {
    return fail(kUnexpectedMessage, std::string(wire::to_text(datagram.header.type)));
  }
  const Secret* key = row->opens_with == nullptr ? nullptr : (this->*row->opens_with)();
  auto incoming = channel_.open(datagram, octets, key);
  if (!incoming) return pass_on(incoming);
  if (!*incoming) return Outcome::kNothing;

  auto step = (this->*row->handler)(now, **incoming);
  if (!step) return pass_on(step);
  channel_.received();
  state_ = std::move(step->next);
  if (step->error) error_ = std::move(*step->error);
  timer_.stop();
  if (!step->request.empty()) channel_.send(std::move(step->request));
  // A refusal is sent once: nothing answers it.
  if (std::holds_alternative<AwaitNegotiate>(state_)) {
    timer_.start(now.mono, context_.random, max_transmissions());
  }
  return step->outcome;
}

ControllerExchange::Outcome ControllerExchange::handle_timeout(Now now) {
  if (!timer_.due() || now.mono < *timer_.due()) return Outcome::kNothing;
  if (timer_.again(now.mono, context_.random)) {
    channel_.resend();
    return Outcome::kNothing;
  }
  state_ = Done{};
  error_ = {kTimeout, member_.name + " at " + member_.address.text() + " did not answer"};
  return Outcome::kFailed;
}

template <typename Create2>
Result<Bytes> ControllerExchange::check_create_2(const Incoming& in, const Create2& create,
                                                 const crypto::PublicKey& key) const {
  const auto& state = std::get<AwaitCreate>(state_);
  if (create.token_hash != token_.hash) return fail(kTokenHashDiffers, "in the answer");
  Bytes th1 = keys::transcript_1(
      channel_.hash(), state.create_1,
      ByteView(in.octets).first(wire::kHeaderSize + wire::unsigned_size(in.body)));
  auto good = key.verify(crypto::SignatureContext::kCreate2, {th1}, create.signature);
  if (!good) return pass_on(good);
  return th1;
}

ControllerExchange::Step ControllerExchange::failed(Error why) {
  return Step{Done{}, {}, Outcome::kFailed, std::move(why)};
}

/// State 2 at the controller: the group keys are made and stored pending negotiation.
Result<ControllerExchange::Step> ControllerExchange::on_create_grp_keys(Now, const Incoming& in) {
  auto& state = std::get<AwaitCreate>(state_);
  const auto& create = std::get<wire::CreateGrpKeys2>(in.message);
  if (flow_ != Flow::kGroup) return fail(kUnexpectedMessage, "another figure's answer");
  if (state.key_ids != std::vector<KeyId>{create.gtek_id, create.gkek_id}) {
    return fail(kKeyIdDiffers, "the answer names other keys");
  }
  auto key = crypto::PublicKey::from_spki(create.public_key);
  if (!key) return pass_on(key);
  auto th1 = check_create_2(in, create, *key);
  if (!th1) return pass_on(th1);
  // The signature holds: the shares are spent from here on, whatever comes.
  auto gtek_agreement = std::move(state.shares.first).agree(create.gtek_creation);
  if (!gtek_agreement) return failed(gtek_agreement.error());
  auto gkek_agreement = std::move(*state.shares.second).agree(create.gkek_creation);
  if (!gkek_agreement) return failed(gkek_agreement.error());
  auto stage = keys::derive_group_stage(channel_.hash(), {state.nonce, create.nonce},
                                        *gtek_agreement, *gkek_agreement, *th1);
  AwaitNegotiate next(std::move(*key), state.key_ids);
  next.create_1 = state.create_1;
  next.create_2 = in.octets;
  next.stage = std::move(stage.negotiate);
  next.root = std::move(stage.root);
  next.packet = std::move(stage.packet);
  return negotiate(std::move(next), *th1, create.signature);
}

/// State 5 at the controller: the SKEK is made and stored pending negotiation.
Result<ControllerExchange::Step> ControllerExchange::on_create_session_kek(Now,
                                                                           const Incoming& in) {
  auto& state = std::get<AwaitCreate>(state_);
  const auto& create = std::get<wire::CreateSessionKek2>(in.message);
  if (flow_ != Flow::kSession) return fail(kUnexpectedMessage, "another figure's answer");
  if (state.key_ids != std::vector<KeyId>{create.skek_id}) {
    return fail(kKeyIdDiffers, "the answer names another key");
  }
  auto key = crypto::PublicKey::from_spki(create.public_key);
  if (!key) return pass_on(key);
  auto th1 = check_create_2(in, create, *key);
  if (!th1) return pass_on(th1);
  auto agreement = std::move(state.shares.first).agree(create.skek_creation);
  if (!agreement) return failed(agreement.error());
  auto stage =
      keys::derive_session_stage(channel_.hash(), {state.nonce, create.nonce}, *agreement, *th1);
  AwaitNegotiate next(std::move(*key), state.key_ids);
  next.create_1 = state.create_1;
  next.create_2 = in.octets;
  next.stage = std::move(stage.stek);
  next.root = std::move(stage.root);
  return negotiate(std::move(next), *th1, create.signature);
}

/// RFC 2093 4.4 and 4.8: token and permissions, sealed, with the controller's signature over the
/// whole transcript (profile S9).
Result<ControllerExchange::Step> ControllerExchange::negotiate(AwaitNegotiate next, ByteView th1,
                                                               ByteView create_2_signature) {
  wire::Negotiate1 message;
  message.key_ids = next.key_ids;
  message.certificates = context_.certificate_chain();
  message.token = token_.der;
  message.crl_numbers = context_.crl_numbers();
  const wire::Header header =
      channel_.next_header(flow_ == Flow::kGroup ? MessageType::kNegotiateGrpKeys1
                                                 : MessageType::kNegotiateSessionKeys1);
  auto signature = context_.config.key.sign(
      crypto::SignatureContext::kNegotiate1,
      {negotiate_1_content(th1, create_2_signature, signed_part(header, message))});
  if (!signature) return failed(signature.error());
  message.signature = std::move(*signature);
  auto sealed = Channel::seal(header, wire::encode_body(message), next.stage.down);
  next.negotiate_1 = std::move(sealed.transcript);
  return Step{std::move(next), std::move(sealed.datagrams), Outcome::kAnswered};
}

/// States 4 and 7.
Result<ControllerExchange::Step> ControllerExchange::on_negotiate(Now now, const Incoming& in) {
  auto& state = std::get<AwaitNegotiate>(state_);
  const auto& message = std::get<wire::Negotiate2>(in.message);
  if (has_newer_crl(message.crl_numbers, context_.crl_numbers())) {
    context_.out.count(kPeerCrlNewer);
    context_.out.report({Report::Level::kWarning, "crl-outdated", token_.policy.group, member_.name,
                         "the member holds a newer revocation list than this host"});
  }
  if (auto good = review(now, state, message); !good) {
    context_.out.count(good.error().kind);
    const auto sealed = Channel::seal(
        channel_.next_header(MessageType::kRefusal),
        wire::encode_body(wire::Refusal{std::string(good.error().name())}), state.stage.down);
    return Step{Done{}, sealed.datagrams, Outcome::kFailed, good.error()};
  }
  const Bytes th2 = keys::transcript_2(channel_.hash(), state.create_1, state.create_2,
                                       state.negotiate_1, in.octets);
  return Step{Reviewed{state.key_ids, keys::derive_pairwise(channel_.hash(), state.root, th2),
                       std::move(state.packet)},
              {},
              Outcome::kReviewed};
}

Result<void> ControllerExchange::review(Now now, const AwaitNegotiate& state,
                                        const wire::Negotiate2& negotiate) const {
  if (negotiate.key_ids != state.key_ids) {
    return fail(kKeyIdDiffers, "the negotiation names other keys than the creation");
  }
  auto host = review_host(context_, negotiate.certificates, state.member_key, now);
  if (!host) return pass_on(host);
  if (host->name != member_.name) {
    return fail(kWrongHost, "asked " + member_.name + ", " + host->name + " answered");
  }
  if (auto good = review_member(token_.policy, *host); !good) return good;
  return review_sources(*host, negotiate.source_addresses);
}

/// Source addresses are the observed one or in the certificate (design 9), and a sender's include
/// the one that the sender table gives to everybody.
Result<void> ControllerExchange::review_sources(const identity::Host& host,
                                                const std::vector<IpAddress>& sources) const {
  for (const IpAddress& source : sources) {
    const auto& certified = host.certificate.addresses();
    if (source != member_.address.ip && std::ranges::find(certified, source) == certified.end()) {
      return fail(kSourceAddress, source.text() + " is neither the address of " + host.name +
                                      " nor in its certificate");
    }
  }
  if (is_sender(token_.policy, host.name) &&
      std::ranges::find(sources, member_.address.ip) == sources.end()) {
    return fail(kSourceAddress, host.name + " would not send from " + member_.address.ip.text());
  }
  return {};
}

ControllerExchange::Created ControllerExchange::take_created() {
  auto& reviewed = std::get<Reviewed>(state_);
  return {reviewed.key_ids[0], reviewed.key_ids[1], std::move(*reviewed.packet)};
}

void ControllerExchange::download(Now now, const Epoch& epoch) {
  auto& reviewed = std::get<Reviewed>(state_);
  wire::DownloadGrpKeys message;
  message.statement = epoch.octets;
  message.statement_signature = epoch.signature;
  if (flow_ == Flow::kSession) {
    message.encrypted_grp_keys = keys::seal_packet(channel_.hash(), reviewed.keys.skek.down,
                                                   epoch.octets, epoch.signature, epoch.packet);
  }
  message.sender_table = wire::encode(epoch.senders);
  message.exclusion_set = wire::encode(epoch.exclusions);
  auto sealed = Channel::seal(channel_.next_header(MessageType::kDownloadGrpKeys),
                              wire::encode_body(message), reviewed.keys.skek.down);
  state_ = AwaitAck{std::move(reviewed.keys), epoch.hash, epoch.id};
  channel_.send(std::move(sealed.datagrams));
  timer_.start(now.mono, context_.random, kMaxTransmissions);
}

/// State 9 follows: the group management log is the caller's.
Result<ControllerExchange::Step> ControllerExchange::on_ack(Now, const Incoming& in) {
  const auto& state = std::get<AwaitAck>(state_);
  const auto& ack = std::get<wire::KeyDownloadAck>(in.message);
  const Secret expected = Secret::copy_of(keys::confirmation(
      state.keys.pairwise, static_cast<std::uint8_t>(MessageType::kKeyDownloadAck),
      state.statement_hash));
  if (ack.epoch_id != state.epoch_id || !expected.equals(Secret::copy_of(ack.confirmation))) {
    return fail(kBadConfirmation, member_.name);
  }
  return Step{Done{}, {}, Outcome::kAcknowledged};
}

Result<ControllerExchange::Step> ControllerExchange::on_refusal(Now, const Incoming& in) {
  const auto& refusal = std::get<wire::Refusal>(in.message);
  context_.out.count(kRefusedByPeer);
  return failed({kRefusedByPeer, member_.name + " refused: " + refusal.error_name});
}

}  // namespace gkmpd::protocol
