// Which orders of which commanders have been obeyed in a group (profile S26): an order counts once.
#pragma once

#include <map>

#include "agent/base/ids.h"

namespace gkmpd::protocol {

/// An order that is about to be obeyed.
struct CommandMark {
  NameHash commander{};
  std::uint64_t counter = 0;
};

struct CommandMarks {
  /// The last counter of each commander, of at most kMaxCommandMarks.
  std::map<NameHash, std::uint64_t> by_commander;
  /// The last counter of all others: the highest of those that had to make room. It refuses more
  /// than it must, and never too little.
  std::uint64_t others = 0;

  /// An order of `commander` is new if its counter is above this.
  [[nodiscard]] std::uint64_t last_of(const NameHash& commander) const;
  void raise(const CommandMark& mark);

  friend bool operator==(const CommandMarks&, const CommandMarks&) = default;
};

}  // namespace gkmpd::protocol
