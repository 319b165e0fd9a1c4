// A plan in numbers and words: what was not as it should be.
#pragma once

#include <string>
#include <vector>

#include "xfrm/plan.h"

namespace gkmpd::xfrm {

struct Tally {
  std::size_t inbound = 0;   // SAs put in
  std::size_t outbound = 0;  // likewise
  std::size_t sas_removed = 0;
  bool guard = false;  // put in or changed
  bool in = false;
  bool protect = false;
  std::size_t policies_removed = 0;

  [[nodiscard]] std::size_t sas() const { return inbound + outbound; }
  [[nodiscard]] std::size_t policies() const {
    return std::size_t{guard} + std::size_t{in} + std::size_t{protect};
  }
  [[nodiscard]] bool empty() const {
    return sas() + policies() + sas_removed + policies_removed == 0;
  }
  /// "put back: the guard policy, 3 inbound SAs; taken out: 1 SA". Empty for an empty tally.
  [[nodiscard]] std::string text() const;
  friend bool operator==(const Tally&, const Tally&) = default;
};

[[nodiscard]] Tally tally(const std::vector<Stage>& stages);

}  // namespace gkmpd::xfrm
