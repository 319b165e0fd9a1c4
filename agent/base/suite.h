// Protocol suites: which key agreement and which hash the control plane of a group uses.
#pragma once

#include <array>
#include <cstdint>

namespace gkmpd {

/// The number is the wire's. The group's token chooses it (profile P4); every suite seals with
/// AES-256-GCM. Names of hosts, groups, epochs and keys, and hashes of objects, are SHA-256 in all.
enum class Suite : std::uint8_t {
  kX25519Sha256 = 1,
  kP256Sha256 = 2,
  kP384Sha384 = 3,
  kX25519Sha384 = 4,
};

inline constexpr std::array<Suite, 4> kSuites{Suite::kX25519Sha256, Suite::kP256Sha256,
                                              Suite::kP384Sha384, Suite::kX25519Sha384};

}  // namespace gkmpd
