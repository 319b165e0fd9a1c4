// Names of what can go wrong in cryptography.
#pragma once

#include "agent/base/error.h"

namespace gkmpd::crypto {

inline constexpr ErrorKind kBadSeal{"crypto.bad-seal"};
inline constexpr ErrorKind kBadShare{"crypto.bad-share"};
inline constexpr ErrorKind kBadKey{"crypto.bad-key"};
inline constexpr ErrorKind kBadSignature{"crypto.bad-signature"};
inline constexpr ErrorKind kBadCertificate{"crypto.bad-certificate"};
inline constexpr ErrorKind kBadRequest{"crypto.bad-request"};
inline constexpr ErrorKind kBadCrl{"crypto.bad-crl"};
inline constexpr ErrorKind kCrlScope{"crypto.crl-scope"};
inline constexpr ErrorKind kBadCms{"crypto.bad-cms"};
inline constexpr ErrorKind kKeyUnsuitable{"crypto.key-unsuitable"};
inline constexpr ErrorKind kChainUntrusted{"crypto.chain-untrusted"};
inline constexpr ErrorKind kChainExpired{"crypto.chain-expired"};
inline constexpr ErrorKind kChainInvalid{"crypto.chain-invalid"};
inline constexpr ErrorKind kNotApart{"crypto.not-apart"};
inline constexpr ErrorKind kLibrary{"crypto.library"};

}  // namespace gkmpd::crypto
