// What we believe about Linux XFRM and build on, tried on the kernel that we run on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <poll.h>

#include <cerrno>

#include "tests/kernel/groups.h"
#include "tests/kernel/independent_reader.h"
#include "xfrm/encode.h"
#include "xfrm/events.h"

namespace gkmpd::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Facts : public ::testing::Test {
 protected:
  Facts() {
    const Inside inside(segment_.host("a"));
    events_ = std::make_unique<xfrm::EventSource>(std::move(xfrm::EventSource::open().value()));
    socket_ =
        std::make_unique<netlink::Socket>(std::move(netlink::Socket::open(NETLINK_XFRM).value()));
  }

  /// The errno of one operation, sent as it is.
  int run(const xfrm::Operation& operation) {
    netlink::Batch batch;
    EXPECT_TRUE(xfrm::encode(batch, operation));
    const auto failures = socket_->run(batch);
    if (!failures) {
      ADD_FAILURE() << failures.error().text();
      return -1;
    }
    return failures->empty() ? 0 : failures->front().error;
  }

  [[nodiscard]] static xfrm::SaState sa(const std::string& source = "10.9.0.1") {
    return xfrm::wanted_state(sending(source, 0x0a000001)).sas.front().clone();
  }
  [[nodiscard]] static xfrm::PolicyState policy(xfrm::PolicyKind kind) {
    for (const auto& candidate : xfrm::wanted_state(sending("10.9.0.1", 0x0a000001)).policies)
      if (candidate.kind == kind) return candidate;
    return {};
  }

  /// Events until one of `kind` has come.
  std::vector<xfrm::Event> events_until(xfrm::EventKind kind) {
    std::vector<xfrm::Event> all;
    constexpr int kPatienceMs = 10000;
    for (;;) {
      pollfd waiting{.fd = events_->fd(), .events = POLLIN, .revents = 0};
      if (poll(&waiting, 1, kPatienceMs) != 1) {
        ADD_FAILURE() << "no event of kind " << static_cast<int>(kind);
        return all;
      }
      const auto read = events_->read();
      EXPECT_TRUE(read && read->undecodable == 0);
      if (!read) return all;
      all.insert(all.end(), read->events.begin(), read->events.end());
      for (const xfrm::Event& event : read->events)
        if (event.kind == kind) return all;
    }
  }

  Segment segment_{{"a"}};
  std::unique_ptr<xfrm::EventSource> events_;
  std::unique_ptr<netlink::Socket> socket_;
};

TEST_F(Facts, InboundLookupIgnoresTheSource) {
  EXPECT_EQ(run(xfrm::AddSa{sa("10.9.0.1")}), 0);
  EXPECT_EQ(run(xfrm::AddSa{sa("10.9.0.2")}), EEXIST);
}

TEST_F(Facts, DeletionIgnoresSourceAndReqid) {
  EXPECT_EQ(run(xfrm::AddSa{sa()}), 0);
  EXPECT_EQ(run(xfrm::DeleteSa{sa().id(), ip_of("10.9.0.99")}), 0);
  EXPECT_THAT(read_sas(segment_, "a"), IsEmpty());
  EXPECT_EQ(run(xfrm::DeleteSa{sa().id(), ip_of("10.9.0.1")}), ESRCH);
}

TEST_F(Facts, UpdpolicyCreatesAndSwitches) {
  xfrm::PolicyState protect = policy(xfrm::PolicyKind::kProtect);
  EXPECT_EQ(run(xfrm::PutPolicy{protect, true}), 0);
  protect.reqid = xfrm::reqid(kSlot, 2, xfrm::SaDirection::kOut);
  EXPECT_EQ(run(xfrm::PutPolicy{protect, true}), 0);
  const auto policies = read_policies(segment_, "a");
  ASSERT_THAT(policies, SizeIs(1));
  EXPECT_THAT(*policies.begin(), HasSubstr("reqid 0x47007005"));
}

