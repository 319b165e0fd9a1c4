#include "agent/protocol/command_marks.h"

#include <algorithm>

#include "agent/protocol/limits.h"

namespace gkmpd::protocol {

std::uint64_t CommandMarks::last_of(const NameHash& commander) const {
  const auto found = by_commander.find(commander);
  return found == by_commander.end() ? others : found->second;
}

void CommandMarks::raise(const CommandMark& mark) {
  by_commander[mark.commander] = mark.counter;
  if (by_commander.size() <= kMaxCommandMarks) return;
  const auto lowest =
      std::ranges::min_element(by_commander, {}, [](const auto& entry) { return entry.second; });
  others = std::max(others, lowest->second);
  by_commander.erase(lowest);
}

}  // namespace gkmpd::protocol
