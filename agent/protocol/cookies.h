// Cookies (profile P32): who asks shows that it is where it says it is, before anything is kept,
// verified or computed for it.
#pragma once

#include "agent/base/address.h"
#include "agent/base/random.h"
#include "agent/base/secret.h"
#include "agent/base/time.h"
#include "agent/wire/messages.h"

namespace gkmpd::protocol {

/// A request that is answered with a cookie, or brings one.
struct CookieQuestion {
  const SocketAddress& from;
  const wire::Header& header;
  const wire::Nonce32& nonce;
};

class CookieJar {
 public:
  /// The same for the same question while the secret is the same.
  [[nodiscard]] wire::Cookie bake(Now now, Random& random, const CookieQuestion& question);
  /// Baked here for that question, under the present secret or the one before.
  [[nodiscard]] bool is_ours(Now now, Random& random, const CookieQuestion& question,
                             const wire::Cookie& cookie);

 private:
  /// Secrets are used for kCookieSecretLife, and taken for as long again.
  void refresh(Now now, Random& random);

  Secret present_;
  Secret former_;
  MonoTime made_at_;
};

}  // namespace gkmpd::protocol
