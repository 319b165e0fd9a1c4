#include "agent/protocol/controller_exchange.h"

#include <algorithm>

#include "agent/crypto/errors.h"
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
    {1, MessageType::kCreateGrpKeys2, nullptr, &ControllerExchange::on_create},
    {1, MessageType::kCreateSessionKek2, nullptr, &ControllerExchange::on_create},
    {2, MessageType::kNegotiateGrpKeys2, &ControllerExchange::stage_key,
     &ControllerExchange::on_negotiate},
    {2, MessageType::kNegotiateSessionKeys2, &ControllerExchange::stage_key,
     &ControllerExchange::on_negotiate},
    {2, MessageType::kRefusal, &ControllerExchange::stage_key, &ControllerExchange::on_refusal},
    {4, MessageType::kKeyDownloadAck, &ControllerExchange::ack_key, &ControllerExchange::on_ack},
    {4, MessageType::kRefusal, &ControllerExchange::ack_key, &ControllerExchange::on_refusal},
}};

ControllerExchange::ControllerExchange(Context& context, const identity::GroupToken& token,
                                       Flow flow, Candidate member, std::optional<JoinRequest> join)
    : context_(context),
      token_(token),
      flow_(flow),
      member_(std::move(member)),
      join_(std::move(join)),
      channel_(context, wire::SenderRole::kController, token.policy.control_suite, token.group_id,
               join_ ? join_->exchange : context.random.array<8>(), member_.address,
               join_ ? context.answered_octets : context.opened_octets) {
  if (join_) channel_.begin_with(join_->octets);
}

void ControllerExchange::join_repeated(Now now, ByteView request) {
  if (!is_unanswered() || !equal(join_->octets, request)) return;
  if (now.mono < repeated_at_ + kRetransmitFirst) return;
  repeated_at_ = now.mono;
  channel_.resend();
}

const Secret* ControllerExchange::stage_key() const {
  return &std::get<AwaitNegotiate>(state_).agreed.stage.up;
}

const Secret* ControllerExchange::ack_key() const {
  return &std::get<AwaitAck>(state_).keys.skek.up;
}

/// State 1, last step: our portion of the key creation message.
Result<void> ControllerExchange::start(Now now, int max_transmissions) {
  auto opened = flow_ == Flow::kGroup ? open_group(context_, channel_, token_.hash)
                                      : open_session(context_, channel_, token_.hash);
  if (!opened) return pass_on(opened);
  channel_.send({opened->create_1});
  state_ = std::move(*opened);
  timer_.start(now.mono, context_.random, max_transmissions);
  return {};
}

Result<ControllerExchange::Outcome> ControllerExchange::handle_datagram(
    Now now, const SocketAddress& from, const wire::Datagram& datagram, ByteView octets) {
  if (from != channel_.peer()) return fail(kWrongPeer, from.text());
  auto found = find_row(kTransitions, state_.index(), datagram.header.type);
  if (!found) return pass_on(found);
  const Transition& row = **found;
  const Secret* key = row.opens_with == nullptr ? nullptr : (this->*row.opens_with)();
  auto incoming = channel_.open(datagram, octets, key);
  if (!incoming) return pass_on(incoming);
  if (!*incoming) return Outcome::kNothing;

  auto step = (this->*row.handler)(now, **incoming);
  if (!step) return pass_on(step);
  channel_.received();
  state_ = std::move(step->next);
  if (step->error) error_ = std::move(*step->error);
  timer_.stop();
  if (!step->request.empty()) channel_.send(std::move(step->request));
  // A refusal is sent once: nothing answers it.
  if (std::holds_alternative<AwaitNegotiate>(state_)) {
    timer_.start(now.mono, context_.random, kMaxAnsweredTransmissions);
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
  error_ = {kTimeout, (member_.name.empty() ? "who asked to join" : member_.name) + " at " +
                          member_.address.text() + " did not answer"};
  return Outcome::kFailed;
}

ControllerExchange::Step ControllerExchange::failed(Error why) {
  return Step{Done{}, {}, Outcome::kFailed, std::move(why)};
}

/// States 2 and 5 at the controller: the keys are made and stored pending negotiation.
Result<ControllerExchange::Step> ControllerExchange::on_create(Now, const Incoming& in) {
  auto agreed = agree(channel_, std::get<Opened>(state_), in);
  if (!agreed && agreed.error().kind == crypto::kBadShare) return failed(agreed.error());
  if (!agreed) return pass_on(agreed);
  auto sealed = seal_negotiate_1(context_, channel_, *agreed, token_.der);
  if (!sealed) return failed(sealed.error());
  return Step{AwaitNegotiate{std::move(*agreed), std::move(sealed->transcript)},
              std::move(sealed->datagrams), Outcome::kAnswered};
}

/// States 4 and 7.
Result<ControllerExchange::Step> ControllerExchange::on_negotiate(Now now, const Incoming& in) {
  auto& state = std::get<AwaitNegotiate>(state_);
  const auto& message = std::get<wire::Negotiate2>(in.message);
  if (note_crls(context_, message.crl_numbers)) {
    context_.out.report({Report::Level::kWarning, "crl-outdated", token_.policy.group, member_.name,
                         "the member holds a newer revocation list than this host"});
  }
  auto proven = review(now, state.agreed, message);
  if (!proven) {
    context_.out.count(proven.error().kind);
    return Step{Done{}, seal_refusal(channel_, proven.error(), state.agreed.stage.down),
                Outcome::kFailed, proven.error()};
  }
  member_.name = std::move(*proven);
  auto keys = derive_pairwise(channel_, state.agreed, state.negotiate_1, in.octets);
  return Step{Reviewed{state.agreed.key_ids, std::move(keys), std::move(state.agreed.packet)},
              {},
              Outcome::kReviewed};
}

Result<std::string> ControllerExchange::review(Now now, const Agreed& agreed,
                                               const wire::Negotiate2& negotiate) const {
  auto host = prove_answerer(context_, agreed, negotiate, now);
  if (!host) return pass_on(host);
  if (!join_ && host->name != member_.name) {
    return fail(kWrongHost, "asked " + member_.name + ", " + host->name + " answered");
  }
  if (join_) {
    if (auto admitted = join_->admit(*host); !admitted) return pass_on(admitted);
  }
  if (auto good = review_member(token_.policy, *host); !good) return pass_on(good);
  auto good = review_sources(*host, negotiate.source_addresses);
  if (!good) return pass_on(good);
  return host->name;
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

NewKeys ControllerExchange::take_created() {
  auto& reviewed = std::get<Reviewed>(state_);
  return {wire::Creation::kCooperative, reviewed.key_ids[0], reviewed.key_ids[1],
          std::move(*reviewed.packet)};
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
  timer_.start(now.mono, context_.random, kMaxAnsweredTransmissions);
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
