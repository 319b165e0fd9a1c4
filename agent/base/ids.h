// Names of things that several layers hold but only one layer makes.
#pragma once

#include <compare>
#include <string>

#include "agent/base/bytes.h"

namespace gkmpd {

using Digest = ByteArray<32>;

/// First 16 octets of SHA-256("GKMP/1 group" | anchor key hash | group name) (profile P1).
using GroupId = ByteArray<16>;

/// First 16 octets of SHA-256(statement) (profile P1).
using EpochId = ByteArray<16>;

/// Chosen by whoever starts an exchange; unique among its open ones.
using ExchangeId = ByteArray<8>;

/// Names one GTEK, GKEK or SKEK (RFC 2093 3.4, 3.5, 3.13).
using KeyId = ByteArray<16>;

/// SHA-256("GKMP/1 host" | anchor key hash | host name): how a host is named on the wire.
using NameHash = Digest;

/// Orders epochs of one group: compared field by field in this order, a lower rank being the
/// better one (profile P1).
struct EpochTuple {
  std::uint32_t token_version = 0;
  std::uint32_t term = 0;
  std::uint8_t rank = 0;
  std::uint32_t epoch = 0;

  friend bool operator==(const EpochTuple&, const EpochTuple&) = default;
  friend std::strong_ordering operator<=>(const EpochTuple& a, const EpochTuple& b) {
    if (auto order = a.token_version <=> b.token_version; order != 0) return order;
    if (auto order = a.term <=> b.term; order != 0) return order;
    if (auto order = b.rank <=> a.rank; order != 0) return order;
    return a.epoch <=> b.epoch;
  }

  /// "version.term.rank.epoch", for people.
  [[nodiscard]] std::string text() const {
    return std::to_string(token_version) + "." + std::to_string(term) + "." + std::to_string(rank) +
           "." + std::to_string(epoch);
  }
};

}  // namespace gkmpd
