#include "agent/protocol/handshake.h"

#include "agent/crypto/hash.h"
#include "agent/protocol/review.h"

namespace gkmpd::protocol {
namespace {

/// The octets that the signature of a message in `in` covers.
ByteView signed_octets(const Incoming& in) {
  return ByteView(in.octets).first(wire::kHeaderSize + wire::unsigned_size(in.body));
}

}  // namespace

Result<OpenedSession> open_session(Context& context, Channel& channel, const Digest& token_hash) {
  OpenedSession opened{crypto::EphemeralKey::generate(context.random), {}, {}, token_hash, {}};
  wire::CreateSessionKek1 create;
  create.skek_id = opened.skek_id = context.random.array<16>();
  create.nonce = opened.nonce = context.random.array<32>();
  create.skek_creation = opened.share.share();
  create.public_key = context.config.key.public_key().spki();
  create.token_hash = token_hash;
  const wire::Header header = channel.next_header(wire::MessageType::kCreateSessionKek1);
  auto signature =
      context.config.key.sign(crypto::SignatureContext::kCreate1, {signed_part(header, create)});
  if (!signature) return pass_on(signature);
  create.signature = std::move(*signature);
  opened.create_1 = plain_datagram(header, create);
  return opened;
}

Result<Agreed> agree_on_session(OpenedSession& opened, const Incoming& in) {
  const auto& create = std::get<wire::CreateSessionKek2>(in.message);
  if (create.skek_id != opened.skek_id) {
    return fail(kKeyIdDiffers, "the answer names another key");
  }
  if (create.token_hash != opened.token_hash) return fail(kTokenHashDiffers, "in the answer");
  auto key = crypto::PublicKey::from_spki(create.public_key);
  if (!key) return pass_on(key);
  const Digest th1 = keys::transcript_1(opened.create_1, signed_octets(in));
  auto good = key->verify(crypto::SignatureContext::kCreate2, {th1}, create.signature);
  if (!good) return pass_on(good);
  auto agreement = std::move(opened.share).agree(create.skek_creation);
  if (!agreement) return pass_on(agreement);

  auto stage = keys::derive_session_stage({opened.nonce, create.nonce}, *agreement, th1);
  Agreed agreed(std::move(*key));
  agreed.key_ids = {opened.skek_id};
  agreed.token_hash = opened.token_hash;
  agreed.create_1 = opened.create_1;
  agreed.create_2 = in.octets;
  agreed.create_2_signature = create.signature;
  agreed.th1 = th1;
  agreed.stage = std::move(stage.stek);
  agreed.root = std::move(stage.root);
  return agreed;
}

Result<Channel::Sealed> seal_negotiate_1(Context& context, Channel& channel, const Agreed& agreed,
                                         wire::MessageType type, const Bytes& token) {
  wire::Negotiate1 message;
  message.key_ids = agreed.key_ids;
  message.certificates = context.certificate_chain();
  message.token = token;
  message.crl_numbers = context.crl_numbers();
  const wire::Header header = channel.next_header(type);
  auto signature = context.config.key.sign(
      crypto::SignatureContext::kNegotiate1,
      {negotiate_1_content(agreed.th1, agreed.create_2_signature, signed_part(header, message))});
  if (!signature) return pass_on(signature);
  message.signature = std::move(*signature);
  return Channel::seal(header, wire::encode_body(message), agreed.stage.down);
}

Result<Agreed> answer_session(Context& context, Channel& channel, const Incoming& in) {
  const auto& create = std::get<wire::CreateSessionKek1>(in.message);
  auto key = crypto::PublicKey::from_spki(create.public_key);
  if (!key) return pass_on(key);
  auto good =
      key->verify(crypto::SignatureContext::kCreate1, {signed_octets(in)}, create.signature);
  if (!good) return pass_on(good);
  auto ephemeral = crypto::EphemeralKey::generate(context.random);

  wire::CreateSessionKek2 answer;
  answer.skek_id = create.skek_id;
  answer.nonce = context.random.array<32>();
  answer.skek_creation = ephemeral.share();
  answer.public_key = context.config.key.public_key().spki();
  answer.token_hash = create.token_hash;
  const auto agreement = std::move(ephemeral).agree(create.skek_creation);
  if (!agreement) return fail(agreement.error().kind, agreement.error().detail);

  Agreed agreed(std::move(*key));
  const wire::Header header = channel.next_header(wire::MessageType::kCreateSessionKek2);
  agreed.th1 = keys::transcript_1(in.octets, signed_part(header, answer));
  auto signature = context.config.key.sign(crypto::SignatureContext::kCreate2, {agreed.th1});
  if (!signature) return pass_on(signature);
  answer.signature = std::move(*signature);
  auto stage = keys::derive_session_stage({create.nonce, answer.nonce}, *agreement, agreed.th1);
  agreed.key_ids = {create.skek_id};
  agreed.token_hash = create.token_hash;
  agreed.create_1 = in.octets;
  agreed.create_2 = plain_datagram(header, answer);
  agreed.create_2_signature = answer.signature;
  agreed.stage = std::move(stage.stek);
  agreed.root = std::move(stage.root);
  return agreed;
}

Result<identity::Host> prove_opener(const Context& context, const Agreed& agreed,
                                    const Incoming& in, Now now) {
  const auto& negotiate = std::get<wire::Negotiate1>(in.message);
  auto proven = agreed.peer_key.verify(
      crypto::SignatureContext::kNegotiate1,
      {negotiate_1_content(agreed.th1, agreed.create_2_signature, signed_octets(in))},
      negotiate.signature);
  if (!proven) return pass_on(proven);
  return review_host(context, negotiate.certificates, agreed.peer_key, now);
}

Result<identity::GroupToken> review_offer(const Context& context, const Agreed& agreed,
                                          const wire::Negotiate1& negotiate, const GroupId& group,
                                          Now now) {
  if (negotiate.key_ids != agreed.key_ids) {
    return fail(kKeyIdDiffers, "the negotiation names other keys than the creation");
  }
  if (crypto::sha256({negotiate.token}) != agreed.token_hash) {
    return fail(kTokenHashDiffers, "the token is not the one that the Create message named");
  }
  auto token = review_token(context, negotiate.token, now);
  if (!token) return token;
  if (token->group_id != group) {
    return fail(kGroupIdDiffers, "the token is for another group than the exchange");
  }
  return token;
}

Channel::Sealed seal_negotiate_2(const Context& context, Channel& channel, const Agreed& agreed,
                                 wire::MessageType type, std::vector<IpAddress> sources) {
  wire::Negotiate2 answer;
  answer.key_ids = agreed.key_ids;
  answer.certificates = context.certificate_chain();
  answer.crl_numbers = context.crl_numbers();
  answer.source_addresses = std::move(sources);
  return Channel::seal(channel.next_header(type), wire::encode_body(answer), agreed.stage.up);
}

std::vector<Bytes> seal_refusal(Channel& channel, const Error& why, const Secret& key) {
  return Channel::seal(channel.next_header(wire::MessageType::kRefusal),
                       wire::encode_body(wire::Refusal{std::string(why.name())}), key)
      .datagrams;
}

}  // namespace gkmpd::protocol
