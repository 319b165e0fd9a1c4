#include "agent/crypto/agreement.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <utility>

#include "agent/base/wipe_stack.h"
#include "agent/crypto/errors.h"
#include "agent/crypto/nist_curve.h"
#include "agent/crypto/openssl.h"

namespace gkmpd::crypto {
namespace {

using ossl::require;

ossl::Pkey x25519_private(const Secret& octets) {
  ossl::Pkey key(EVP_PKEY_new_raw_private_key_ex(nullptr, "X25519", nullptr, octets.expose().data(),
                                                 octets.size()));
  require(key != nullptr);
  return key;
}

Bytes x25519_share(const Secret& octets) {
  Bytes share(share_size(Agreement::kX25519));
  std::size_t size = share.size();
  require(EVP_PKEY_get_raw_public_key(x25519_private(octets).get(), share.data(), &size) == 1);
  return share;
}

// With its share, which OpenSSL would else compute once more: half of the work.
ossl::Pkey x25519_pair(const Secret& octets, ByteView share) {
  const auto octet_string = [](const char* name, ByteView value) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(value.data()),
                                             value.size());
  };
  OSSL_PARAM parameters[] = {octet_string(OSSL_PKEY_PARAM_PRIV_KEY, octets.expose()),
                             octet_string(OSSL_PKEY_PARAM_PUB_KEY, share),
                             OSSL_PARAM_construct_end()};
  const ossl::PkeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "X25519", nullptr));
  EVP_PKEY* key = nullptr;
  require(context != nullptr && EVP_PKEY_fromdata_init(context.get()) == 1);
  require(EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, parameters) == 1);
  return ossl::Pkey(key);
}

Result<Secret> x25519(const Secret& octets, ByteView share, ByteView peer) {
  const ossl::Pkey own = x25519_pair(octets, share);
  const ossl::Pkey theirs(
      EVP_PKEY_new_raw_public_key_ex(nullptr, "X25519", nullptr, peer.data(), peer.size()));
  require(theirs != nullptr);
  const ossl::PkeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, own.get(), nullptr));
  require(context != nullptr && EVP_PKEY_derive_init(context.get()) == 1);
  require(EVP_PKEY_derive_set_peer(context.get(), theirs.get()) == 1);
  Secret shared(secret_size(Agreement::kX25519));
  std::size_t size = shared.size();
  if (EVP_PKEY_derive(context.get(), shared.expose_for_writing().data(), &size) != 1 ||
      size != shared.size() || shared.equals(Secret(shared.size()))) {
    return ossl::fail_with_reason(kBadShare, "the peer's share gives no secret");
  }
  return shared;
}

}  // namespace

EphemeralKey::EphemeralKey(Agreement agreement, Secret private_key, Bytes share)
    : agreement_(agreement), private_key_(std::move(private_key)), share_(std::move(share)) {}

EphemeralKey EphemeralKey::generate(Agreement agreement, Random& random) {
  const StackWiper stack;
  if (agreement != Agreement::kX25519) {
    Secret scalar = draw_scalar(agreement, random);
    Bytes share = point_of(agreement, scalar);
    return {agreement, std::move(scalar), std::move(share)};
  }
  Secret octets(secret_size(agreement));
  random.fill(octets.expose_for_writing());
  Bytes share = x25519_share(octets);
  return {agreement, std::move(octets), std::move(share)};
}

Result<Secret> EphemeralKey::agree(ByteView peer) && {
  const StackWiper stack;
  const Secret used_up = std::move(private_key_);
  if (used_up.empty()) return fail(kBadShare, "this share has been used before");
  if (peer.size() != share_size(agreement_)) {
    return fail(kBadShare, "the peer's share is not of the suite's size");
  }
  return agreement_ == Agreement::kX25519 ? x25519(used_up, share_, peer)
                                          : multiply(agreement_, used_up, peer);
}

}  // namespace gkmpd::crypto
