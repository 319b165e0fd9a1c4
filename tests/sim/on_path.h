// A meddler on every path of a world, and the rules for what it delivers.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "tests/sim/world.h"
#include "tests/support/meddler/meddler.h"

namespace gkmpd::sim {

/// altered-taken: octets that nobody sent to a host made it send, save, install or set its timer.
/// altered-uncounted: a host did not count exactly one drop for them.
///
/// Stands before each receiver, so that the network's own losses and delays are behind it.
class OnPath {
 public:
  /// Changes what the rules get to see of a delivery: for the canary, which has to be noticed.
  using Mislabel = std::function<void(meddler::Delivery&)>;

  explicit OnPath(meddler::Meddler& meddler, Mislabel mislabel = {})
      : meddler_(meddler), mislabel_(std::move(mislabel)) {}
  OnPath(const OnPath&) = delete;
  OnPath& operator=(const OnPath&) = delete;

  /// `options` for a world that is attached to afterwards.
  [[nodiscard]] WorldOptions into(WorldOptions options);
  void attach(World& world) { world_ = &world; }

  /// Delivers what the meddler still holds, and its replays.
  void release();

  /// Error names under which altered datagrams were dropped.
  [[nodiscard]] const std::map<std::string_view, std::uint64_t>& drops() const { return drops_; }
  [[nodiscard]] std::uint64_t altered() const { return altered_; }

 private:
  void pass(const Delivery& delivery);
  void deliver(std::vector<meddler::Delivery> deliveries);
  void arrive(HostIndex to, const meddler::Delivery& delivery);
  void arrive_altered(HostIndex to, const meddler::Delivery& delivery);

  meddler::Meddler& meddler_;
  Mislabel mislabel_;
  World* world_ = nullptr;
  std::map<std::string_view, std::uint64_t> drops_;
  std::uint64_t altered_ = 0;
};

}  // namespace gkmpd::sim
