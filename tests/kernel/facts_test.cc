// What we believe about Linux XFRM and build on, tried on the kernel that we run on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <poll.h>

#include <cerrno>
#include <chrono>
#include <map>
#include <thread>

#include "tests/kernel/groups.h"
#include "tests/kernel/independent_reader.h"
#include "xfrm/encode.h"
#include "xfrm/events.h"

namespace gkmpd::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
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

  /// What has passed under each of these SAs that stands.
  [[nodiscard]] std::map<std::uint32_t, std::uint64_t> packets_by_spi(
      const std::vector<xfrm::ObjectId>& ids) const {
    const Inside inside(segment_.host("a"));
    auto kernel = xfrm::Kernel::open();
    const auto usage = kernel->usage(ids);
    std::map<std::uint32_t, std::uint64_t> packets;
    EXPECT_TRUE(usage) << usage.error().text();
    if (usage) {
      for (const xfrm::SaUsage& sa : *usage) packets[sa.id.spi_or_index] = sa.packets;
    }
    return packets;
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

// A key, reqid or source that differs is replaced by deletion and addition (plan.h).
TEST_F(Facts, UpdsaSucceedsAndChangesNoneOfThese) {
  EXPECT_EQ(run(xfrm::AddSa{sa()}), 0);
  const auto before = read_sas(segment_, "a");
  segment_.ip("a",
              "xfrm state update src 10.9.0.9 dst 239.1.1.1 proto esp spi 0x0a000001 reqid 9 mode "
              "tunnel replay-window 64 aead rfc4106(gcm(aes)) "
              "0x000102030405060708090a0b0c0d0e0f10111213 128 limit time-hard 3600");
  EXPECT_EQ(read_sas(segment_, "a"), before);
}

TEST_F(Facts, ExtendedNumbersWantAWindow) {
  xfrm::SaState without = sa();
  without.esn = true;
  without.replay_window = 0;
  EXPECT_EQ(run(xfrm::AddSa{without.clone()}), EINVAL);
  without.replay_window = xfrm::kMinReplayWindow;
  EXPECT_EQ(run(xfrm::AddSa{std::move(without)}), 0);
}

// An SA has no direction: one for receiving, of our own address and newer, would be sent under.
TEST_F(Facts, OnlyTheReqidThatThePolicyNamesIsSentUnder) {
  const xfrm::PolicyState protect = policy(xfrm::PolicyKind::kProtect);
  EXPECT_EQ(run(xfrm::AddSa{sa()}), 0);
  std::vector<xfrm::ObjectId> all{sa().id()};
  for (const std::uint32_t reqid : {xfrm::reqid(kSlot, 2, xfrm::SaDirection::kOut),
                                    xfrm::reqid(kSlot, 1, xfrm::SaDirection::kIn)}) {
    xfrm::SaState other = sa();
    other.spi = 0x0a000001U + static_cast<std::uint32_t>(all.size());
    other.reqid = reqid;
    all.push_back(other.id());
    EXPECT_EQ(run(xfrm::AddSa{std::move(other)}), 0);
  }
  EXPECT_EQ(run(xfrm::PutPolicy{protect, false}), 0);
  const Sender sender(segment_, "a", "10.9.0.1");
  EXPECT_EQ(sender.send(kGroup, kPort, "one"), 0);
  EXPECT_THAT(packets_by_spi(all),
              ElementsAre(Pair(0x0a000001, 1), Pair(0x0a000002, 0), Pair(0x0a000003, 0)));

  // Nor does any of them step in for it.
  EXPECT_EQ(run(xfrm::DeleteSa{sa().id(), sa().source}), 0);
  (void)sender.send(kGroup, kPort, "two");
  EXPECT_EQ(segment_.xfrm_counter_at("a", "XfrmOutNoStates", 1), 1U);
  EXPECT_THAT(packets_by_spi(all), ElementsAre(Pair(0x0a000002, 0), Pair(0x0a000003, 0)));
}

// Why the agent follows links by itself (link_follower.h).
TEST_F(Facts, WhatBecomesOfALinkNeitherTakesSasAwayNorIsTold) {
  EXPECT_EQ(run(xfrm::AddSa{sa()}), 0);
  EXPECT_EQ(run(xfrm::PutPolicy{policy(xfrm::PolicyKind::kProtect), false}), 0);
  const auto sas = read_sas(segment_, "a");
  const auto policies = read_policies(segment_, "a");
  segment_.ip("a", "link set eth0 down\naddr flush dev eth0\nlink delete eth0");
  EXPECT_EQ(read_sas(segment_, "a"), sas);
  EXPECT_EQ(read_policies(segment_, "a"), policies);
  EXPECT_EQ(run(xfrm::DeleteSa{sa().id(), sa().source}), 0);
  EXPECT_THAT(events_until(xfrm::EventKind::kSaDeleted), SizeIs(3));
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
  EXPECT_EQ(segment_.xfrm_counter_at("a", "XfrmOutNoStates", 1), 1U);

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

/// a has the group's policies, d sees the wire.
class Memberships : public ::testing::TestWithParam<Family> {
 protected:
  const Family family_ = GetParam();
  Segment segment_{{"a", "d"}};
  Agent a_{segment_, "a"};
  Sniffer wire_{segment_, "d"};

  /// Whether a packet to `destination` comes within a long time.
  bool seen_to(const std::string& destination) {
    const IpAddress address = ip_of(destination);
    const std::string octets(address.view().begin(), address.view().end());
    const std::size_t at = address.family == IpFamily::kV4 ? 16 : 24;
    constexpr int kTries = 1000;
    for (int i = 0; i < kTries; ++i) {
      for (const std::string& packet : wire_.packets()) {
        if (packet.size() >= 40 && packet.compare(at, octets.size(), octets) == 0) return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
};

// IGMPv3 (RFC 3376 4.2.14) and MLDv2 (RFC 3810 5.2.14): what blocks the group leaves them alone.
TEST_P(Memberships, AreReportedToAnotherAddressThanTheGroups) {
  const bool ipv4 = ip_of(family_.group).family == IpFamily::kV4;
  a_.apply(listening(family_.host(2), 0x0a000001));
  const Listener at_a(segment_, "a", family_.group, kPort);
  EXPECT_TRUE(seen_to(ipv4 ? "224.0.0.22" : "ff02::16"));
}

INSTANTIATE_TEST_SUITE_P(Families, Memberships, ::testing::Values(kIpv4, kIpv6),
                         [](const auto& family) { return std::string(family.param.name); });

}  // namespace
}  // namespace gkmpd::test
