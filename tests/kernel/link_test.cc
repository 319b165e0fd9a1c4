// The interface of control messages goes, comes back, and comes back as another.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <mutex>
#include <thread>

#include "agent/daemon/errors.h"
#include "agent/daemon/link_follower.h"
#include "agent/daemon/udp.h"
#include "netlink/links.h"
#include "tests/kernel/groups.h"

namespace gkmpd::test {
namespace {

constexpr char kControl[] = "239.1.1.2";
constexpr char kControlInProc[] = "020101EF";  // as /proc/net/igmp writes it
constexpr char kOwn[] = "10.77.0.1";

/// Host a with an interface gk0 of the test's own, which a follower and its socket use.
class FollowedLink : public ::testing::Test {
 protected:
  FollowedLink() {
    make_link();
    const Inside inside(segment_.host("a"));
    const unsigned index = look().value();
    socket_.emplace(daemon::UdpSocket::open({ip_of(kOwn), 8480}, index).value());
    EXPECT_TRUE(socket_->join(ip_of(kControl)));
    follower_ =
        daemon::LinkFollower::start(loop_, index,
                                    {look, [] {}, [this](unsigned now) { return renew(now); },
                                     [this](const protocol::Report& report) {
                                       const std::lock_guard lock(mutex_);
                                       reports_.push_back(report);
                                     }})
            .value();
    order_source_ = loop_.io(order_, POLLIN, [this](std::uint32_t) { loop_.stop(0); }).value();
    thread_ = std::thread([this] {
      const Inside there(segment_.host("a"));
      EXPECT_TRUE(loop_.run());
    });
  }
  ~FollowedLink() override {
    (void)::eventfd_write(order_, 1);
    thread_.join();
    ::close(order_);
  }

  void make_link() const {
    segment_.ip("a", "link add gk0 type veth peer name gk1");
    segment_.ip("a", std::string("addr add ") + kOwn + "/24 dev gk0");
    segment_.ip("a", "link set gk1 up");
    segment_.ip("a", "link set gk0 up");
  }
  static Result<unsigned> look() {
    auto link = netlink::find_link("gk0");
    if (!link) return pass_on(link);
    if (!link->up) return fail(daemon::kNoInterface, "gk0 is down");
    if (!link->has(ip_of(kOwn))) return fail(daemon::kAddressNotOnInterface, kOwn);
    return link->index;
  }
  Result<void> renew(unsigned index) {
    if (auto moved = socket_->move_to(index); !moved) return moved;
    return socket_->join(ip_of(kControl));
  }

  /// Waits for the report after those seen so far.
  std::string next_report() {
    for (int i = 0; i < 4000; ++i) {
      {
        const std::lock_guard lock(mutex_);
        if (reports_.size() > seen_) {
          const auto& report = reports_[seen_++];
          return report.what + (report.detail.empty() ? "" : ": " + report.detail);
        }
      }
      std::this_thread::sleep_for(milliseconds(5));
    }
    return "nothing";
  }
  [[nodiscard]] bool is_joined_on_gk0() const {
    const Inside inside(segment_.host("a"));
    std::ifstream file("/proc/thread-self/net/igmp");
    bool on_gk0 = false;
    for (std::string line; std::getline(file, line);) {
      // A line with a colon begins an interface; its groups follow.
      if (line.find(": ") != std::string::npos) {
        on_gk0 = line.find("gk0") != std::string::npos;
      }
      if (on_gk0 && line.find(kControlInProc) != std::string::npos) return true;
    }
    return false;
  }

  Segment segment_{{"a"}};
  daemon::Loop loop_ = daemon::Loop::make().value();
  std::optional<daemon::UdpSocket> socket_;
  std::unique_ptr<daemon::LinkFollower> follower_;
  const int order_ = ::eventfd(0, EFD_CLOEXEC);
  daemon::Loop::Source order_source_;
  std::mutex mutex_;
  std::vector<protocol::Report> reports_;
  std::size_t seen_ = 0;
  std::thread thread_;
};

TEST_F(FollowedLink, WhatHasChangedBeforeItBeganIsSeen) {
  // Until the kernel has said all that it has to say of the new link, which would do as well.
  std::this_thread::sleep_for(seconds(3));
  const Inside inside(segment_.host("a"));
  daemon::Loop loop = daemon::Loop::make().value();
  auto limit = loop.timer([&loop] { loop.stop(1); }).value();
  limit.arm(daemon::mono_now() + seconds(10));
  std::string seen;
  const auto late =
      daemon::LinkFollower::start(loop, look().value() + 1,
                                  {look, [] {}, [](unsigned) { return Result<void>{}; },
                                   [&](const protocol::Report& report) {
                                     seen = report.what;
                                     loop.stop(0);
                                   }});
  ASSERT_TRUE(late);
  EXPECT_TRUE(loop.run());
  EXPECT_EQ(seen, "interface-back");
}

TEST_F(FollowedLink, DownAndUp) {
  ASSERT_TRUE(is_joined_on_gk0());
  segment_.ip("a", "link set gk0 down");
  EXPECT_EQ(next_report(), "interface-lost: daemon.no-interface: gk0 is down");
  segment_.ip("a", "link set gk0 up");
  EXPECT_EQ(next_report(), "interface-back: control addresses are listened to again");
  EXPECT_TRUE(is_joined_on_gk0());
}

TEST_F(FollowedLink, WithoutItsAddressAndWithIt) {
  segment_.ip("a", std::string("addr del ") + kOwn + "/24 dev gk0");
  EXPECT_EQ(next_report(), "interface-lost: daemon.address-not-on-interface: 10.77.0.1");
  segment_.ip("a", std::string("addr add ") + kOwn + "/24 dev gk0");
  EXPECT_EQ(next_report(), "interface-back: control addresses are listened to again");
  EXPECT_TRUE(is_joined_on_gk0());
}

TEST_F(FollowedLink, GoneAndBackAsAnother) {
  segment_.ip("a", "link del gk0");
  EXPECT_EQ(next_report().substr(0, 14), "interface-lost");
  EXPECT_FALSE(is_joined_on_gk0());
  make_link();
  std::string report = next_report();
  while (report.starts_with("interface-lost")) report = next_report();  // it comes up in steps
  EXPECT_EQ(report, "interface-back: control addresses are listened to again");
  EXPECT_TRUE(is_joined_on_gk0());
}

TEST_F(FollowedLink, OthersDoNotMatter) {
  segment_.ip("a", "link add other0 type veth peer name other1");
  segment_.ip("a", "addr add 10.78.0.1/24 dev other0");
  std::this_thread::sleep_for(daemon::kLinkSettle * 3);
  const std::lock_guard lock(mutex_);
  EXPECT_TRUE(reports_.empty());
}

}  // namespace
}  // namespace gkmpd::test