TEST_F(Facts, NewpolicyOnATakenSelectorIsRefused) {
  const xfrm::PolicyState guard = policy(xfrm::PolicyKind::kGuard);
  EXPECT_EQ(run(xfrm::PutPolicy{guard, false}), 0);
  EXPECT_EQ(run(xfrm::PutPolicy{guard, false}), EEXIST);
}

TEST_F(Facts, ThePolicyKeepsItsIndexThroughUpdpolicy) {
  xfrm::PolicyState guard = policy(xfrm::PolicyKind::kGuard);
  EXPECT_EQ(run(xfrm::PutPolicy{guard, false}), 0);
  guard.index += 0x100;
  EXPECT_EQ(run(xfrm::PutPolicy{guard, true}), 0);
  const auto policies = read_policies(segment_, "a");
  ASSERT_THAT(policies, SizeIs(1));
  EXPECT_THAT(*policies.begin(), HasSubstr("index 0x47000709"));
}

TEST_F(Facts, ATakenIndexIsSilentlyReplaced) {
  xfrm::PolicyState guard = policy(xfrm::PolicyKind::kGuard);
  EXPECT_EQ(run(xfrm::PutPolicy{guard, false}), 0);
  guard.destination = ip_of("239.1.1.2");
  EXPECT_EQ(run(xfrm::PutPolicy{guard, false}), 0);
  const auto policies = read_policies(segment_, "a");
  ASSERT_THAT(policies, SizeIs(2));
  int with_our_index = 0;
  for (const std::string& line : policies)
    if (line.find("index 0x47000709") != std::string::npos) ++with_our_index;
  EXPECT_EQ(with_our_index, 1);
}

TEST_F(Facts, DeletionOfAPolicyByIndexNeedsTheRightIndex) {
  xfrm::PolicyState guard = policy(xfrm::PolicyKind::kGuard);
  EXPECT_EQ(run(xfrm::PutPolicy{guard, false}), 0);
  guard.index += 0x100;
  EXPECT_EQ(run(xfrm::DeletePolicy{guard}), ENOENT);
  EXPECT_THAT(read_policies(segment_, "a"), SizeIs(1));
}

TEST_F(Facts, AFailureWithinABatchLeavesTheOthersDone) {
  EXPECT_EQ(run(xfrm::AddSa{sa()}), 0);
  netlink::Batch batch;
  for (const std::uint32_t spi : {0x0a000002U, 0x0a000001U, 0x0a000003U}) {
    xfrm::SaState next = sa();
    next.spi = spi;
    ASSERT_TRUE(xfrm::encode(batch, xfrm::AddSa{std::move(next)}));
  }
  const auto failures = socket_->run(batch);
  ASSERT_TRUE(failures) << failures.error().text();
  ASSERT_THAT(*failures, SizeIs(1));
  EXPECT_EQ(failures->front().index, 1U);
  EXPECT_EQ(failures->front().error, EEXIST);
  EXPECT_THAT(read_sas(segment_, "a"), SizeIs(3));
}

TEST_F(Facts, TheKernelExplainsSomeRefusals) {
  xfrm::SaState wrong = sa();
  wrong.key = Secret(9);
  netlink::Batch batch;
  ASSERT_TRUE(xfrm::encode(batch, xfrm::AddSa{std::move(wrong)}));
  const auto failures = socket_->run(batch);
  ASSERT_TRUE(failures) << failures.error().text();
  ASSERT_THAT(*failures, SizeIs(1));
  EXPECT_EQ(failures->front().error, EINVAL);
  EXPECT_THAT(failures->front().extack, HasSubstr("cryptographic"));
}

