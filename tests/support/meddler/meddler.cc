#include "tests/support/meddler/meddler.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "agent/wire/messages.h"

namespace gkmpd::meddler {
namespace {

using Nature = Delivery::Nature;

constexpr std::array<std::pair<Action, std::string_view>, kAllActions.size()> kActionTexts{{
    {Action::kTamper, "tamper"},
    {Action::kTruncate, "truncate"},
    {Action::kReplay, "replay"},
    {Action::kReflect, "reflect"},
    {Action::kSwap, "swap"},
    {Action::kHoldBack, "hold-back"},
    {Action::kDelay, "delay"},
    {Action::kDrop, "drop"},
}};

/// Takes those out of `kept` for which `due` is true, in their order.
template <typename Kept, typename Due>
std::vector<Kept> take_if(std::vector<Kept>& kept, Due due) {
  std::vector<Kept> taken;
  std::vector<Kept> left;
  for (Kept& one : kept) (due(one) ? taken : left).push_back(std::move(one));
  kept = std::move(left);
  return taken;
}

}  // namespace

std::string_view to_text(Action action) {
  return std::ranges::find(kActionTexts, action, &std::pair<Action, std::string_view>::first)
      ->second;
}

std::optional<Action> parse_action(std::string_view text) {
  for (const auto& [action, name] : kActionTexts) {
    if (name == text) return action;
  }
  return std::nullopt;
}

Meddler::Meddler(std::vector<Order> orders, Options options)
    : orders_(std::move(orders)), options_(std::move(options)), outcomes_(orders_.size()) {}

std::vector<Delivery> Meddler::pass(const Datagram& datagram) {
  std::vector<Delivery> out;
  const auto place = place_of(datagram);
  if (!place) {
    out.push_back({datagram, Nature::kAsSent, "", milliseconds(0)});
    return out;
  }
  const auto order = order_for(*place);
  if (order) {
    carry_out(*order, *place, datagram, out);
  } else {
    out.push_back({datagram, Nature::kAsSent, "", milliseconds(0)});
  }
  note_passed(*place, datagram, out);
  // The order has taken this acknowledgement away, unless it was only to be repeated.
  const bool arrives = !order || orders_[*order].action == Action::kReplay;
  if (arrives && place->step.message == kMessagesOfAFigure) note_over(*place, out);
  return out;
}

std::vector<Delivery> Meddler::release() {
  std::vector<Delivery> out;
  for (std::vector<Kept>* waiting : {&held_, &delayed_}) {
    for (Kept& kept : std::exchange(*waiting, {})) {
      deliver(kept.order, std::move(kept.datagram), Nature::kAsSent, "released", out);
    }
  }
  for (const Kept& kept : replays_) {
    deliver(kept.order, kept.datagram, Nature::kRepeated, "again-at-release", out);
  }
  return out;
}

bool Meddler::finished() const {
  for (std::size_t i = 0; i < orders_.size(); ++i) {
    if (outcomes_[i].done < orders_[i].times) return false;
  }
  return swaps_.empty();
}

std::optional<Meddler::Place> Meddler::place_of(const Datagram& datagram) {
  const auto decoded = wire::decode_datagram(datagram.octets);
  if (!decoded) return std::nullopt;
  const wire::Header& header = decoded->header;
  const auto message = meddler::place_of(header.type);
  if (!message) return std::nullopt;
  if (!wire::is_sealed(header.type) && !wire::decode_body(header.type, decoded->body)) {
    return std::nullopt;
  }
  const std::pair key{header.group, header.exchange};
  if (const auto figure = figure_of(header.type)) figures_.try_emplace(key, *figure);
  const auto known = figures_.find(key);
  if (known == figures_.end()) return std::nullopt;
  return Place{header.group, header.exchange, {known->second, *message}};
}

std::optional<std::size_t> Meddler::order_for(const Place& place) {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < orders_.size(); ++i) {
    const Order& order = orders_[i];
    if (order.group != place.group || order.step != place.step) continue;
    const unsigned number = ++outcomes_[i].seen;
    if (!found && number >= order.first && outcomes_[i].done < order.times && has_room()) found = i;
  }
  return found;
}

