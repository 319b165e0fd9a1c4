#include "tests/sim/on_path.h"

namespace gkmpd::sim {

WorldOptions OnPath::into(WorldOptions options) {
  options.on_path = [this](const Delivery& delivery) { pass(delivery); };
  return options;
}

void OnPath::pass(const Delivery& delivery) {
  const SocketAddress to = world_->setup(delivery.to).address_of(delivery.from.ip.family);
  deliver(meddler_.pass({delivery.from, to, delivery.octets}));
}

void OnPath::release() { deliver(meddler_.release()); }

void OnPath::deliver(std::vector<meddler::Delivery> deliveries) {
  for (meddler::Delivery& delivery : deliveries) {
    if (mislabel_) mislabel_(delivery);
    const auto to = world_->host_at(delivery.datagram.to);
    if (!to) continue;
    if (delivery.after == milliseconds(0)) {
      arrive(*to, delivery);
      continue;
    }
    const milliseconds after = delivery.after;
    world_->after(after,
                  [this, to = *to, delivery = std::move(delivery)] { arrive(to, delivery); });
  }
}

void OnPath::arrive(HostIndex to, const meddler::Delivery& delivery) {
  if (!world_->is_up(to)) return;
  if (delivery.nature == meddler::Delivery::Nature::kAltered) {
    arrive_altered(to, delivery);
  } else {
    world_->inject(to, delivery.datagram.from, delivery.datagram.octets);
  }
}

void OnPath::arrive_altered(HostIndex to, const meddler::Delivery& delivery) {
  ++altered_;
  const auto effects = world_->effects(to);
  const auto timeout = world_->endpoint(to).poll_timeout();
  const auto counters = world_->endpoint(to).counters();
  world_->inject(to, delivery.datagram.from, delivery.datagram.octets);

  const std::string what = delivery.how + " " + to_hex(delivery.datagram.octets).substr(0, 80);
  if (world_->effects(to) != effects || world_->endpoint(to).poll_timeout() != timeout) {
    world_->findings().add(world_->now(), to, "altered-taken", what);
  }
  std::uint64_t counted = 0;
  for (const auto& [name, count] : world_->endpoint(to).counters()) {
    const auto before = counters.find(name);
    const std::uint64_t more = count - (before == counters.end() ? 0 : before->second);
    if (more > 0) drops_[name] += more;
    counted += more;
  }
  if (counted != 1) world_->findings().add(world_->now(), to, "altered-uncounted", what);
}

}  // namespace gkmpd::sim
