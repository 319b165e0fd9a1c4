// meddler-relay: joins two Ethernet segments, and lets a meddler have what it carries of GKMP.
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <queue>
#include <random>

#include "agent/crypto/x509.h"
#include "agent/identity/trust.h"
#include "tests/support/meddler/frame.h"
#include "tests/support/meddler/plan.h"
#include "tests/support/meddler/port.h"

namespace gkmpd::meddler {
namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  std::string interfaces[2];
  std::uint16_t control_port = 0;
  std::string anchor;
  std::string plan;
  std::string record;
  std::string ready_file;
  std::uint64_t seed = 1;
};

/// Frames of the one side come out at the other; GKMP's unicast datagrams as the meddler says.
class Relay {
 public:
  Relay(Port left, Port right, std::uint16_t control_port, Meddler& meddler)
      : ports_{std::move(left), std::move(right)}, control_port_(control_port), meddler_(meddler) {}

  /// Until a signal ends it; SIGUSR1 lets the meddler release what it holds.
  void run(int signals) {
    std::array<pollfd, 3> waiting{
        {{ports_[0].fd(), POLLIN, 0}, {ports_[1].fd(), POLLIN, 0}, {signals, POLLIN, 0}}};
    for (;;) {
      poll(waiting.data(), waiting.size(), wait_ms());
      send_due();
      for (std::size_t side = 0; side < 2; ++side) {
        if ((waiting[side].revents & POLLIN) != 0) drain(side);
      }
      if ((waiting[2].revents & POLLIN) == 0) continue;
      signalfd_siginfo signal{};
      if (read(signals, &signal, sizeof signal) != sizeof signal) continue;
      if (signal.ssi_signo != SIGUSR1) return;
      dispatch(meddler_.release());
    }
  }

 private:
  /// Where a host is, as its datagrams tell.
  struct Station {
    MacAddress mac{};
    std::size_t side = 0;
  };
  struct Due {
    Clock::time_point at;
    std::uint64_t order = 0;
    Datagram datagram;
    friend bool operator<(const Due& a, const Due& b) {
      return std::tie(a.at, a.order) > std::tie(b.at, b.order);  // the earliest is on top
    }
  };

  /// Milliseconds, rounded up, until the next is due; -1 if nothing is.
  [[nodiscard]] int wait_ms() const {
    if (due_.empty()) return -1;
    const auto left = std::chrono::ceil<milliseconds>(due_.top().at - Clock::now());
    return static_cast<int>(std::max<std::int64_t>(0, left.count()));
  }

  void drain(std::size_t side) {
    while (auto frame = ports_[side].receive()) carry(side, std::move(*frame));
  }

  void carry(std::size_t side, Bytes frame) {
    auto udp = read_udp_frame(frame);
    const bool meddled = udp && !udp->to.ip.is_multicast() &&
                         (udp->to.port == control_port_ || udp->from.port == control_port_);
    if (!meddled) {
      mend_checksum(frame);
      put(1 - side, frame);
      return;
    }
    stations_[udp->from.ip] = {udp->source_mac, side};
    stations_[udp->to.ip] = {udp->destination_mac, 1 - side};
    dispatch(meddler_.pass({udp->from, udp->to, std::move(udp->payload)}));
  }

  void dispatch(std::vector<Delivery> deliveries) {
    for (Delivery& delivery : deliveries) {
      if (delivery.after == milliseconds(0)) {
        deliver(delivery.datagram);
      } else {
        due_.push({Clock::now() + delivery.after, ++order_, std::move(delivery.datagram)});
      }
    }
  }

  void send_due() {
    while (!due_.empty() && due_.top().at <= Clock::now()) {
      deliver(due_.top().datagram);
      due_.pop();
    }
  }

  void deliver(const Datagram& datagram) {
    const Station& from = stations_[datagram.from.ip];
    const Station& to = stations_[datagram.to.ip];
    put(to.side, write_udp_frame({from.mac, to.mac, datagram.from, datagram.to, datagram.octets}));
  }

  void put(std::size_t side, ByteView frame) {
    if (!ports_[side].send(frame)) {
      std::cerr << "meddler-relay: " << ports_[side].name() << " lost a frame\n";
    }
  }

  std::array<Port, 2> ports_;
  std::uint16_t control_port_;
  Meddler& meddler_;
  std::map<IpAddress, Station> stations_;
  std::priority_queue<Due> due_;
  std::uint64_t order_ = 0;
};

int complain(const std::string& what) {
  std::cerr << "meddler-relay: " << what << '\n';
  return 1;
}

tl::expected<std::string, std::string> contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return tl::unexpected(path + ": cannot read");
  return std::string(std::istreambuf_iterator<char>(in), {});
}

/// The signals that end or command a relay, as a descriptor.
int signal_descriptor() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&set, signal);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return signalfd(-1, &set, SFD_CLOEXEC);
}

int relay(const Settings& settings) {
  const int signals = signal_descriptor();
  if (signals < 0) return complain("signals");
  const auto anchor_text = contents(settings.anchor);
  if (!anchor_text) return complain(anchor_text.error());
  const auto anchor = crypto::Certificate::from_pem(*anchor_text);
  if (!anchor) return complain(settings.anchor + ": " + anchor.error().text());
  const auto plan_text = contents(settings.plan);
  if (!plan_text) return complain(plan_text.error());
  const auto plan = parse_plan(*plan_text, [&](std::string_view group) {
    return identity::group_id(anchor->public_key().fingerprint(), group);
  });
  if (!plan) return complain(settings.plan + ": " + plan.error());

  auto left = Port::open(settings.interfaces[0]);
  if (!left) return complain(left.error());
  auto right = Port::open(settings.interfaces[1]);
  if (!right) return complain(right.error());
  std::vector<Order> orders;
  for (const NamedOrder& named : *plan) orders.push_back(named.order);
  Meddler meddler(std::move(orders),
                  {.draw = [chance = std::mt19937_64(settings.seed)](std::size_t bound) mutable {
                    return static_cast<std::size_t>(chance() % bound);
                  }});
  if (!settings.ready_file.empty()) std::ofstream(settings.ready_file) << "ready\n";
  Relay(std::move(*left), std::move(*right), settings.control_port, meddler).run(signals);

  std::ofstream record(settings.record);
  record << record_json(*plan, meddler) << '\n';
  return record.flush() ? 0 : complain(settings.record + ": cannot write");
}

}  // namespace
}  // namespace gkmpd::meddler

int main(int argc, char** argv) {
  CLI::App app(
      "Carries every frame between two interfaces, and meddles with GKMP's datagrams as a plan "
      "says. Runs until SIGTERM; SIGUSR1 lets it deliver what it holds back, and all replays.");
  gkmpd::meddler::Settings settings;
  app.add_option("left", settings.interfaces[0], "one interface")->required();
  app.add_option("right", settings.interfaces[1], "the other one")->required();
  app.add_option("--control-port", settings.control_port, "UDP port of GKMP")->required();
  app.add_option("--anchor", settings.anchor, "the groups' trust anchor, PEM")->required();
  app.add_option("--plan", settings.plan, "file: GROUP STEP ACTION [FIRST TIMES] a line")
      ->required();
  app.add_option("--record", settings.record, "file for what it did, JSON")->required();
  app.add_option("--ready-file", settings.ready_file, "is made once it carries frames");
  app.add_option("--seed", settings.seed, "decides which bits flip");
  CLI11_PARSE(app, argc, argv);
  return gkmpd::meddler::relay(settings);
}
