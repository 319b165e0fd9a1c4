// A steady stream of numbered datagrams from one host to another, while the test does something to
// their kernels.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "tests/kernel/segment.h"

namespace gkmpd::test {

/// One or more senders, each in a thread, and what one listener has of each. A sender is never more
/// than `kUnderWay` datagrams ahead of the listener, so that no queue overflows however busy the
/// machine is: what is lost is lost on the way. If nothing arrives for a long time, the senders
/// end.
class Stream {
 public:
  static constexpr std::uint32_t kUnderWay = 64;
  /// Of one sender.
  static constexpr std::uint32_t kMost = 1'000'000;

  /// Begins at once. The three must outlive it.
  Stream(const std::vector<const Sender*>& senders, const Listener& listener,
         const std::string& group, unsigned short port);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();

  /// Waits until `count` more datagrams of each sender have arrived; false if that takes very long.
  [[nodiscard]] bool pass(std::uint32_t count) const;
  /// Ends the senders and takes in what is under way.
  void stop();

  struct Count {
    std::uint32_t sent = 0;
    std::uint32_t refused = 0;  // by the sender's own kernel
    std::uint32_t received = 0;
    std::uint32_t repeated = 0;

    [[nodiscard]] std::uint32_t lost() const { return sent + refused - received; }
  };
  /// Of each sender, after stop().
  [[nodiscard]] std::vector<Count> counts() const;

 private:
  struct Flow {
    const Sender* sender = nullptr;
    std::atomic<std::uint32_t> sent{0};
    std::atomic<std::uint32_t> refused{0};
    std::atomic<std::uint32_t> received{0};
    std::atomic<std::uint32_t> repeated{0};
    std::vector<bool> seen;
    std::thread thread;
  };

  void send(Flow& flow, std::uint8_t number);
  void receive();
  void take(const std::string& payload);
  [[nodiscard]] bool complete() const;

  const Listener& listener_;
  const std::string group_;
  const unsigned short port_;
  std::vector<Flow> flows_;
  std::atomic<bool> sending_{true};
  std::atomic<bool> receiving_{true};
  std::thread receiver_;
};

}  // namespace gkmpd::test