TEST_F(Facts, OurOwnChangesAreEchoedWithOurPort) {
  EXPECT_EQ(run(xfrm::AddSa{sa()}), 0);
  EXPECT_EQ(run(xfrm::PutPolicy{policy(xfrm::PolicyKind::kProtect), false}), 0);
  EXPECT_EQ(run(xfrm::DeletePolicy{policy(xfrm::PolicyKind::kProtect)}), 0);
  EXPECT_EQ(run(xfrm::DeleteSa{sa().id(), sa().source}), 0);
  const auto events = events_until(xfrm::EventKind::kSaDeleted);
  ASSERT_THAT(events, SizeIs(4));
  for (const xfrm::Event& event : events) {
    EXPECT_EQ(event.requester, socket_->port_id());
    EXPECT_EQ(event.source, ip_of("10.9.0.1"));
    EXPECT_EQ(event.destination, ip_of(kGroup));
    EXPECT_EQ(event.reqid, event.kind == xfrm::EventKind::kPolicyDeleted ? 0U : sa().reqid);
    EXPECT_TRUE(event.in_our_ranges());
  }
  EXPECT_EQ(events[0].kind, xfrm::EventKind::kSaAdded);
  EXPECT_EQ(events[0].spi, 0x0a000001U);
  EXPECT_EQ(events[1].kind, xfrm::EventKind::kPolicyAdded);
  EXPECT_EQ(events[1].policy_index, 0x47000719U);
  EXPECT_EQ(events[1].port, kPort);
  EXPECT_EQ(events[2].kind, xfrm::EventKind::kPolicyDeleted);
  EXPECT_EQ(events[3].spi, 0x0a000001U);
}

TEST_F(Facts, AFlushIsOneEvent) {
  EXPECT_EQ(run(xfrm::AddSa{sa()}), 0);
  EXPECT_EQ(run(xfrm::PutPolicy{policy(xfrm::PolicyKind::kGuard), false}), 0);
  segment_.ip("a", "xfrm state flush");
  segment_.ip("a", "xfrm policy flush");
  const auto events = events_until(xfrm::EventKind::kPoliciesFlushed);
  ASSERT_THAT(events, SizeIs(4));
  EXPECT_EQ(events[2].kind, xfrm::EventKind::kSasFlushed);
  EXPECT_NE(events[2].requester, socket_->port_id());
}

TEST_F(Facts, TheHardLifetimeEndsTheSaWithOneEvent) {
  xfrm::SaState brief = sa();
  brief.hard_lifetime_s = 1;
  EXPECT_EQ(run(xfrm::AddSa{std::move(brief)}), 0);
  const auto events = events_until(xfrm::EventKind::kHardExpire);
  ASSERT_THAT(events, SizeIs(2));
  EXPECT_EQ(events[1].spi, 0x0a000001U);
  EXPECT_EQ(events[1].reqid, sa().reqid);
  EXPECT_EQ(events[1].requester, 0U);
  EXPECT_THAT(read_sas(segment_, "a"), IsEmpty());
}

TEST_F(Facts, APacketWithoutSaIsAnAcquireAndNeverLeavesInClear) {
  EXPECT_EQ(run(xfrm::PutPolicy{policy(xfrm::PolicyKind::kProtect), false}), 0);
  const Sender sender(segment_, "a", "10.9.0.1");
  (void)sender.send(kGroup, kPort, "lost");
  const auto events = events_until(xfrm::EventKind::kAcquire);
  const xfrm::Event& acquire = events.back();
  EXPECT_EQ(acquire.source, ip_of("10.9.0.1"));
  EXPECT_EQ(acquire.destination, ip_of(kGroup));
  EXPECT_EQ(acquire.port, kPort);
  EXPECT_EQ(acquire.ip_protocol, 17);
  EXPECT_EQ(acquire.policy_index, 0x47000719U);
  EXPECT_EQ(acquire.reqid, sa().reqid);
  EXPECT_EQ(segment_.xfrm_counter("a", "XfrmOutNoStates"), 1U);

  // The larval SA that the packet left behind has SPI 0 and is none of ours.
  xfrm::Kernel kernel = [this] {
    const Inside inside(segment_.host("a"));
    return std::move(xfrm::Kernel::open().value());
  }();
  const auto state = kernel.read(xfrm::objects_of(sending("10.9.0.1", 0x0a000001)));
  ASSERT_TRUE(state) << state.error().text();
  EXPECT_THAT(state->sas, IsEmpty());
  EXPECT_THAT(state->policies, SizeIs(1));
}

}  // namespace
}  // namespace gkmpd::test
