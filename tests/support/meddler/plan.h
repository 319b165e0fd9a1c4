// Plans for a meddler as text, and its record as JSON.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "tests/support/meddler/meddler.h"

namespace gkmpd::meddler {

struct NamedOrder {
  std::string group;  // its name
  Order order;
};

/// One order a line, `GROUP STEP ACTION [FIRST TIMES]`: "demo 1.M3 tamper 1 2". Empty lines and
/// those that begin with # say nothing. `id_of` gives the id of a group's name. The error names the
/// line.
[[nodiscard]] tl::expected<std::vector<NamedOrder>, std::string> parse_plan(
    std::string_view text, const std::function<GroupId(std::string_view)>& id_of);

/// {"finished": ..., "orders": [{"group", "step", "action", "first", "times", "seen", "done",
/// "deliveries": {...}}]}, one line. `orders` are the meddler's own, in the same order.
[[nodiscard]] std::string record_json(const std::vector<NamedOrder>& orders,
                                      const Meddler& meddler);

}  // namespace gkmpd::meddler
