#include "agent/protocol/join_attempt.h"

namespace gkmpd::protocol {

JoinAttempt::JoinAttempt(Context& context, const GroupId& group, const SocketAddress& controller)
    : context_(context),
      group_(group),
      controller_(controller),
      exchange_(context.random.array<8>()),
      nonce_(context.random.array<32>()) {}

Result<void> JoinAttempt::start(Now now) {
  if (auto made = sign(); !made) return made;
  context_.out.transmit(controller_, request_);
  timer_.start(now.mono, context_.random, kMaxTransmissions);
  return {};
}

Result<void> JoinAttempt::sign() {
  wire::Header header;  // of the first suite: the group's is the token's to say
  header.type = wire::MessageType::kRequestGroupJoin;
  header.role = wire::SenderRole::kMember;
  header.exchange = exchange_;
  header.group = group_;
  header.message_number = 1;
  wire::RequestGroupJoin request{.nonce = nonce_,
                                 .public_key = context_.config.key.public_key().spki(),
                                 .cookie = cookie_,
                                 .signature = {}};
  auto signature =
      context_.config.key.sign(crypto::SignatureContext::kJoin, {signed_part(header, request)});
  if (!signature) return pass_on(signature);
  request.signature = std::move(*signature);
  request_ = plain_datagram(header, request);
  return {};
}

Result<void> JoinAttempt::handle_cookie(Now now, const SocketAddress& from,
                                        const wire::Datagram& datagram) {
  if (from != controller_) return fail(kWrongPeer, from.text());
  if (!timer_.due()) return fail(kUnexpectedMessage, "a cookie for a request that is answered");
  auto message = wire::decode_body(wire::MessageType::kCookieDemand, datagram.body);
  if (!message) return pass_on(message);
  const wire::Cookie& cookie = std::get<wire::CookieDemand>(*message).cookie;
  // One signature for each cookie, not for each repetition of a demand.
  if (cookie == cookie_) return {};
  const std::optional<wire::Cookie> before = std::exchange(cookie_, cookie);
  if (auto made = sign(); !made) {
    cookie_ = before;
    return made;
  }
  context_.out.transmit(controller_, request_);
  timer_.start(now.mono, context_.random, kMaxTransmissions);
  return {};
}

bool JoinAttempt::handle_timeout(Now now) {
  if (!timer_.due() || now.mono < *timer_.due()) return true;
  if (!timer_.again(now.mono, context_.random)) return false;
  context_.out.transmit(controller_, request_);
  return true;
}

}  // namespace gkmpd::protocol
