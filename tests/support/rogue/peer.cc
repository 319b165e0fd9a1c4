#include "tests/support/rogue/peer.h"

#include <algorithm>

#include "agent/crypto/cms.h"
#include "agent/crypto/hash.h"
#include "agent/protocol/errors.h"

namespace gkmpd::rogue {
namespace {

using protocol::ControllerExchange;
using protocol::MemberExchange;
using wire::MessageType;

bool opens(MessageType type) {
  return type == MessageType::kCreateGrpKeys1 || type == MessageType::kCreateSessionKek1;
}

bool is_create(MessageType type) {
  return opens(type) || type == MessageType::kCreateGrpKeys2 ||
         type == MessageType::kCreateSessionKek2;
}

/// May do everything: what keeps a rogue from refusing itself.
identity::Host itself(const Face& face, const identity::TrustStore& trust,
                      std::set<std::string> categories) {
  using identity::Role;
  identity::Permissions all{
      255, std::move(categories), {Role::kMember, Role::kSender, Role::kController}, {"*"}};
  const std::string& name = face.certificate.name();
  return {name, identity::name_hash(trust.anchor_key_hash(), name), face.certificate,
          std::move(all)};
}

/// What the octets say as policy, if they say anything; else one that asks nothing of a member.
identity::GroupPolicy policy_of(ByteView token, const std::string& group) {
  if (auto cms = crypto::cms_verify(token, crypto::oid_group_token())) {
    if (auto policy = identity::parse_policy(as_text(cms->content))) return std::move(*policy);
  }
  identity::GroupPolicy policy;
  policy.group = group;
  return policy;
}

identity::GroupToken token_of(const protocol::Context& context, const Controller::Order& order) {
  auto policy = policy_of(order.token, order.group);
  policy.control_suite = order.suite.value_or(policy.control_suite);
  return {order.token, order.announced_hash.value_or(crypto::sha256({order.token})),
          std::move(policy), identity::group_id(context.anchor(), order.group), context.self};
}

}  // namespace

Peer::Peer(Face face, identity::TrustStore trust, SocketAddress address,
           std::set<std::string> categories, Random& random)
    : context_{.config = {.trust = trust,
                          .limits = {},
                          .certificate = face.certificate,
                          .intermediates = {},
                          .key = face.key,
                          .addresses = {address.ip},
                          .port = address.port,
                          .hosts = {}},
               .self = itself(face, trust, std::move(categories)),
               .random = random,
               .floors = {},
               .out = {}},
      address_(address),
      claimed_key_(std::move(face.claimed_key)) {}

std::optional<protocol::Transmit> Peer::poll_transmit() {
  auto transmit = context_.out.next_transmit();
  if (!transmit || !claimed_key_) return transmit;
  const auto datagram = wire::decode_datagram(transmit->octets);
  if (datagram && is_create(datagram->header.type)) transmit->octets = with_claimed_key(*datagram);
  return transmit;
}

/// The Create message with the claimed key in it, signed anew by the key that we do have.
Bytes Peer::with_claimed_key(const wire::Datagram& create) const {
  auto message = wire::decode_body(create.header.type, create.body);
  const crypto::PrivateKey& key = context_.config.key;
  std::visit(
      [&](auto& body) {
        if constexpr (requires { body.public_key; }) {
          body.public_key = claimed_key_->spki();
          const Bytes content = protocol::signed_part(create.header, body);
          auto signature = opens(create.header.type)
                               ? key.sign(crypto::SignatureContext::kCreate1, {content})
                               : key.sign(crypto::SignatureContext::kCreate2,
                                          {keys::transcript_1(crypto::hash_of(create.header.suite),
                                                              create_1_, content)});
          body.signature = std::move(*signature);
        }
      },
      *message);
  return protocol::plain_datagram(create.header, *message);
}

void Peer::note_heard(const wire::Datagram& datagram, ByteView octets) {
  if (opens(datagram.header.type)) create_1_ = to_bytes(octets);
  const std::string name(wire::to_text(datagram.header.type));
  if (heard_.empty() || heard_.back() != name) heard_.push_back(name);
}

void Peer::note_own_error(const Error& error) {
  if (!own_error_) own_error_ = error.text();
}

/// What is repeated, or the later fragments of it, is no concern of ours.
void Peer::note_drop(const Error& error) {
  if (error.kind == protocol::kUnexpectedMessage || error.kind == protocol::kStaleRetransmission) {
    return;
  }
  note_own_error(error);
}

Controller::Controller(Face face, identity::TrustStore trust, SocketAddress address,
                       std::set<std::string> categories, Random& random, Order order)
    : Peer(std::move(face), std::move(trust), address, std::move(categories), random),
      token_(token_of(context_, order)),
      exchange_(context_, token_, order.flow, std::move(order.member)) {}

void Controller::start(Now now) {
  if (auto started = exchange_.start(now, protocol::kMaxTransmissions); !started)
    note_own_error(started.error());
}

void Controller::handle_datagram(Now now, const SocketAddress& from, ByteView octets) {
  const auto datagram = wire::decode_datagram(octets);
  if (!datagram || datagram->header.exchange != exchange_.id()) return;
  note_heard(*datagram, octets);
  auto outcome = exchange_.handle_datagram(now, from, *datagram, octets);
  if (!outcome) {
    return note_drop(outcome.error());
  }
  act_on(now, *outcome);
}

void Controller::handle_timeout(Now now) { act_on(now, exchange_.handle_timeout(now)); }

std::optional<MonoTime> Controller::next_timeout() const { return exchange_.next_timeout(); }

void Controller::act_on(Now now, ControllerExchange::Outcome outcome) {
  switch (outcome) {
    case ControllerExchange::Outcome::kNothing:
    case ControllerExchange::Outcome::kAnswered:
      return;
    case ControllerExchange::Outcome::kReviewed: {
      auto epoch = make_epoch(now);
      if (!epoch) return note_own_error(epoch.error());
      epoch_ = std::move(*epoch);
      return exchange_.download(now, *epoch_);
    }
    case ControllerExchange::Outcome::kAcknowledged:
      keyed_ = true;
      return;
    case ControllerExchange::Outcome::kFailed:
      break;
  }
  const Error& why = exchange_.error();
  if (why.kind == protocol::kRefusedByPeer) {
    // "NAME refused: ERROR"
    refusal_ = why.detail.substr(why.detail.rfind(' ') + 1);
  } else if (!(why.kind == protocol::kTimeout)) {
    note_own_error(why);
  }
}

Result<protocol::Epoch> Controller::make_epoch(Now now) {
  protocol::NewKeys made = exchange_.flow() == protocol::Flow::kGroup
                               ? exchange_.take_created()
                               : protocol::make_keys_alone(context_.random);
  const auto place = std::ranges::find(token_.policy.controllers, context_.self.name);
  const auto rank = place == token_.policy.controllers.end()
                        ? std::uint8_t{0}
                        : static_cast<std::uint8_t>(place - token_.policy.controllers.begin());
  return protocol::sign_epoch(
      context_, {token_, {token_.policy.version, 1, rank, 1}, std::move(made), {}}, now);
}

void Member::handle_datagram(Now now, const SocketAddress& from, ByteView octets) {
  const auto datagram = wire::decode_datagram(octets);
  if (!datagram || datagram->header.role != wire::SenderRole::kController) return;
  const wire::Header& header = datagram->header;
  if (header.type == MessageType::kHeartbeat) return;
  if (opens(header.type) && header.exchange != exchange_id_) {
    exchange_id_ = header.exchange;
    exchange_.emplace(context_, header.suite, header.group, header.exchange, from, now);
  }
  if (!exchange_ || header.exchange != exchange_id_) return;
  note_heard(*datagram, octets);
  auto outcome = exchange_->handle_datagram(now, from, *datagram, octets, nullptr);
  if (!outcome) return note_drop(outcome.error());
  if (*outcome == MemberExchange::Outcome::kPrepared) {
    (void)exchange_->acknowledge();
    keyed_ = true;
  }
  look_at_reports();
}

void Member::look_at_reports() {
  while (auto event = context_.out.next_event()) {
    const auto* report = std::get_if<protocol::Report>(&*event);
    if (report == nullptr) continue;
    if (report->what == "refused-by-controller") {
      refusal_ = report->detail;
    } else {
      note_own_error({protocol::kRefusedByPeer, report->what + ": " + report->detail});
    }
  }
}

}  // namespace gkmpd::rogue
