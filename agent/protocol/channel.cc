#include "agent/protocol/channel.h"

#include "agent/crypto/aead.h"
#include "agent/crypto/hash.h"
#include "agent/protocol/errors.h"

namespace gkmpd::protocol {
namespace {

/// 4 zero octets | message number | 3 zero octets | fragment index: never twice under a key, which
/// serves one exchange in one direction (profile S11).
crypto::Nonce nonce_of(const wire::Header& header) {
  Bytes octets(4, 0);
  append_u32(octets, header.message_number);
  octets.insert(octets.end(), {0, 0, 0, header.fragment_index});
  crypto::Nonce nonce{};
  std::copy(octets.begin(), octets.end(), nonce.begin());
  return nonce;
}

}  // namespace

Channel::Channel(Context& context, wire::SenderRole own_role, Suite suite, const GroupId& group,
                 const ExchangeId& exchange, const SocketAddress& peer, std::size_t& held)
    : context_(context),
      own_role_(own_role),
      suite_(suite),
      group_(group),
      exchange_(exchange),
      peer_(peer),
      held_(held) {}

Channel::~Channel() { drop_assembly(); }

void Channel::begin_with(Bytes join_request) {
  join_request_ = std::move(join_request);
  if (join_request_.empty()) return;
  (own_role_ == wire::SenderRole::kMember ? sent_number_ : received_number_) = 1;
}

wire::Header Channel::next_header(wire::MessageType type) {
  wire::Header header;
  header.suite = suite_;
  header.type = type;
  header.role = own_role_;
  header.exchange = exchange_;
  header.group = group_;
  header.message_number = ++sent_number_;
  return header;
}

Channel::Sealed Channel::seal(const wire::Header& header, ByteView body, const Secret& key) {
  Sealed sealed;
  const auto whole_header = wire::encode_header(header);
  sealed.transcript = to_bytes(whole_header);
  append(sealed.transcript, body);

  const std::vector<ByteView> chunks = wire::split(body);
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    wire::Header fragment = header;
    fragment.fragment_index = static_cast<std::uint8_t>(i);
    fragment.fragment_count = static_cast<std::uint8_t>(chunks.size());
    const auto octets = wire::encode_header(fragment);
    Bytes datagram = to_bytes(octets);
    append(datagram, crypto::aead_seal(key, nonce_of(fragment), octets, chunks[i]));
    sealed.datagrams.push_back(std::move(datagram));
  }
  return sealed;
}

Result<std::optional<Incoming>> Channel::open(const wire::Datagram& datagram, ByteView octets,
                                              const Secret* key) {
  const wire::Header& header = datagram.header;
  if (header.suite != suite_) return fail(kSuiteDiffers, "within an exchange");
  if (header.message_number != received_number_ + 1) {
    return fail(kStaleRetransmission, "message number " + std::to_string(header.message_number));
  }
  Incoming incoming{header.type, {}, {}, {}};
  if (key == nullptr) {
    incoming.body = to_bytes(datagram.body);
    pending_first_ = crypto::sha256({octets});
  } else {
    auto opened = crypto::aead_open(*key, nonce_of(header), datagram.header_octets, datagram.body);
    if (!opened) return pass_on(opened);
    auto whole = assemble(datagram, octets, opened->expose());
    if (!whole) return pass_on(whole);
    if (!*whole) return std::optional<Incoming>();
    incoming.body = std::move(**whole);
  }
  auto message = wire::decode_body(header.type, incoming.body);
  if (!message) return pass_on(message);
  incoming.message = std::move(*message);

  wire::Header single = header;
  single.fragment_index = 0;
  single.fragment_count = 1;
  incoming.octets = to_bytes(wire::encode_header(single));
  append(incoming.octets, incoming.body);
  return std::optional<Incoming>(std::move(incoming));
}

Result<std::optional<Bytes>> Channel::assemble(const wire::Datagram& datagram, ByteView octets,
                                               ByteView opened) {
  const wire::Header& header = datagram.header;
  if (header.fragment_count == 1) {
    drop_assembly();
    pending_first_ = crypto::sha256({octets});
    return std::optional<Bytes>(to_bytes(opened));
  }
  if (assembly_ && assembly_->type != header.type) drop_assembly();
  if (held_ + opened.size() > kMaxReassemblyOctets) {
    return fail(kReassemblyFull, "too many unfinished messages");
  }
  if (!assembly_) assembly_.emplace(header.type);
  if (header.fragment_index == 0) assembly_->first_datagram = crypto::sha256({octets});

  auto added = assembly_->parts.add(header.fragment_index, header.fragment_count, opened);
  if (!added) return pass_on(added);
  held_ -= assembly_octets_;
  assembly_octets_ = assembly_->parts.octets_held();
  held_ += assembly_octets_;

  const std::optional<Secret> whole = assembly_->parts.take();
  if (!whole) return std::optional<Bytes>();
  pending_first_ = assembly_->first_datagram;
  drop_assembly();
  return std::optional<Bytes>(to_bytes(whole->expose()));
}

void Channel::drop_assembly() {
  held_ -= assembly_octets_;
  assembly_octets_ = 0;
  assembly_.reset();
}

void Channel::received() {
  ++received_number_;
  last_received_first_ = pending_first_;
}

void Channel::send(std::vector<Bytes> datagrams) {
  last_sent_ = std::move(datagrams);
  resend();
}

void Channel::resend() {
  for (const Bytes& datagram : last_sent_) context_.out.transmit(peer_, datagram);
}

bool Channel::repeats_last(const SocketAddress& from, ByteView octets) const {
  return from == peer_ && last_received_first_ && *last_received_first_ == crypto::sha256({octets});
}

void RetransmitTimer::start(MonoTime now, Random& random, int max_transmissions) {
  wait_ = kRetransmitFirst;
  left_ = max_transmissions - 1;
  schedule(now, random);
}

bool RetransmitTimer::again(MonoTime now, Random& random) {
  if (left_ == 0) {
    stop();
    return false;
  }
  --left_;
  wait_ = std::min(wait_ * 2, kRetransmitMax);
  schedule(now, random);
  return true;
}

void RetransmitTimer::schedule(MonoTime now, Random& random) {
  const auto spread = random.array<2>();
  const std::int64_t fraction = spread[0] * 256 + spread[1];  // of 65,536
  due_ = now + wait_ + milliseconds(wait_.count() * fraction / (4 * 65'536));
}

Bytes plain_datagram(const wire::Header& header, const wire::Message& message) {
  Bytes octets = to_bytes(wire::encode_header(header));
  append(octets, wire::encode_body(message));
  return octets;
}

Bytes signed_part(const wire::Header& header, const wire::Message& message) {
  Bytes octets = to_bytes(wire::encode_header(header));
  append(octets, wire::encode_unsigned(message));
  return octets;
}

Bytes negotiate_1_content(ByteView th1, ByteView create_2_signature, ByteView own_part) {
  Bytes content = to_bytes(th1);
  append_framed(content, create_2_signature);
  append(content, own_part);
  return content;
}

}  // namespace gkmpd::protocol
