// The part of an agent that follows the kernel, at work in a thread of its own: watch, installer
// and store on host a of a segment.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "agent/daemon/kernel_watch.h"
#include "tests/kernel/one_host.h"

namespace gkmpd::test {

class FollowingAgent {
 public:
  /// Has `wanted()` installed whenever a comparison is due. In the network namespace of the caller.
  FollowingAgent(daemon::Installer& installer, std::function<protocol::InstallGroup()> wanted)
      : installer_(installer),
        wanted_(std::move(wanted)),
        loop_(daemon::Loop::make().value()),
        order_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    order_source_ = loop_.io(order_, POLLIN, [this](std::uint32_t) { obey(); }).value();
    const IpAddress address = wanted_().spec.destination;
    watch_ = daemon::KernelWatch::start(loop_, counters_, installer.port_id(),
                                        {[address] { return std::vector{address}; },
                                         [this](const IpAddress&) { return compare(); },
                                         [this](const protocol::Report& report) { note(report); }})
                 .value();
    thread_ = std::thread([this] { EXPECT_TRUE(loop_.run()); });
  }
  FollowingAgent(const FollowingAgent&) = delete;
  FollowingAgent& operator=(const FollowingAgent&) = delete;
  ~FollowingAgent() {
    stopping_ = true;
    resume();
    thread_.join();
    ::close(order_);
  }

  /// Nothing is done until `resume`; what happens meanwhile waits in the socket.
  void pause() {
    std::unique_lock lock(mutex_);
    pause_wanted_ = true;
    ring();
    changed_.wait(lock, [this] { return paused_; });
  }
  void resume() {
    const std::lock_guard lock(mutex_);
    pause_wanted_ = false;
    ring();
    changed_.notify_all();
  }

  [[nodiscard]] int events_fd() const { return watch_->fd(); }
  [[nodiscard]] std::size_t comparisons() const { return comparisons_; }
  [[nodiscard]] std::size_t repairs() const { return repairs_; }
  [[nodiscard]] bool reported(const std::string& what) {
    const std::lock_guard lock(mutex_);
    return std::ranges::find(reports_, what) != reports_.end();
  }
  /// The last repair in words, and the error that came of it.
  [[nodiscard]] std::string last() {
    const std::lock_guard lock(mutex_);
    return last_;
  }

 private:
  void ring() const { (void)::eventfd_write(order_, 1); }

  void obey() {
    eventfd_t value = 0;
    (void)::eventfd_read(order_, &value);
    std::unique_lock lock(mutex_);
    paused_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !pause_wanted_; });
    paused_ = false;
    if (stopping_) loop_.stop(0);
  }

  bool compare() {
    xfrm::Tally done;
    const auto installed = installer_.install(wanted_(), &done);
    ++comparisons_;
    repairs_ += done.empty() ? 0 : 1;
    if (done.empty()) return false;
    const std::lock_guard lock(mutex_);
    last_ = done.text() + (installed ? "" : "; " + std::string(installed.error().kind.name()));
    return true;
  }

  void note(const protocol::Report& report) {
    const std::lock_guard lock(mutex_);
    reports_.push_back(report.what);
  }

  daemon::Installer& installer_;
  const std::function<protocol::InstallGroup()> wanted_;
  daemon::Loop loop_;
  daemon::Counters counters_;
  const int order_;
  daemon::Loop::Source order_source_;
  std::unique_ptr<daemon::KernelWatch> watch_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool pause_wanted_ = false;
  bool paused_ = false;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::size_t> comparisons_ = 0;
  std::atomic<std::size_t> repairs_ = 0;
  std::vector<std::string> reports_;
  std::string last_;
  std::thread thread_;
};

}  // namespace gkmpd::test
