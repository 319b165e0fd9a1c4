// mcast-send: numbered datagrams to a multicast group at a steady rate; says in JSON what became of
// them on this host.
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "tests/support/traffic/group_socket.h"
#include "tests/support/traffic/payload.h"
#include "tests/support/traffic/schedule.h"

namespace gkmpd::traffic {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatch = 32;
/// Pause between batches when they are not yet due.
constexpr std::chrono::milliseconds kPace{2};

volatile std::sig_atomic_t stop_asked = 0;

struct Settings {
  GroupOptions group;
  SendOptions send;
  std::uint32_t sender = 1;
  std::uint64_t count = 100;
  double rate_pps = 1000;
  std::size_t size = 200;
};

struct Totals {
  std::uint64_t sent = 0;
  std::uint64_t errors = 0;
  std::map<std::string, std::uint64_t> error_names;
};

/// One sendmmsg worth of datagrams, written anew for each batch.
class Batch {
 public:
  explicit Batch(std::size_t size) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      payloads_[i].resize(size);
      vectors_[i] = {payloads_[i].data(), size};
      messages_[i].msg_hdr.msg_iov = &vectors_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  /// Sends `count` (at most kBatch) datagrams numbered from `first`. A refused datagram is counted
  /// and passed over, so that every number is tried exactly once.
  void send(int fd, std::uint32_t sender, std::uint64_t first, std::size_t count, Totals& totals) {
    for (std::size_t i = 0; i < count; ++i) write_payload({sender, first + i}, payloads_[i]);
    std::size_t done = 0;
    while (done < count) {
      const int taken = sendmmsg(fd, &messages_[done], static_cast<unsigned>(count - done), 0);
      if (taken > 0) {
        totals.sent += static_cast<std::uint64_t>(taken);
        done += static_cast<std::size_t>(taken);
      } else if (errno != EINTR) {
        ++totals.errors;
        ++totals.error_names[strerrorname_np(errno)];
        ++done;
      }
    }
  }

 private:
  std::array<std::vector<std::uint8_t>, kBatch> payloads_;
  std::array<iovec, kBatch> vectors_{};
  std::array<mmsghdr, kBatch> messages_{};
};

Totals send_all(const Settings& settings, int fd) {
  Totals totals;
  Batch batch(settings.size);
  Schedule schedule(settings.rate_pps, settings.count, Clock::now());
  for (std::uint64_t next = 0; next < settings.count && stop_asked == 0;) {
    const std::uint64_t now_due = schedule.due(next, Clock::now());
    if (now_due <= next) {
      std::this_thread::sleep_for(kPace);
      continue;
    }
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kBatch, now_due - next));
    batch.send(fd, settings.sender, next, count, totals);
    next += count;
  }
  return totals;
}

int run(const Settings& settings) {
  const auto socket = open_sender(settings.group, settings.send);
  if (!socket) {
    std::cerr << "mcast-send: " << socket.error() << '\n';
    return 1;
  }
  const Totals totals = send_all(settings, socket->fd());
  std::cout << nlohmann::ordered_json{{"group", settings.group.group},
                                      {"sender", settings.sender},
                                      {"sent", totals.sent},
                                      {"errors", totals.errors},
                                      {"error_names", totals.error_names}}
            << '\n';
  return 0;
}

}  // namespace
}  // namespace gkmpd::traffic

int main(int argc, char** argv) {
  using gkmpd::traffic::kMaxPayloadSize;
  using gkmpd::traffic::kPayloadHeaderSize;
  gkmpd::traffic::Settings settings;
  bool no_loop = false;
  CLI::App app("Sends numbered datagrams to a multicast group.");
  app.add_option("--group", settings.group.group, "multicast address")->required();
  app.add_option("--port", settings.group.port, "destination port")->required();
  app.add_option("--interface", settings.group.interface, "interface to send on")->required();
  app.add_option("--source", settings.send.source, "address to send from");
  app.add_option("--sender", settings.sender, "number that tells this sender from others");
  app.add_option("--count", settings.count, "datagrams");
  app.add_option("--rate", settings.rate_pps, "datagrams per second, at most")
      ->check(CLI::PositiveNumber);
  app.add_option("--size", settings.size, "payload octets")
      ->check(CLI::Range(kPayloadHeaderSize, kMaxPayloadSize));
  app.add_option("--ttl", settings.send.ttl, "time to live, or hop limit")
      ->check(CLI::Range(0, 255));
  app.add_flag("--no-loop", no_loop, "no copy to listeners on this host");
  CLI11_PARSE(app, argc, argv);
  settings.send.loop = !no_loop;

  // SIGTERM and SIGINT end the sending, not the report.
  struct sigaction on_stop = {};
  on_stop.sa_handler = [](int) { gkmpd::traffic::stop_asked = 1; };
  sigaction(SIGTERM, &on_stop, nullptr);
  sigaction(SIGINT, &on_stop, nullptr);
  return gkmpd::traffic::run(settings);
}