bool Meddler::has_room() const {
  return held_.size() + delayed_.size() + replays_.size() + swaps_.size() < kMaxKept;
}

void Meddler::carry_out(std::size_t order, const Place& place, const Datagram& datagram,
                        std::vector<Delivery>& out) {
  ++outcomes_[order].done;
  switch (orders_[order].action) {
    case Action::kTamper:
      deliver_altered(order, datagram, tampered(datagram.octets, options_.draw), out);
      return;
    case Action::kTruncate:
      deliver_altered(order, datagram, truncated(datagram.octets), out);
      return;
    case Action::kReplay:
      out.push_back({datagram, Nature::kAsSent, "", milliseconds(0)});
      deliver(order, datagram, Nature::kRepeated, "again-soon", out, options_.soon);
      replays_.push_back({order, place, datagram});
      return;
    case Action::kReflect:
      deliver(order, {datagram.to, datagram.from, datagram.octets}, Nature::kAltered, "reflected",
              out);
      return;
    case Action::kSwap:
      if (const Datagram* others = of_another_group(place)) {
        swap(order, datagram, *others, out);
      } else {
        swaps_.push_back({order, place, datagram});
      }
      return;
    case Action::kHoldBack:
      // One more, because it is itself about to be counted.
      held_.push_back({order, place, datagram, options_.held_for + 1});
      return;
    case Action::kDelay:
      delayed_.push_back({order, place, datagram});
      return;
    case Action::kDrop:
      return;
  }
}

void Meddler::swap(std::size_t order, const Datagram& datagram, const Datagram& others,
                   std::vector<Delivery>& out) {
  deliver_altered(order, datagram, grafted(datagram.octets, others.octets), out);
  deliver(order, {datagram.from, datagram.to, others.octets}, Nature::kMisplaced, "other-whole",
          out);
}

void Meddler::deliver(std::size_t order, Datagram datagram, Nature nature, const std::string& how,
                      std::vector<Delivery>& out, milliseconds after) {
  ++outcomes_[order].deliveries[how];
  out.push_back({std::move(datagram), nature, how, after});
}

void Meddler::deliver_altered(std::size_t order, const Datagram& datagram,
                              std::vector<Altered> copies, std::vector<Delivery>& out) {
  for (Altered& copy : copies) {
    deliver(order, {datagram.from, datagram.to, std::move(copy.octets)}, Nature::kAltered, copy.how,
            out);
  }
}

void Meddler::note_passed(const Place& place, const Datagram& datagram,
                          std::vector<Delivery>& out) {
  latest_[place.step].insert_or_assign(place.group, datagram);
  for (Kept& kept : held_) {
    if (kept.place.group == place.group && kept.place.step == place.step) --kept.passes;
  }
  for (Kept& kept : take_if(held_, [](const Kept& one) { return one.passes == 0; })) {
    deliver(kept.order, std::move(kept.datagram), Nature::kAsSent, "held-back", out);
  }
  for (const Kept& kept : take_if(swaps_, [&](const Kept& one) {
         return one.place.step == place.step && one.place.group != place.group;
       })) {
    swap(kept.order, kept.datagram, datagram, out);
  }
}

void Meddler::note_over(const Place& place, std::vector<Delivery>& out) {
  const auto of_exchange = [&](const Kept& one) {
    return one.place.group == place.group && one.place.exchange == place.exchange;
  };
  for (Kept& kept : take_if(delayed_, of_exchange)) {
    deliver(kept.order, std::move(kept.datagram), Nature::kAsSent, "delayed", out, options_.soon);
  }
  // Once: a message that is repeated may be answered by another acknowledgement.
  for (Kept& kept : replays_) {
    if (!of_exchange(kept) || std::exchange(kept.repeated_when_over, true)) continue;
    deliver(kept.order, kept.datagram, Nature::kRepeated, "again-when-over", out, options_.soon);
  }
}

const Datagram* Meddler::of_another_group(const Place& place) const {
  const auto known = latest_.find(place.step);
  if (known == latest_.end()) return nullptr;
  for (const auto& [group, datagram] : known->second) {
    if (group != place.group) return &datagram;
  }
  return nullptr;
}

}  // namespace gkmpd::meddler
