#include "tests/kernel/stream.h"

#include <algorithm>
#include <chrono>
#include <functional>

namespace gkmpd::test {
namespace {

using Clock = std::chrono::steady_clock;

// Far above what any of this takes, even on a machine that does much else.
constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::microseconds kPause{100};

/// One octet for the sender, four for the datagram's number.
std::string payload_of(std::uint8_t sender, std::uint32_t number) {
  std::string payload(1, static_cast<char>(sender));
  for (const int shift : {24, 16, 8, 0}) payload += static_cast<char>(number >> shift);
  return payload;
}

/// False if that took too long.
bool wait_for(const std::function<bool()>& condition) {
  const auto deadline = Clock::now() + kPatience;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(kPause);
  }
  return true;
}

}  // namespace

Stream::Stream(const std::vector<const Sender*>& senders, const Listener& listener,
               const std::string& group, unsigned short port)
    : listener_(listener), group_(group), port_(port), flows_(senders.size()) {
  receiver_ = std::thread([this] { receive(); });
  for (std::size_t i = 0; i < flows_.size(); ++i) {
    Flow& flow = flows_[i];
    flow.sender = senders[i];
    flow.seen.resize(kMost);
  }
  for (std::size_t i = 0; i < flows_.size(); ++i) {
    flows_[i].thread = std::thread([this, i] { send(flows_[i], static_cast<std::uint8_t>(i)); });
  }
}

Stream::~Stream() { stop(); }

void Stream::send(Flow& flow, std::uint8_t number) {
  for (std::uint32_t i = 0; sending_ && i < kMost; ++i) {
    const bool room = wait_for([&] { return !sending_ || i - flow.received < kUnderWay; });
    if (!room || !sending_) return;
    if (flow.sender->send(group_, port_, payload_of(number, i)) == 0) {
      ++flow.sent;
    } else {
      ++flow.refused;
    }
  }
}

void Stream::receive() {
  while (receiving_) {
    if (const auto payload = listener_.next()) take(*payload);
  }
}

void Stream::take(const std::string& payload) {
  if (payload.size() != 5) return;
  const auto octet = [&](std::size_t at) { return static_cast<std::uint8_t>(payload[at]); };
  std::uint32_t number = 0;
  for (std::size_t at = 1; at < payload.size(); ++at) number = number << 8 | octet(at);
  if (octet(0) >= flows_.size() || number >= kMost) return;
  Flow& flow = flows_[octet(0)];
  if (flow.seen[number]) {
    ++flow.repeated;
    return;
  }
  flow.seen[number] = true;
  ++flow.received;
}

bool Stream::pass(std::uint32_t count) const {
  std::vector<std::uint32_t> wanted;
  for (const Flow& flow : flows_) wanted.push_back(flow.received + count);
  return wait_for([&] {
    return std::equal(flows_.begin(), flows_.end(), wanted.begin(),
                      [](const Flow& flow, std::uint32_t least) { return flow.received >= least; });
  });
}

bool Stream::complete() const {
  return std::all_of(flows_.begin(), flows_.end(),
                     [](const Flow& flow) { return flow.received == flow.sent; });
}

void Stream::stop() {
  if (!receiver_.joinable()) return;
  sending_ = false;
  for (Flow& flow : flows_) flow.thread.join();
  // What is lost never comes: the listener's own patience ends the wait then.
  const auto deadline = Clock::now() + std::chrono::seconds(2);
  while (!complete() && Clock::now() < deadline) std::this_thread::sleep_for(kPause);
  receiving_ = false;
  // Wakes the receiver.
  (void)flows_.front().sender->send(group_, port_, "end");
  receiver_.join();
}

std::vector<Stream::Count> Stream::counts() const {
  std::vector<Count> counts;
  for (const Flow& flow : flows_) {
    counts.push_back({flow.sent, flow.refused, flow.received, flow.repeated});
  }
  return counts;
}

}  // namespace gkmpd::test
