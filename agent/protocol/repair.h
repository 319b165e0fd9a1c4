// How whoever missed a rekey gets it (profile P31, S23): one that lacks it asks the whole group,
// and one that has it sends it to the whole group again. Random waits see to it that of many who
// would ask, and of many who could answer, mostly one does.
#pragma once

#include <optional>
#include <vector>

#include "agent/base/ids.h"
#include "agent/base/random.h"
#include "agent/base/time.h"

namespace gkmpd::protocol {

/// Rekey packages of one group, as they were on the wire: ciphertext, which nobody need trust.
class PackageShelf {
 public:
  /// Keeps the Rekey_Multicast that takes holders of `previous` on. The oldest of
  /// kMaxKeptPackages makes room. It counts as having been on the wire now.
  void keep(Now now, const EpochId& previous, Bytes datagram);
  /// One that takes holders of `previous` on stands here.
  [[nodiscard]] bool has(const EpochId& previous) const;
  /// Somebody lacks what follows `held`. It is answered after a random wait if it stands here and
  /// was not on the wire within kRepairQuiet.
  void asked_for(Now now, Random& random, const EpochId& held);
  /// Was on the wire: if it stands here, it needs no answer for a while.
  void seen(Now now, ByteView datagram);

  /// What is to be sent now; it counts as having been on the wire.
  [[nodiscard]] std::vector<Bytes> take_due(Now now);
  [[nodiscard]] std::optional<MonoTime> next_timeout() const;

 private:
  struct Package {
    EpochId previous{};
    Bytes datagram;
    MonoTime quiet_until;
    std::optional<MonoTime> due{};
  };
  std::vector<Package> packages_;  // the oldest first
};

/// A controller's newest rekey, sent several times over while it matters.
class RekeyRepeats {
 public:
  /// Was sent once; `again` more times follow, `interval` apart.
  void start(Now now, Bytes datagram, std::uint32_t again, milliseconds interval);
  void stop() { left_ = 0; }
  /// The datagram, each time it is to be sent again.
  [[nodiscard]] std::optional<Bytes> take_due(Now now);
  [[nodiscard]] std::optional<MonoTime> next_timeout() const;

 private:
  Bytes datagram_;
  std::uint32_t left_ = 0;
  milliseconds interval_{};
  MonoTime next_;
};

/// When a member that lacks an epoch asks for it.
class RepairClock {
 public:
  /// There is an epoch above the one held.
  void need(Now now, Random& random);
  /// Somebody asked for just that, or this host did.
  void asked(Now now, Random& random);
  void stop() { due_.reset(); }
  [[nodiscard]] std::optional<MonoTime> due() const { return due_; }

 private:
  std::optional<MonoTime> due_;
};

/// Up to `longest`, evenly.
[[nodiscard]] milliseconds random_wait(Random& random, milliseconds longest);

}  // namespace gkmpd::protocol
