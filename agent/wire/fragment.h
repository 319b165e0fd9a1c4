// Sealed messages in pieces (profile P33; docs/PROTOCOL.md, "Fragments"). Each fragment is sealed
// by itself, so only opened, hence authenticated, octets ever come here.
#pragma once

#include <optional>
#include <vector>

#include "agent/base/secret.h"
#include "agent/wire/header.h"

namespace gkmpd::wire {

/// Plaintext octets of a full fragment.
inline constexpr std::size_t kMaxChunk = kMaxBody - kSealOverhead;

/// Views into `plaintext`, in order: all but the last are kMaxChunk long. One empty view for an
/// empty plaintext. At most kMaxFragments for a plaintext of at most kMaxMessage octets.
[[nodiscard]] std::vector<ByteView> split(ByteView plaintext);

/// Puts one message together. What it holds is wiped when it goes.
class Reassembler {
 public:
  /// Takes the opened chunk of fragment `index` of `count`. Repeats of a chunk are ignored.
  /// `wire.bad-fragment`, and nothing has changed, if the count is not that of the fragments
  /// before, the index is not below it, the chunk is not as split() makes it, or it differs from
  /// the one that came before under its index.
  [[nodiscard]] Result<void> add(std::uint8_t index, std::uint8_t count, ByteView chunk);

  [[nodiscard]] bool complete() const;
  /// Octets held now, for the endpoint's sum over all exchanges (design 9).
  [[nodiscard]] std::size_t octets_held() const { return octets_held_; }
  /// The whole plaintext, once complete; this object is as new afterwards.
  [[nodiscard]] std::optional<Secret> take();

 private:
  std::vector<std::optional<Secret>> chunks_;  // as many as the fragment count, once it is known
  std::size_t present_ = 0;
  std::size_t octets_held_ = 0;
};

}  // namespace gkmpd::wire
