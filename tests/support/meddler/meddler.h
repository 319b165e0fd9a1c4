// Somebody on the path between hosts, who changes, repeats, reflects, cuts, swaps, delays and drops
// the datagrams of GKMP exchanges as a plan says. Pure: fed with what is on its way, it gives back
// what arrives instead. It holds no key and knows nothing that an observer of the path does not.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/address.h"
#include "agent/base/ids.h"
#include "agent/base/time.h"
#include "tests/support/meddler/alter.h"
#include "tests/support/meddler/step.h"

namespace gkmpd::meddler {

/// What is done to a datagram. Save for kReplay it does not arrive as it was sent when it should,
/// so that the exchange goes on by retransmission only.
enum class Action {
  kTamper,    // instead of it, one copy for each region with a bit flipped there
  kTruncate,  // instead of it, one copy for each of several lengths
  kReplay,    // it arrives, again soon, again when its exchange is over, and at each release()
  kReflect,   // it goes back to its sender, as if from the peer
  kSwap,      // instead of it, mixtures with another group's message of the same step, and that one
  kHoldBack,  // it arrives after some more datagrams of its step
  kDelay,     // it arrives when its exchange is over, or at release()
  kDrop,
};
inline constexpr std::array kAllActions{Action::kTamper,  Action::kTruncate, Action::kReplay,
                                        Action::kReflect, Action::kSwap,     Action::kHoldBack,
                                        Action::kDelay,   Action::kDrop};
[[nodiscard]] std::string_view to_text(Action action);
[[nodiscard]] std::optional<Action> parse_action(std::string_view text);

/// In one group, `action` on datagrams of one step, from the `first` one on, `times` times. A
/// fragment is a datagram, a retransmission another one.
struct Order {
  GroupId group{};
  Step step;
  Action action = Action::kDrop;
  unsigned first = 1;
  unsigned times = 1;
};

struct Datagram {
  SocketAddress from;
  SocketAddress to;
  Bytes octets;
};

/// Something that arrives, `after` from now.
struct Delivery {
  enum class Nature {
    kAsSent,     // octets that its sender has sent to this receiver, for the first time, or held
    kRepeated,   // such octets once more
    kMisplaced,  // another group's datagram, whole
    kAltered,    // octets that nobody has sent to this receiver: it must drop them
  };
  Datagram datagram;
  Nature nature = Nature::kAsSent;
  std::string how;  // what was done to it; empty for what is left alone
  milliseconds after{0};
};

/// What became of an order.
struct Outcome {
  unsigned seen = 0;  // datagrams of its step
  unsigned done = 0;  // of these it was carried out on
  /// What was delivered instead or besides, by what had been done to it.
  std::map<std::string, unsigned> deliveries;
};

struct Options {
  /// Is asked for every bit to flip.
  Draw draw;
  milliseconds soon{50};
  unsigned held_for = 1;  // further datagrams of the step
};

/// Datagrams that wait, copies for replays included; more orders than that do nothing.
inline constexpr std::size_t kMaxKept = 4096;

class Meddler {
 public:
  Meddler(std::vector<Order> orders, Options options);

  /// What arrives in the place of `datagram`, which is on its way now, and because of it.
  [[nodiscard]] std::vector<Delivery> pass(const Datagram& datagram);
  /// Delivers all that is still held, and all replays once more: for a time when every exchange is
  /// over.
  [[nodiscard]] std::vector<Delivery> release();

  [[nodiscard]] const std::vector<Order>& orders() const { return orders_; }
  /// One for each order.
  [[nodiscard]] const std::vector<Outcome>& outcomes() const { return outcomes_; }
  /// True if every order was carried out as often as it says, and no swap waits for its
  /// counterpart. Held ones may still wait for release().
  [[nodiscard]] bool finished() const;

 private:
  /// Where a datagram belongs.
  struct Place {
    GroupId group{};
    ExchangeId exchange{};
    Step step;
  };
  /// A datagram that waits: for `passes` more of its step, for the end of its exchange, or for
  /// another group's message.
  struct Kept {
    std::size_t order = 0;
    Place place;
    Datagram datagram;
    unsigned passes = 0;
    bool repeated_when_over = false;
  };

  [[nodiscard]] std::optional<Place> place_of(const Datagram& datagram);
  [[nodiscard]] std::optional<std::size_t> order_for(const Place& place);
  void carry_out(std::size_t order, const Place& place, const Datagram& datagram,
                 std::vector<Delivery>& out);
  void swap(std::size_t order, const Datagram& datagram, const Datagram& others,
            std::vector<Delivery>& out);
  void deliver(std::size_t order, Datagram datagram, Delivery::Nature nature,
               const std::string& how, std::vector<Delivery>& out,
               milliseconds after = milliseconds(0));
  void deliver_altered(std::size_t order, const Datagram& datagram, std::vector<Altered> copies,
                       std::vector<Delivery>& out);
  /// Delivers what waited for a datagram like this one.
  void note_passed(const Place& place, const Datagram& datagram, std::vector<Delivery>& out);
  void note_over(const Place& place, std::vector<Delivery>& out);
  [[nodiscard]] const Datagram* of_another_group(const Place& place) const;
  [[nodiscard]] bool has_room() const;

  std::vector<Order> orders_;
  Options options_;
  std::vector<Outcome> outcomes_;
  std::map<std::pair<GroupId, ExchangeId>, std::uint8_t> figures_;
  std::map<Step, std::map<GroupId, Datagram>> latest_;
  std::vector<Kept> held_;     // kHoldBack
  std::vector<Kept> delayed_;  // kDelay
  std::vector<Kept> replays_;  // kReplay; stay
  std::vector<Kept> swaps_;    // kSwap, before another group's message has come
};

}  // namespace gkmpd::meddler
