#include "agent/protocol/cookies.h"

#include "agent/base/constant_time.h"
#include "agent/crypto/hash.h"
#include "agent/protocol/limits.h"

namespace gkmpd::protocol {
namespace {

constexpr std::size_t kSecretOctets = 32;

wire::Cookie mac(const Secret& secret, const CookieQuestion& question) {
  Bytes fields = to_bytes(question.from.ip.view());
  append_u32(fields, question.from.port);
  const std::array<std::uint8_t, 1> type{static_cast<std::uint8_t>(question.header.type)};
  return crypto::hmac_sha256(
      secret, {fields, type, question.header.group, question.header.exchange, question.nonce});
}

}  // namespace

void CookieJar::refresh(Now now, Random& random) {
  const bool fresh = !present_.empty() && now.mono - made_at_ < kCookieSecretLife;
  if (fresh) return;
  const bool usable = !present_.empty() && now.mono - made_at_ < 2 * kCookieSecretLife;
  former_ = usable ? std::move(present_) : Secret();
  present_ = Secret(kSecretOctets);
  random.fill(present_.expose_for_writing());
  made_at_ = now.mono;
}

wire::Cookie CookieJar::bake(Now now, Random& random, const CookieQuestion& question) {
  refresh(now, random);
  return mac(present_, question);
}

bool CookieJar::is_ours(Now now, Random& random, const CookieQuestion& question,
                        const wire::Cookie& cookie) {
  refresh(now, random);
  if (equal_in_constant_time(mac(present_, question), cookie)) return true;
  return !former_.empty() && equal_in_constant_time(mac(former_, question), cookie);
}

}  // namespace gkmpd::protocol
