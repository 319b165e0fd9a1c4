#include "tests/support/traffic/sequence_tracker.h"

namespace gkmpd::traffic {

bool SequenceTracker::add(std::uint64_t sequence) {
  if (sequence >= kMaxSequence) return false;
  if (sequence >= seen_.size()) {
    seen_.resize(sequence + 1, false);
  } else if (seen_[sequence]) {
    ++duplicates_;
    return true;
  } else {
    ++reordered_;
  }
  seen_[sequence] = true;
  ++unique_;
  return true;
}

}  // namespace gkmpd::traffic
