// The network between simulated hosts: what happens to a datagram on its way.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <vector>

#include "agent/base/address.h"
#include "agent/base/bytes.h"
#include "agent/base/time.h"
#include "tests/sim/prng.h"

namespace gkmpd::sim {

using HostIndex = std::size_t;

struct NetworkOptions {
  unsigned loss_permille = 0;
  unsigned duplicate_permille = 0;
  /// Part of what arrives that arrives with one to three bits flipped.
  unsigned flip_permille = 0;
  /// Every link has a delay of its own up to `link_delay`, every datagram one more up to `jitter`,
  /// which is what reorders them.
  milliseconds link_delay{20};
  milliseconds jitter{30};
};

/// A datagram that is going to arrive.
struct Delivery {
  MonoTime at;
  HostIndex to = 0;
  SocketAddress from;
  Bytes octets;
};

class Network {
 public:
  Network(std::uint64_t seed, const NetworkOptions& options) : chance_(seed), options_(options) {}

  void attach(HostIndex host, const SocketAddress& unicast) { unicast_[unicast] = host; }
  void join(HostIndex host, const SocketAddress& group) { multicast_[group].insert(host); }
  void leave(HostIndex host, const SocketAddress& group) { multicast_[group].erase(host); }
  /// A host that has stopped listens nowhere.
  void leave_all(HostIndex host);

  /// Nothing passes from or to an isolated host.
  void isolate(HostIndex host) { isolated_.insert(host); }
  void reconnect(HostIndex host) { isolated_.erase(host); }
  /// What a muted host sends by multicast reaches nobody.
  void mute_multicast(HostIndex host) { muted_.insert(host); }
  void unmute_multicast(HostIndex host) { muted_.erase(host); }

  /// What becomes of `octets`: any number of deliveries. A multicast sender hears itself.
  [[nodiscard]] std::vector<Delivery> carry(MonoTime now, HostIndex sender,
                                            const SocketAddress& from, const SocketAddress& to,
                                            const Bytes& octets);

 private:
  void carry_to(HostIndex receiver, MonoTime now, HostIndex sender, const SocketAddress& from,
                const Bytes& octets, std::vector<Delivery>& out);
  [[nodiscard]] milliseconds delay(HostIndex sender, HostIndex receiver);

  Prng chance_;
  NetworkOptions options_;
  std::map<SocketAddress, HostIndex> unicast_;
  std::map<SocketAddress, std::set<HostIndex>> multicast_;
  std::map<std::pair<HostIndex, HostIndex>, milliseconds> link_delays_;
  std::set<HostIndex> isolated_;
  std::set<HostIndex> muted_;
};

/// Flips one to three bits of `octets`, each somewhere else.
void flip_bits(Bytes& octets, Prng& chance);

}  // namespace gkmpd::sim
