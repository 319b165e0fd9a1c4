#include "tests/unit/protocol/raw_commander.h"

#include <cstdlib>
#include <iostream>

namespace gkmpd::test {

using protocol::Channel;
using wire::MessageType;

HostOptions commander_options() {
  return {.roles = {identity::Role::kCommander}, .groups = {"demo"}};
}

identity::CommandText good_order(const TestNet& net, const TestGroup& group,
                                 std::uint64_t counter) {
  return {.group = "demo",
          .controller = "a",
          .token_hash = crypto::sha256({group.token}),
          .counter = counter,
          .not_after = net.now().wall + seconds(600)};
}

Bytes sign_order(TestNet& net, const TestHost& host, const identity::CommandText& text) {
  return net.pki.token_of_anything(identity::command_text(text), host, crypto::oid_command());
}

protocol::Context context_of(TestNet& net, const TestHost& host, Random& random) {
  return {.config = {.trust = net.pki.trust(),
                     .limits = {},
                     .certificate = host.certificate,
                     .intermediates = {},
                     .key = host.key,
                     .addresses = {},
                     .port = 0,
                     .hosts = {}},
          .self = {host.name, {}, host.certificate, {}},
          .random = random,
          .floors = {},
          .out = {}};
}

RawCommander::RawCommander(TestNet& net, const TestHost& host, const TestGroup& group,
                           std::uint16_t port)
    : net_(net),
      group_(group),
      address_{*IpAddress::parse("10.9.0.200"), port},
      context_(context_of(net, host, random_)),
      channel_(context_, wire::SenderRole::kCommander, Suite::kX25519Sha256, group.id,
               {7, static_cast<std::uint8_t>(port >> 8), static_cast<std::uint8_t>(port)},
               net.node("a").address, context_.opened_octets) {
  net_.filter = [this](Sent& sent) {
    if (sent.to == address_) inbox_.push_back(sent.octets);
    return true;
  };
}

RawCommander::~RawCommander() {
  net_.filter = [](Sent&) { return true; };
}

void RawCommander::repeat(const Bytes& octets, const SocketAddress& from) {
  net_.node("a").endpoint->handle_datagram(net_.now(), from, octets);
  net_.settle();
}

std::string RawCommander::ask(std::vector<Bytes> datagrams, const Secret* opens_with) {
  inbox_.clear();
  for (const Bytes& datagram : datagrams) {
    sent_.push_back(datagram);
    repeat(datagram, address_);
  }
  reply_.reset();
  for (const Bytes& octets : inbox_) {
    ++answers_;
    const auto datagram = wire::decode_datagram(octets);
    if (!datagram || datagram->header.role != wire::SenderRole::kController) return "malformed";
    auto incoming = channel_.open(*datagram, octets, opens_with);
    if (!incoming) return incoming.error().text();
    if (*incoming) reply_ = std::move(**incoming);
  }
  if (!reply_) return "";
  channel_.received();
  return name_of(*reply_);
}

std::string RawCommander::name_of(const protocol::Incoming& in) {
  if (const auto* refusal = std::get_if<wire::Refusal>(&in.message)) return refusal->error_name;
  if (const auto* report = std::get_if<wire::Report>(&in.message)) {
    report_ = wire::decode_group_report(report->report).value();
  }
  return std::string(wire::to_text(in.type));
}

std::string RawCommander::create() {
  opened_ = open_session(context_, channel_, crypto::sha256({group_.token})).value();
  return ask({opened_->create_1}, nullptr);
}

std::string RawCommander::negotiate(const std::function<void(protocol::Agreed&)>& change) {
  agreed_ = agree(channel_, *opened_, *reply_).value();
  if (change) change(*agreed_);
  auto sealed = seal_negotiate_1(context_, channel_, *agreed_, group_.token).value();
  negotiate_1_ = sealed.transcript;
  const std::string answer = ask(std::move(sealed.datagrams), &agreed_->stage.up);
  if (answer == "Negotiate_Session_Keys_2") {
    keys_ = derive_pairwise(channel_, *agreed_, negotiate_1_, reply_->octets);
  }
  return answer;
}

std::vector<Bytes> RawCommander::seal_command(const Bytes& order,
                                              const std::optional<std::string>& member_list) {
  wire::Command message{order, std::nullopt};
  if (member_list) message.member_list = to_bytes(as_bytes(*member_list));
  return Channel::seal(channel_.next_header(MessageType::kCommand), wire::encode_body(message),
                       keys_->skek.down)
      .datagrams;
}

std::string RawCommander::command(const Bytes& order,
                                  const std::optional<std::string>& member_list) {
  return ask(seal_command(order, member_list), &keys_->skek.up);
}

void RawCommander::begin_command(const Bytes& order, const std::string& member_list) {
  auto datagrams = seal_command(order, member_list);
  datagrams.pop_back();
  for (const Bytes& datagram : datagrams) repeat(datagram, address_);
}

std::string RawCommander::status(std::uint16_t first) {
  const wire::StatusRequest message{wire::StatusInquiry::kStatus, first};
  return ask(Channel::seal(channel_.next_header(MessageType::kStatusRequest),
                           wire::encode_body(message), keys_->skek.down)
                 .datagrams,
             &keys_->skek.up);
}

}  // namespace gkmpd::test
