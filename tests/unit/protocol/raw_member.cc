#include "tests/unit/protocol/raw_member.h"

#include "agent/crypto/hash.h"
#include "tests/unit/protocol/raw_commander.h"

namespace gkmpd::test {

using protocol::Channel;
using protocol::Incoming;
using wire::MessageType;

RawMember::RawMember(TestNet& net, const TestHost& host)
    : net_(net),
      address_{*IpAddress::parse("10.9.0.50"), 8480},
      context_(context_of(net, host, random_)) {
  net_.filter = [this](Sent& sent) {
    if (sent.to == address_) inbox_.push_back(sent.octets);
    return true;
  };
}

RawMember::~RawMember() {
  net_.filter = [](Sent&) { return true; };
}

std::optional<Incoming> RawMember::take(const Secret* key) {
  while (!inbox_.empty()) {
    const Bytes octets = std::move(inbox_.front());
    inbox_.pop_front();
    const auto datagram = wire::decode_datagram(octets);
    if (!channel_) {
      const wire::Header& header = datagram->header;
      channel_.emplace(context_, wire::SenderRole::kMember, header.suite, header.group,
                       header.exchange, net_.node("a").address, context_.answered_octets);
    }
    auto incoming = channel_->open(*datagram, octets, key);
    if (!incoming || !*incoming) continue;
    channel_->received();
    return std::move(**incoming);
  }
  return std::nullopt;
}

void RawMember::send(const std::vector<Bytes>& datagrams) {
  for (const Bytes& octets : datagrams) {
    net_.node("a").endpoint->handle_datagram(net_.now(), address_, octets);
  }
  net_.settle();
}

bool RawMember::create() {
  const auto in = take(nullptr);
  if (!in) return false;
  agreed_ = in->type == MessageType::kCreateGrpKeys1
                ? answer_group(context_, *channel_, *in).value()
                : answer_session(context_, *channel_, *in).value();
  send({agreed_->create_2});
  const auto negotiate = take(&agreed_->stage.down);
  if (!negotiate) return false;
  negotiate_1_ = negotiate->octets;
  return std::holds_alternative<wire::Negotiate1>(negotiate->message);
}

std::string RawMember::negotiate(std::vector<IpAddress> sources,
                                 const std::function<void(protocol::Agreed&)>& change) {
  if (change) change(*agreed_);
  const auto sealed = seal_negotiate_2(context_, *channel_, *agreed_, std::move(sources));
  keys_ = derive_pairwise(*channel_, *agreed_, negotiate_1_, sealed.transcript);
  send(sealed.datagrams);
  const bool refused = !inbox_.empty() &&
                       wire::decode_datagram(inbox_.front())->header.type == MessageType::kRefusal;
  const auto answer = take(refused ? &agreed_->stage.down : &keys_->skek.down);
  if (!answer) return "";
  if (const auto* refusal = std::get_if<wire::Refusal>(&answer->message)) {
    return refusal->error_name;
  }
  if (const auto* download = std::get_if<wire::DownloadGrpKeys>(&answer->message)) {
    statement_ = download->statement;
  }
  return std::string(wire::to_text(answer->type));
}

void RawMember::acknowledge(const std::function<void(wire::KeyDownloadAck&)>& change) {
  wire::KeyDownloadAck ack;
  const Digest hash = crypto::sha256({statement_});
  std::copy_n(hash.begin(), ack.epoch_id.size(), ack.epoch_id.begin());
  ack.confirmation = keys::confirmation(
      keys_->pairwise, static_cast<std::uint8_t>(MessageType::kKeyDownloadAck), hash);
  change(ack);
  // What the controller drops it has not received: the next one has the same number.
  if (!ack_header_) ack_header_ = channel_->next_header(MessageType::kKeyDownloadAck);
  send(Channel::seal(*ack_header_, wire::encode_body(ack), keys_->skek.up).datagrams);
}

}  // namespace gkmpd::test
