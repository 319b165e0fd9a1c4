#include "agent/crypto/edwards.h"

#include "agent/crypto/openssl.h"

namespace gkmpd::crypto {
namespace {

using ossl::BigNumber;
using ossl::require;

// 2^255 - 19, and d of the curve's equation -x^2 + y^2 = 1 + d x^2 y^2.
constexpr const char* kPrimeHex =
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed";
constexpr const char* kDHex = "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3";

BigNumber number_of(const char* hex) {
  BIGNUM* number = nullptr;
  require(BN_hex2bn(&number, hex) > 0);
  return BigNumber(number);
}

BigNumber new_number() {
  BigNumber number(BN_new());
  require(number != nullptr);
  return number;
}

}  // namespace

bool is_edwards_point(ByteView encoded) {
  if (encoded.size() != kEdwardsPointSize) return false;
  static const BigNumber prime = number_of(kPrimeHex);
  static const BigNumber d = number_of(kDHex);
  Bytes octets = to_bytes(encoded);
  const bool sign = (octets.back() & 0x80) != 0;
  octets.back() &= 0x7f;
  const BigNumber y(BN_lebin2bn(octets.data(), static_cast<int>(octets.size()), nullptr));
  require(y != nullptr);
  if (BN_cmp(y.get(), prime.get()) >= 0) return false;

  // x^2 = (y^2 - 1) / (d y^2 + 1). The denominator is never zero, and the quotient is a square
  // just if the product is.
  const ossl::BigNumberContext context(BN_CTX_new());
  const BigNumber square = new_number();
  const BigNumber below = new_number();
  const BigNumber product = new_number();
  require(context != nullptr);
  require(BN_mod_sqr(square.get(), y.get(), prime.get(), context.get()) == 1);
  require(BN_mod_mul(below.get(), square.get(), d.get(), prime.get(), context.get()) == 1);
  require(BN_add_word(below.get(), 1) == 1 && BN_sub_word(square.get(), 1) == 1);
  require(BN_mod_mul(product.get(), square.get(), below.get(), prime.get(), context.get()) == 1);
  // x = 0 has no other sign.
  if (BN_is_zero(product.get()) == 1) return !sign;
  return BN_kronecker(product.get(), prime.get(), context.get()) == 1;
}

}  // namespace gkmpd::crypto
