#include "tests/support/meddler/plan.h"

#include <nlohmann/json.hpp>
#include <sstream>

namespace gkmpd::meddler {
namespace {

using Json = nlohmann::ordered_json;

tl::expected<NamedOrder, std::string> parse_line(
    const std::string& line, const std::function<GroupId(std::string_view)>& id_of) {
  std::istringstream in(line);
  std::string group;
  std::string step_text;
  std::string action_text;
  if (!(in >> group >> step_text >> action_text)) {
    return tl::unexpected<std::string>("wants GROUP STEP ACTION");
  }
  const auto step = Step::parse(step_text);
  if (!step) return tl::unexpected("no step '" + step_text + "'");
  const auto action = parse_action(action_text);
  if (!action) return tl::unexpected("no action '" + action_text + "'");
  Order order{id_of(group), *step, *action};
  if (!(in >> std::ws).eof()) {
    if (!(in >> order.first >> order.times) || order.first == 0 || order.times == 0) {
      return tl::unexpected<std::string>("FIRST and TIMES are numbers from 1");
    }
    if (!(in >> std::ws).eof()) return tl::unexpected<std::string>("something behind TIMES");
  }
  return NamedOrder{std::move(group), order};
}

}  // namespace

tl::expected<std::vector<NamedOrder>, std::string> parse_plan(
    std::string_view text, const std::function<GroupId(std::string_view)>& id_of) {
  std::vector<NamedOrder> orders;
  std::istringstream in{std::string(text)};
  std::string line;
  for (unsigned number = 1; std::getline(in, line); ++number) {
    const auto first = line.find_first_not_of(" \t");
    if (first == std::string::npos || line[first] == '#') continue;
    auto order = parse_line(line, id_of);
    if (!order) return tl::unexpected("line " + std::to_string(number) + ": " + order.error());
    orders.push_back(std::move(*order));
  }
  return orders;
}

std::string record_json(const std::vector<NamedOrder>& orders, const Meddler& meddler) {
  auto list = Json::array();
  for (std::size_t i = 0; i < orders.size(); ++i) {
    const Order& order = orders[i].order;
    const Outcome& outcome = meddler.outcomes()[i];
    list.push_back({{"group", orders[i].group},
                    {"step", order.step.text()},
                    {"action", to_text(order.action)},
                    {"first", order.first},
                    {"times", order.times},
                    {"seen", outcome.seen},
                    {"done", outcome.done},
                    {"deliveries", outcome.deliveries}});
  }
  return Json{{"finished", meddler.finished()}, {"orders", std::move(list)}}.dump();
}

}  // namespace gkmpd::meddler
