#include "agent/protocol/handshake.h"

#include "agent/crypto/hash.h"
#include "agent/protocol/review.h"

namespace gkmpd::protocol {
namespace {

using wire::MessageType;

/// The octets that the signature of a message covers.
ByteView signed_octets(const Incoming& in) {
  return ByteView(in.octets).first(wire::kHeaderSize + wire::unsigned_size(in.body));
}

crypto::EphemeralKey new_share(Context& context, const Channel& channel) {
  return crypto::EphemeralKey::generate(crypto::agreement_of(channel.suite()), context.random);
}

template <typename Create1>
Result<Bytes> sign_create_1(Context& context, Channel& channel, MessageType type, Create1 create) {
  create.public_key = context.config.key.public_key().spki();
  const wire::Header header = channel.next_header(type);
  auto signature =
      context.config.key.sign(crypto::SignatureContext::kCreate1, {signed_part(header, create)});
  if (!signature) return pass_on(signature);
  create.signature = std::move(*signature);
  return plain_datagram(header, create);
}

/// What was agreed on up to the keys, if the peer signed this Create_2 in answer to ours.
template <typename Create2>
Result<Agreed> check_create_2(const Channel& channel, const Opened& opened, const Incoming& in,
                              const Create2& create, const std::vector<KeyId>& named) {
  if (named != opened.key_ids) return fail(kKeyIdDiffers, "the answer names other keys");
  if (create.token_hash != opened.token_hash) return fail(kTokenHashDiffers, "in the answer");
  auto key = crypto::PublicKey::from_spki(create.public_key);
  if (!key) return pass_on(key);
  Bytes th1 = keys::transcript_1(channel.hash(), opened.create_1, signed_octets(in),
                                 channel.join_request());
  auto good = key->verify(crypto::SignatureContext::kCreate2, {th1}, create.signature);
  if (!good) return pass_on(good);
  Agreed agreed(std::move(*key));
  agreed.key_ids = opened.key_ids;
  agreed.token_hash = opened.token_hash;
  agreed.create_1 = opened.create_1;
  agreed.create_2 = in.octets;
  agreed.create_2_signature = create.signature;
  agreed.th1 = std::move(th1);
  return agreed;
}

/// The peer's key if it signed this Create_1 (profile S9: over itself alone).
template <typename Create1>
Result<crypto::PublicKey> check_create_1(const Incoming& in, const Create1& create) {
  auto key = crypto::PublicKey::from_spki(create.public_key);
  if (!key) return key;
  auto good =
      key->verify(crypto::SignatureContext::kCreate1, {signed_octets(in)}, create.signature);
  if (!good) return pass_on(good);
  return key;
}

/// Signs the answer; what was agreed on up to the keys.
template <typename Create1, typename Create2>
Result<Agreed> sign_create_2(Context& context, Channel& channel, const Incoming& in,
                             const Create1& create, Create2 answer, MessageType type,
                             crypto::PublicKey peer_key) {
  answer.public_key = context.config.key.public_key().spki();
  answer.token_hash = create.token_hash;
  const wire::Header header = channel.next_header(type);
  Agreed agreed(std::move(peer_key));
  agreed.th1 = keys::transcript_1(channel.hash(), in.octets, signed_part(header, answer),
                                  channel.join_request());
  auto signature = context.config.key.sign(crypto::SignatureContext::kCreate2, {agreed.th1});
  if (!signature) return pass_on(signature);
  answer.signature = std::move(*signature);
  agreed.token_hash = create.token_hash;
  agreed.create_1 = in.octets;
  agreed.create_2 = plain_datagram(header, answer);
  agreed.create_2_signature = answer.signature;
  return agreed;
}

void take_stage(Agreed& agreed, keys::GroupStage stage) {
  agreed.stage = std::move(stage.negotiate);
  agreed.root = std::move(stage.root);
  agreed.packet = std::move(stage.packet);
}
void take_stage(Agreed& agreed, keys::SessionStage stage) {
  agreed.stage = std::move(stage.stek);
  agreed.root = std::move(stage.root);
}

Result<Agreed> agree_on_group(const Channel& channel, Opened& opened, const Incoming& in,
                              const wire::CreateGrpKeys2& create) {
  auto agreed = check_create_2(channel, opened, in, create, {create.gtek_id, create.gkek_id});
  if (!agreed) return agreed;
  // The signature holds: the shares are spent from here on, whatever comes.
  auto for_gtek = std::move(opened.first).agree(create.gtek_creation);
  if (!for_gtek) return pass_on(for_gtek);
  auto for_gkek = std::move(*opened.second).agree(create.gkek_creation);
  if (!for_gkek) return pass_on(for_gkek);
  take_stage(*agreed, keys::derive_group_stage(channel.hash(), {opened.nonce, create.nonce},
                                               *for_gtek, *for_gkek, agreed->th1));
  return agreed;
}

Result<Agreed> agree_on_session(const Channel& channel, Opened& opened, const Incoming& in,
                                const wire::CreateSessionKek2& create) {
  auto agreed = check_create_2(channel, opened, in, create, {create.skek_id});
  if (!agreed) return agreed;
  auto agreement = std::move(opened.first).agree(create.skek_creation);
  if (!agreement) return pass_on(agreement);
  take_stage(*agreed, keys::derive_session_stage(channel.hash(), {opened.nonce, create.nonce},
                                                 *agreement, agreed->th1));
  return agreed;
}

Result<void> check_key_ids(const Agreed& agreed, const std::vector<KeyId>& negotiated) {
  if (negotiated == agreed.key_ids) return {};
  return fail(kKeyIdDiffers, "the negotiation names other keys than the creation");
}

/// Figure 1 has the group keys with the first member, figure 2 a session's.
MessageType by_figure(const Agreed& agreed, MessageType figure_1, MessageType figure_2) {
  return agreed.packet ? figure_1 : figure_2;
}

}  // namespace

Result<Opened> open_group(Context& context, Channel& channel, const Digest& token_hash) {
  Opened opened{new_share(context, channel), new_share(context, channel), {}, {}, token_hash, {}};
  wire::CreateGrpKeys1 create;
  create.gtek_id = context.random.array<16>();
  create.gkek_id = context.random.array<16>();
  create.nonce = opened.nonce = context.random.array<32>();
  create.gtek_creation = opened.first.share();
  create.gkek_creation = opened.second->share();
  create.token_hash = token_hash;
  opened.key_ids = {create.gtek_id, create.gkek_id};
  auto datagram = sign_create_1(context, channel, MessageType::kCreateGrpKeys1, std::move(create));
  if (!datagram) return pass_on(datagram);
  opened.create_1 = std::move(*datagram);
  return opened;
}

Result<Opened> open_session(Context& context, Channel& channel, const Digest& token_hash) {
  Opened opened{new_share(context, channel), std::nullopt, {}, {}, token_hash, {}};
  wire::CreateSessionKek1 create;
  create.skek_id = context.random.array<16>();
  create.nonce = opened.nonce = context.random.array<32>();
  create.skek_creation = opened.first.share();
  create.token_hash = token_hash;
  opened.key_ids = {create.skek_id};
  auto datagram =
      sign_create_1(context, channel, MessageType::kCreateSessionKek1, std::move(create));
  if (!datagram) return pass_on(datagram);
  opened.create_1 = std::move(*datagram);
  return opened;
}

Result<Agreed> agree(const Channel& channel, Opened& opened, const Incoming& in) {
  const auto* group = std::get_if<wire::CreateGrpKeys2>(&in.message);
  if ((group != nullptr) != opened.second.has_value()) {
    return fail(kUnexpectedMessage, "another figure's answer");
  }
  if (group != nullptr) return agree_on_group(channel, opened, in, *group);
  return agree_on_session(channel, opened, in, std::get<wire::CreateSessionKek2>(in.message));
}

Result<Channel::Sealed> seal_negotiate_1(Context& context, Channel& channel, const Agreed& agreed,
                                         const Bytes& token) {
  wire::Negotiate1 message;
  message.key_ids = agreed.key_ids;
  message.certificates = context.certificate_chain();
  message.token = token;
  message.crl_numbers = context.crl_numbers();
  const wire::Header header = channel.next_header(
      by_figure(agreed, MessageType::kNegotiateGrpKeys1, MessageType::kNegotiateSessionKeys1));
  auto signature = context.config.key.sign(
      crypto::SignatureContext::kNegotiate1,
      {negotiate_1_content(agreed.th1, agreed.create_2_signature, signed_part(header, message))});
  if (!signature) return pass_on(signature);
  message.signature = std::move(*signature);
  return Channel::seal(header, wire::encode_body(message), agreed.stage.down);
}

Result<identity::Host> prove_answerer(const Context& context, const Agreed& agreed,
                                      const wire::Negotiate2& negotiate, Now now) {
  if (auto same = check_key_ids(agreed, negotiate.key_ids); !same) return pass_on(same);
  return review_host(context, negotiate.certificates, agreed.peer_key, now);
}

Result<Agreed> answer_group(Context& context, Channel& channel, const Incoming& in) {
  const auto& create = std::get<wire::CreateGrpKeys1>(in.message);
  auto key = check_create_1(in, create);
  if (!key) return pass_on(key);
  auto for_gtek = new_share(context, channel);
  auto for_gkek = new_share(context, channel);
  wire::CreateGrpKeys2 answer;
  answer.gtek_id = create.gtek_id;
  answer.gkek_id = create.gkek_id;
  answer.nonce = context.random.array<32>();
  answer.gtek_creation = for_gtek.share();
  answer.gkek_creation = for_gkek.share();
  auto gtek_agreement = std::move(for_gtek).agree(create.gtek_creation);
  if (!gtek_agreement) return pass_on(gtek_agreement);
  auto gkek_agreement = std::move(for_gkek).agree(create.gkek_creation);
  if (!gkek_agreement) return pass_on(gkek_agreement);

  auto agreed = sign_create_2(context, channel, in, create, answer, MessageType::kCreateGrpKeys2,
                              std::move(*key));
  if (!agreed) return agreed;
  agreed->key_ids = {create.gtek_id, create.gkek_id};
  take_stage(*agreed, keys::derive_group_stage(channel.hash(), {create.nonce, answer.nonce},
                                               *gtek_agreement, *gkek_agreement, agreed->th1));
  return agreed;
}

Result<Agreed> answer_session(Context& context, Channel& channel, const Incoming& in) {
  const auto& create = std::get<wire::CreateSessionKek1>(in.message);
  auto key = check_create_1(in, create);
  if (!key) return pass_on(key);
  auto share = new_share(context, channel);
  wire::CreateSessionKek2 answer;
  answer.skek_id = create.skek_id;
  answer.nonce = context.random.array<32>();
  answer.skek_creation = share.share();
  auto agreement = std::move(share).agree(create.skek_creation);
  if (!agreement) return pass_on(agreement);

  auto agreed = sign_create_2(context, channel, in, create, answer, MessageType::kCreateSessionKek2,
                              std::move(*key));
  if (!agreed) return agreed;
  agreed->key_ids = {create.skek_id};
  take_stage(*agreed, keys::derive_session_stage(channel.hash(), {create.nonce, answer.nonce},
                                                 *agreement, agreed->th1));
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

Result<identity::GroupToken> review_offer(const Context& context, const Channel& channel,
                                          const Agreed& agreed, const wire::Negotiate1& negotiate,
                                          Now now) {
  if (auto same = check_key_ids(agreed, negotiate.key_ids); !same) return pass_on(same);
  if (crypto::sha256({negotiate.token}) != agreed.token_hash) {
    return fail(kTokenHashDiffers, "the token is not the one that the Create message named");
  }
  auto token = review_token(context, negotiate.token, now);
  if (!token) return token;
  if (token->group_id != channel.group()) {
    return fail(kGroupIdDiffers, "the token is for another group than the exchange");
  }
  if (token->policy.control_suite != channel.suite()) {
    return fail(kSuiteDiffers, "the exchange is not of the token's [control] suite");
  }
  return token;
}

Channel::Sealed seal_negotiate_2(const Context& context, Channel& channel, const Agreed& agreed,
                                 std::vector<IpAddress> sources) {
  wire::Negotiate2 answer;
  answer.key_ids = agreed.key_ids;
  answer.certificates = context.certificate_chain();
  answer.crl_numbers = context.crl_numbers();
  answer.source_addresses = std::move(sources);
  const wire::Header header = channel.next_header(
      by_figure(agreed, MessageType::kNegotiateGrpKeys2, MessageType::kNegotiateSessionKeys2));
  return Channel::seal(header, wire::encode_body(answer), agreed.stage.up);
}

keys::PairwiseKeys derive_pairwise(const Channel& channel, const Agreed& agreed,
                                   ByteView negotiate_1, ByteView negotiate_2) {
  const Bytes th2 = keys::transcript_2(channel.hash(), agreed.create_1, agreed.create_2,
                                       negotiate_1, negotiate_2, channel.join_request());
  return keys::derive_pairwise(channel.hash(), agreed.root, th2);
}

std::vector<Bytes> seal_refusal(Channel& channel, const Error& why, const Secret& key) {
  return Channel::seal(channel.next_header(MessageType::kRefusal),
                       wire::encode_body(wire::Refusal{std::string(why.name())}), key)
      .datagrams;
}

}  // namespace gkmpd::protocol
