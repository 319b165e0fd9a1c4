// What a protocol suite is made of.
#pragma once

#include "agent/base/suite.h"
#include "agent/crypto/agreement.h"
#include "agent/crypto/hash.h"

namespace gkmpd::crypto {

[[nodiscard]] constexpr Agreement agreement_of(Suite suite) {
  switch (suite) {
    case Suite::kX25519Sha256:
    case Suite::kX25519Sha384:
      return Agreement::kX25519;
    case Suite::kP256Sha256:
      return Agreement::kP256;
    case Suite::kP384Sha384:
      return Agreement::kP384;
  }
  return Agreement::kX25519;
}

/// The hash of transcripts and of the key schedule.
[[nodiscard]] constexpr Hash hash_of(Suite suite) {
  switch (suite) {
    case Suite::kX25519Sha256:
    case Suite::kP256Sha256:
      return Hash::kSha256;
    case Suite::kP384Sha384:
    case Suite::kX25519Sha384:
      return Hash::kSha384;
  }
  return Hash::kSha256;
}

}  // namespace gkmpd::crypto
