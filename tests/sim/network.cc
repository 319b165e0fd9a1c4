#include "tests/sim/network.h"

namespace gkmpd::sim {

void Network::leave_all(HostIndex host) {
  for (auto& [group, hosts] : multicast_) hosts.erase(host);
}

std::vector<Delivery> Network::carry(MonoTime now, HostIndex sender, const SocketAddress& from,
                                     const SocketAddress& to, const Bytes& octets) {
  std::vector<Delivery> out;
  if (to.ip.is_multicast()) {
    const auto listeners = multicast_.find(to);
    if (listeners == multicast_.end() || muted_.contains(sender)) return out;
    for (const HostIndex receiver : listeners->second) {
      carry_to(receiver, now, sender, from, octets, out);
    }
  } else if (const auto receiver = unicast_.find(to); receiver != unicast_.end()) {
    carry_to(receiver->second, now, sender, from, octets, out);
  }
  return out;
}

void Network::carry_to(HostIndex receiver, MonoTime now, HostIndex sender,
                       const SocketAddress& from, const Bytes& octets, std::vector<Delivery>& out) {
  if (isolated_.contains(sender) || isolated_.contains(receiver)) return;
  const int copies = chance_.chance(options_.duplicate_permille) ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    if (sender != receiver && chance_.chance(options_.loss_permille)) continue;
    Delivery delivery{now + delay(sender, receiver), receiver, from, octets};
    if (chance_.chance(options_.flip_permille)) flip_bits(delivery.octets, chance_);
    out.push_back(std::move(delivery));
  }
}

milliseconds Network::delay(HostIndex sender, HostIndex receiver) {
  const auto [link, fresh] = link_delays_.try_emplace({sender, receiver});
  if (fresh) link->second = milliseconds(chance_.between(0, options_.link_delay.count()));
  return link->second + milliseconds(chance_.between(0, options_.jitter.count()));
}

void flip_bits(Bytes& octets, Prng& chance) {
  std::set<std::uint64_t> bits;
  const auto count = static_cast<std::size_t>(chance.between(1, 3));
  while (bits.size() < count) bits.insert(chance.below(octets.size() * 8));
  for (const std::uint64_t bit : bits) {
    octets[bit / 8] = static_cast<std::uint8_t>(octets[bit / 8] ^ (1U << (bit % 8)));
  }
}

}  // namespace gkmpd::sim
