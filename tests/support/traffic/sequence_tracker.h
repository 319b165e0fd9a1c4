// Counts what came of one sender's numbered datagrams.
#pragma once

#include <cstdint>
#include <vector>

namespace gkmpd::traffic {

class SequenceTracker {
 public:
  /// Numbers from this on are counted as alien: no sender of ours gets there, and memory is
  /// bounded.
  static constexpr std::uint64_t kMaxSequence = std::uint64_t{1} << 27;

  /// False if the number is beyond kMaxSequence; nothing is counted then.
  bool add(std::uint64_t sequence);

  /// Datagrams taken, duplicates included.
  [[nodiscard]] std::uint64_t received() const { return unique_ + duplicates_; }
  [[nodiscard]] std::uint64_t duplicates() const { return duplicates_; }
  /// First arrivals that came after a higher number.
  [[nodiscard]] std::uint64_t reordered() const { return reordered_; }
  /// Numbers from 0 up to the highest seen that never came. What follows the highest is not known
  /// here: compare received() with the sender's own count.
  [[nodiscard]] std::uint64_t lost() const { return seen_.size() - unique_; }
  /// One above the highest number seen; 0 if nothing came.
  [[nodiscard]] std::uint64_t end() const { return seen_.size(); }

 private:
  std::vector<bool> seen_;
  std::uint64_t unique_ = 0;
  std::uint64_t duplicates_ = 0;
  std::uint64_t reordered_ = 0;
};

}  // namespace gkmpd::traffic
