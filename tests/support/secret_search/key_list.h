// The keys to look for. Nothing here or beside it comes from the agent.
#pragma once

#include <cstdint>
#include <istream>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace gkmpd::secret_search {

using Octets = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

/// Whether a secret of this many octets is a key: docs/PROTOCOL.md, section 10, and RFC 4106, 4868.
///   16  the cipher's part of AES-128 as the kernel shows it
///   20  AES-GCM-128 with its salt
///   32  everything of the key schedule, X25519, P-256, Ed25519, and the MAC's part of a key
///   36  AES-GCM-256 with its salt
///   48  AES-CBC-128 with HMAC-SHA-256, P-384
///   64  a group key packet: GTEK and GKEK
/// Secrets of other sizes are what keys were read from or sealed with: files, messages.
[[nodiscard]] bool is_key_size(std::size_t size);

/// A piece of a key by which it is looked for. Two strangers share sixteen octets never; and a key
/// whose beginning a free list has written over is still found by its second half.
inline constexpr std::size_t kPieceSize = 16;

/// False for octets that no generator of keys gives in a lifetime: zeros, patterns, and pairs of
/// pointers, which every dump is full of.
[[nodiscard]] bool is_random(View piece);

struct Key {
  Octets octets;
  std::string name;  // for reports, which never show the key itself
};

/// One key a line: hexadecimal, then perhaps a blank and a name. Empty lines are allowed. A key
/// that comes again keeps its first name. An error names the line.
[[nodiscard]] tl::expected<std::vector<Key>, std::string> read_key_list(std::istream& in);

}  // namespace gkmpd::secret_search
