// ECDH on the curves of NIST with private keys given as octets.
#pragma once

#include "agent/crypto/agreement.h"

namespace gkmpd::crypto {

/// A private key: a number from 1 to below the curve's order, drawn without bias.
[[nodiscard]] Secret draw_scalar(Agreement curve, Random& random);

/// The uncompressed point that belongs to `scalar`.
[[nodiscard]] Bytes point_of(Agreement curve, const Secret& scalar);

/// The x coordinate of `scalar` times the uncompressed point `peer`; `crypto.bad-share` if that is
/// no point of the curve.
[[nodiscard]] Result<Secret> multiply(Agreement curve, const Secret& scalar, ByteView peer);

}  // namespace gkmpd::crypto
