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
  std::size_t address_policies = 0;  // put in or changed
  bool in = false;
  bool passage = false;
  bool protect = false;
  std::size_t policies_removed = 0;

  [[nodiscard]] std::size_t sas() const { return inbound + outbound; }
  [[nodiscard]] std::size_t policies() const {
    return address_policies + std::size_t{in} + std::size_t{passage} + std::size_t{protect};
  }
  [[nodiscard]] bool empty() const {
    return sas() + policies() + sas_removed + policies_removed == 0;
  }
  /// "put back: 4 policies of the address, 3 inbound SAs; taken out: 1 SA". Empty for an empty
  /// tally.
  [[nodiscard]] std::string text() const;
  friend bool operator==(const Tally&, const Tally&) = default;
};

[[nodiscard]] Tally tally(const std::vector<Stage>& stages);

}  // namespace gkmpd::xfrm
