// mcast-receive: listens to a multicast group until it has what it waits for, and says in JSON what
// came, by sender.
#include <poll.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "tests/support/traffic/group_socket.h"
#include "tests/support/traffic/payload.h"
#include "tests/support/traffic/sequence_tracker.h"

namespace gkmpd::traffic {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatch = 32;
constexpr std::size_t kControlOctets = 64;
constexpr std::int64_t kNanoseconds = 1000000000;

volatile std::sig_atomic_t stop_asked = 0;

struct Settings {
  GroupOptions group;
  ReceiveOptions receive;
  std::uint64_t total = 0;  // 0: no end by number
  double idle_s = 2;        // after the first datagram
  double most_s = 60;       // in all
  std::string ready_file;
};

struct Sender {
  SequenceTracker numbers;
  std::set<std::string> sources;
};

struct Totals {
  std::uint64_t received = 0;
  std::uint64_t alien = 0;    // not a test's datagrams, or changed on their way
  std::uint32_t dropped = 0;  // kept from this socket by the kernel: no room, or no ESP around it
  std::map<std::uint32_t, Sender> senders;
};

/// Room for one recvmmsg.
class Batch {
 public:
  Batch() {
    for (std::size_t i = 0; i < kBatch; ++i) {
      payloads_[i].resize(kMaxPayloadSize);
      vectors_[i] = {payloads_[i].data(), payloads_[i].size()};
    }
  }

  /// Takes what is there without waiting; the number of datagrams, 0 if none.
  std::size_t receive(int fd, Totals& totals) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      msghdr& header = messages_[i].msg_hdr;
      header = {};
      header.msg_iov = &vectors_[i];
      header.msg_iovlen = 1;
      header.msg_name = &sources_[i];
      header.msg_namelen = sizeof sources_[i];
      header.msg_control = controls_[i].data();
      header.msg_controllen = kControlOctets;
    }
    const int taken = recvmmsg(fd, messages_.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (taken <= 0) return 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(taken); ++i) count(i, totals);
    return static_cast<std::size_t>(taken);
  }

 private:
  void count(std::size_t i, Totals& totals) {
    note_drops(messages_[i].msg_hdr, totals);
    const auto payload = read_payload({payloads_[i].data(), messages_[i].msg_len});
    if (!payload || !totals.senders[payload->sender].numbers.add(payload->sequence)) {
      ++totals.alien;
      return;
    }
    ++totals.received;
    totals.senders[payload->sender].sources.insert(to_text(sources_[i]));
  }

  static void note_drops(msghdr& header, Totals& totals) {
    for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr;
         item = CMSG_NXTHDR(&header, item)) {
      if (item->cmsg_level == SOL_SOCKET && item->cmsg_type == SO_RXQ_OVFL) {
        std::memcpy(&totals.dropped, CMSG_DATA(item), sizeof totals.dropped);
      }
    }
  }

  std::array<std::vector<std::uint8_t>, kBatch> payloads_;
  std::array<iovec, kBatch> vectors_{};
  std::array<sockaddr_storage, kBatch> sources_{};
  std::array<std::array<char, kControlOctets>, kBatch> controls_{};
  std::array<mmsghdr, kBatch> messages_{};
};

Totals receive_all(const Settings& settings, int fd) {
  Totals totals;
  Batch batch;
  sigset_t while_waiting;
  sigemptyset(&while_waiting);
  const auto seconds = [](double count) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(count));
  };
  const auto end = Clock::now() + seconds(settings.most_s);
  auto idle_end = end;
  while (stop_asked == 0 && (settings.total == 0 || totals.received < settings.total)) {
    const auto left = std::min(end, idle_end) - Clock::now();
    if (left <= Clock::duration::zero()) break;
    pollfd waiting{fd, POLLIN, 0};
    const auto left_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
    const timespec timeout{left_ns / kNanoseconds, left_ns % kNanoseconds};
    if (ppoll(&waiting, 1, &timeout, &while_waiting) <= 0) continue;
    if (batch.receive(fd, totals) > 0) idle_end = Clock::now() + seconds(settings.idle_s);
  }
  return totals;
}

nlohmann::ordered_json to_json(const Settings& settings, const Totals& totals) {
  auto senders = nlohmann::ordered_json::object();
  for (const auto& [number, sender] : totals.senders) {
    senders[std::to_string(number)] = {{"received", sender.numbers.received()},
                                       {"lost", sender.numbers.lost()},
                                       {"duplicates", sender.numbers.duplicates()},
                                       {"reordered", sender.numbers.reordered()},
                                       {"sources", sender.sources}};
  }
  return {{"group", settings.group.group},
          {"received", totals.received},
          {"alien", totals.alien},
          {"dropped", totals.dropped},
          {"senders", senders}};
}

int run(const Settings& settings) {
  const auto socket = open_receiver(settings.group, settings.receive);
  if (!socket) {
    std::cerr << "mcast-receive: " << socket.error() << '\n';
    return 1;
  }
  if (!settings.ready_file.empty()) std::ofstream(settings.ready_file) << "ready\n";
  std::cout << to_json(settings, receive_all(settings, socket->fd())) << '\n';
  return 0;
}

}  // namespace
}  // namespace gkmpd::traffic

int main(int argc, char** argv) {
  gkmpd::traffic::Settings settings;
  bool no_join = false;
  CLI::App app("Receives a multicast group and counts its numbered datagrams.");
  app.add_option("--group", settings.group.group, "multicast address")->required();
  app.add_option("--port", settings.group.port, "port")->required();
  app.add_option("--interface", settings.group.interface, "interface to join on")->required();
  app.add_flag("--no-join", no_join, "bind only");
  app.add_option("--total", settings.total, "end after that many of the test's datagrams");
  app.add_option("--idle", settings.idle_s, "end after that many seconds without a datagram");
  app.add_option("--most", settings.most_s, "end after that many seconds in all");
  app.add_option("--ready-file", settings.ready_file, "file to write once listening");
  CLI11_PARSE(app, argc, argv);
  settings.receive.join = !no_join;

  // SIGTERM and SIGINT end the listening, not the report; they come through only while waiting, so
  // that none falls between the check and the wait.
  sigset_t held;
  sigemptyset(&held);
  sigaddset(&held, SIGTERM);
  sigaddset(&held, SIGINT);
  sigprocmask(SIG_BLOCK, &held, nullptr);
  struct sigaction on_stop = {};
  on_stop.sa_handler = [](int) { gkmpd::traffic::stop_asked = 1; };
  sigaction(SIGTERM, &on_stop, nullptr);
  sigaction(SIGINT, &on_stop, nullptr);
  return gkmpd::traffic::run(settings);
}
