#include "agent/wire/fragment.h"

#include <algorithm>

#include "agent/wire/errors.h"

namespace gkmpd::wire {
namespace {

/// Only the cutting that split() does is taken, so that a message has one set of fragments.
bool is_cut_well(std::uint8_t index, std::uint8_t count, std::size_t size) {
  if (count == 1) return size <= kMaxChunk;
  return index + 1 == count ? size >= 1 && size <= kMaxChunk : size == kMaxChunk;
}

}  // namespace

std::vector<ByteView> split(ByteView plaintext) {
  std::vector<ByteView> chunks;
  do {
    const std::size_t size = std::min(plaintext.size(), kMaxChunk);
    chunks.push_back(plaintext.first(size));
    plaintext = plaintext.subspan(size);
  } while (!plaintext.empty());
  return chunks;
}

Result<void> Reassembler::add(std::uint8_t index, std::uint8_t count, ByteView chunk) {
  const bool fits = count >= 1 && count <= kMaxFragments && index < count &&
                    (chunks_.empty() || chunks_.size() == count);
  if (!fits || !is_cut_well(index, count, chunk.size())) {
    return fail(kBadFragment, "fragment " + std::to_string(index) + " of " + std::to_string(count) +
                                  " with " + std::to_string(chunk.size()) + " octets");
  }
  if (chunks_.empty()) chunks_.resize(count);
  std::optional<Secret>& place = chunks_[index];
  if (place) {
    if (equal(place->expose(), chunk)) return {};
    return fail(kBadFragment, "fragment " + std::to_string(index) + " came with other octets");
  }
  place = Secret::copy_of(chunk);
  ++present_;
  octets_held_ += chunk.size();
  return {};
}

bool Reassembler::complete() const { return !chunks_.empty() && present_ == chunks_.size(); }

std::optional<Secret> Reassembler::take() {
  if (!complete()) return std::nullopt;
  Secret whole(octets_held_);
  auto out = whole.expose_for_writing().begin();
  for (const std::optional<Secret>& chunk : chunks_) {
    out = std::ranges::copy(chunk->expose(), out).out;
  }
  *this = Reassembler();
  return whole;
}

}  // namespace gkmpd::wire
