#include "agent/crypto/nist_curve.h"

#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include "agent/crypto/errors.h"
#include "agent/crypto/openssl.h"

namespace gkmpd::crypto {
namespace {

using ossl::require;
using Group = std::unique_ptr<EC_GROUP, ossl::Freer<EC_GROUP_free>>;
using Point = std::unique_ptr<EC_POINT, ossl::Freer<EC_POINT_clear_free>>;

// Made once: its tables cost more than a multiplication. Never freed: it lives as long as the
// process.
const EC_GROUP* group_of(Agreement curve) {
  static const EC_GROUP* const p256 = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  static const EC_GROUP* const p384 = EC_GROUP_new_by_curve_name(NID_secp384r1);
  const EC_GROUP* const group = curve == Agreement::kP384 ? p384 : p256;
  require(group != nullptr && curve != Agreement::kX25519);
  return group;
}

ossl::BigNumberContext secret_numbers() {
  ossl::BigNumberContext context(BN_CTX_secure_new());
  require(context != nullptr);
  return context;
}

ossl::BigNumber number_of(const Secret& octets) {
  ossl::BigNumber number(BN_secure_new());
  require(number != nullptr);
  // Its size must not show in the time that a multiplication takes.
  BN_set_flags(number.get(), BN_FLG_CONSTTIME);
  require(BN_bin2bn(octets.expose().data(), static_cast<int>(octets.size()), number.get()) !=
          nullptr);
  return number;
}

Point new_point(const EC_GROUP* group) {
  Point point(EC_POINT_new(group));
  require(point != nullptr);
  return point;
}

}  // namespace

Secret draw_scalar(Agreement curve, Random& random) {
  const BIGNUM* const order = EC_GROUP_get0_order(group_of(curve));
  while (true) {
    Secret octets(secret_size(curve));
    random.fill(octets.expose_for_writing());
    const ossl::BigNumber number = number_of(octets);
    if (!BN_is_zero(number.get()) && BN_cmp(number.get(), order) < 0) return octets;
  }
}

Bytes point_of(Agreement curve, const Secret& scalar) {
  const EC_GROUP* const group = group_of(curve);
  const ossl::BigNumberContext numbers = secret_numbers();
  const Point point = new_point(group);
  require(EC_POINT_mul(group, point.get(), number_of(scalar).get(), nullptr, nullptr,
                       numbers.get()) == 1);
  Bytes octets(share_size(curve));
  require(EC_POINT_point2oct(group, point.get(), POINT_CONVERSION_UNCOMPRESSED, octets.data(),
                             octets.size(), numbers.get()) == octets.size());
  return octets;
}

Result<Secret> multiply(Agreement curve, const Secret& scalar, ByteView peer) {
  const EC_GROUP* const group = group_of(curve);
  const ossl::BigNumberContext numbers = secret_numbers();
  const Point theirs = new_point(group);
  // Refuses what is not on the curve, and by the size anything but the uncompressed form.
  if (peer.size() != share_size(curve) || peer.front() != POINT_CONVERSION_UNCOMPRESSED ||
      EC_POINT_oct2point(group, theirs.get(), peer.data(), peer.size(), numbers.get()) != 1) {
    return ossl::fail_with_reason(kBadShare, "the peer's share is no point of the curve");
  }
  const Point product = new_point(group);
  require(EC_POINT_mul(group, product.get(), nullptr, theirs.get(), number_of(scalar).get(),
                       numbers.get()) == 1);
  // Both curves have a prime order: only a scalar of zero, which is never drawn, ends at infinity.
  const ossl::BigNumber x(BN_secure_new());
  require(x != nullptr && EC_POINT_get_affine_coordinates(group, product.get(), x.get(), nullptr,
                                                          numbers.get()) == 1);
  Secret shared(secret_size(curve));
  require(BN_bn2binpad(x.get(), shared.expose_for_writing().data(),
                       static_cast<int>(shared.size())) == static_cast<int>(shared.size()));
  return shared;
}

}  // namespace gkmpd::crypto
