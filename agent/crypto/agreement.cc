#include "agent/crypto/agreement.h"

#include <openssl/evp.h>

#include <algorithm>
#include <utility>

#include "agent/crypto/errors.h"
#include "agent/crypto/openssl.h"

namespace gkmpd::crypto {
namespace {

using ossl::require;

ossl::Pkey private_from(const Secret& octets) {
  ossl::Pkey key(EVP_PKEY_new_raw_private_key_ex(nullptr, "X25519", nullptr, octets.expose().data(),
                                                 octets.size()));
  require(key != nullptr);
  return key;
}

}  // namespace

EphemeralKey::EphemeralKey(Secret private_key, const Share& share)
    : private_key_(std::move(private_key)), share_(share) {}

EphemeralKey EphemeralKey::generate(Random& random) {
  Secret octets(kShareSize);
  random.fill(octets.expose_for_writing());
  Share share{};
  std::size_t size = share.size();
  require(EVP_PKEY_get_raw_public_key(private_from(octets).get(), share.data(), &size) == 1);
  return {std::move(octets), share};
}

Result<Secret> EphemeralKey::agree(const Share& peer) && {
  const Secret used_up = std::move(private_key_);
  if (used_up.empty()) return fail(kBadShare, "this share has been used before");
  const ossl::Pkey own = private_from(used_up);
  const ossl::Pkey theirs(
      EVP_PKEY_new_raw_public_key_ex(nullptr, "X25519", nullptr, peer.data(), peer.size()));
  require(theirs != nullptr);
  const ossl::PkeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, own.get(), nullptr));
  require(context != nullptr && EVP_PKEY_derive_init(context.get()) == 1);
  require(EVP_PKEY_derive_set_peer(context.get(), theirs.get()) == 1);
  Secret shared(kShareSize);
  std::size_t size = shared.size();
  if (EVP_PKEY_derive(context.get(), shared.expose_for_writing().data(), &size) != 1 ||
      size != kShareSize || shared.equals(Secret(kShareSize))) {
    return ossl::fail_with_reason(kBadShare, "the peer's share gives no secret");
  }
  return shared;
}

}  // namespace gkmpd::crypto
