// Figures 1 and 2 of RFC 2093, end to end.
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/protocol/errors.h"
#include "agent/protocol/limits.h"
#include "tests/unit/protocol/hosts.h"

namespace gkmpd::test {
namespace {

using protocol::GroupState;
using protocol::MemberState;

PolicyOptions with_senders(std::vector<std::string> senders) {
  PolicyOptions options;
  options.senders = std::move(senders);
  return options;
}

/// Everybody holds the same keys of the same epoch.
void expect_same_keys(TestNet& net, const GroupId& group, const std::vector<std::string>& names) {
  const auto first = net.node(names.front()).endpoint->held_keys(group);
  ASSERT_TRUE(first);
  for (const std::string& name : names) {
    const auto held = net.node(name).endpoint->held_keys(group);
    ASSERT_TRUE(held) << name;
    EXPECT_EQ(held->epoch_id, first->epoch_id) << name;
    EXPECT_TRUE(held->gtek.equals(first->gtek)) << name;
    EXPECT_TRUE(held->gkek.equals(first->gkek)) << name;
    EXPECT_FALSE(held->gtek.equals(held->gkek)) << name;
  }
}

TEST(Exchange, ThreeHostsAreKeyedInTheOrderOfTheFigures) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  net.add("c");
  const TestGroup group = net.group(with_senders({"a", "b"}));
  const auto id = net.create("a", group);
  ASSERT_TRUE(id) << id.error().text();
  EXPECT_EQ(*id, group.id);

  EXPECT_EQ(net.messages(),
            (std::vector<std::string>{
                "Create_Grp_Keys_1", "Create_Grp_Keys_2", "Negotiate_Grp_Keys_1",
                "Negotiate_Grp_Keys_2", "Download_Grp_Keys", "Create_Session_KEK_1",
                "Key_Download_Ack", "Create_Session_KEK_2", "Negotiate_Session_Keys_1",
                "Negotiate_Session_Keys_2", "Download_Grp_Keys", "Key_Download_Ack"}));
  expect_same_keys(net, group.id, {"a", "b", "c"});

  const auto view = net.node("a").endpoint->group("demo");
  ASSERT_TRUE(view);
  EXPECT_EQ(view->state, GroupState::kActive);
  for (const auto& member : view->members) EXPECT_EQ(member.state, MemberState::kKeyed);
}

TEST(Exchange, EachKernelGetsOneSaPerSenderAndSendingWaitsForTheActivationDelay) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  net.add("c");
  ASSERT_TRUE(net.create("a", net.group(with_senders({"a", "b"}))));

  for (const char* name : {"a", "b", "c"}) {
    const auto& spec = net.node(name).kernel;
    ASSERT_TRUE(spec) << name;
    const std::size_t standby = *name == 'c' ? 0 : protocol::kSenderRun - 1U;
    ASSERT_EQ(spec->senders.size(), 2U * protocol::kSenderRun - standby) << name;
    ASSERT_EQ(net.node(name).standby.size(), standby) << name;
    EXPECT_FALSE(spec->active_generation) << name;
    std::vector<const xfrm::SenderSa*> sas;
    for (const auto& sa : spec->senders) sas.push_back(&sa);
    for (const auto& sa : net.node(name).standby) sas.push_back(&sa);
    const auto& at_c = net.node("c").kernel->senders;
    for (const xfrm::SenderSa* each : sas) {
      const auto& sa = *each;
      const auto reference = std::ranges::find(at_c, sa.spi, &xfrm::SenderSa::spi);
      ASSERT_NE(reference, at_c.end());
      EXPECT_EQ(sa.source, reference->source);
      EXPECT_TRUE(sa.key.equals(reference->key));
      EXPECT_EQ(sa.outbound, sa.source == net.node(name).address.ip) << name;
      EXPECT_GT(sa.hard_lifetime_s, 0U);
      EXPECT_LE(sa.hard_lifetime_s, 3900U);
    }
    EXPECT_FALSE(spec->senders[0].key.equals(spec->senders[1].key));
    EXPECT_NE(spec->senders[0].spi, spec->senders[1].spi);
  }

  const auto names =
      net.node("c").endpoint->sender_names(net.node("c").endpoint->group("demo")->id);
  EXPECT_EQ(names.size(), 2U * protocol::kSenderRun);
  for (const auto& sa : net.node("c").kernel->senders) {
    EXPECT_EQ(names.at(sa.spi), sa.source == net.node("a").address.ip ? "a" : "b");
  }

  net.pass(milliseconds(999));
  EXPECT_FALSE(net.node("b").kernel->active_generation);
  net.pass(milliseconds(1));
  EXPECT_TRUE(net.node("a").kernel->active_generation);
  EXPECT_TRUE(net.node("b").kernel->active_generation);
  EXPECT_FALSE(net.node("c").kernel->active_generation);
  EXPECT_TRUE(net.node("b").endpoint->group("demo")->sending);
  EXPECT_FALSE(net.node("c").endpoint->group("demo")->sending);
}

TEST(Exchange, MarksAreOnDiskBeforeAnythingIsSignedOrAcknowledged) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  net.node("a").save_outcome = fail("store.write-failed", "disk full");
  const TestGroup group = net.group();
  ASSERT_TRUE(net.create("a", group));
  EXPECT_TRUE(net.log.empty());
  EXPECT_EQ(net.node("a").endpoint->group("demo")->state, GroupState::kFailed);

  net.node("a").save_outcome = {};
  net.node("b").save_outcome = fail("store.write-failed", "disk full");
  ASSERT_TRUE(net.create("a", group));
  EXPECT_FALSE(net.node("b").endpoint->held_keys(group.id));
  EXPECT_EQ(std::ranges::count(net.messages(), "Key_Download_Ack"), 0);
  const auto member = net.node("a").endpoint->group("demo")->members.at(0);
  EXPECT_EQ(member.state, MemberState::kFailed);
  EXPECT_NE(member.why.find("protocol.save-failed"), std::string::npos) << member.why;
}

TEST(Exchange, ASilentFirstMemberIsReplacedAndKeyedLater) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  net.add("c");
  bool b_is_dead = true;
  const SocketAddress b = net.node("b").address;
  net.filter = [&](Sent& sent) { return !b_is_dead || sent.to != b; };
  const TestGroup group = net.group();
  ASSERT_TRUE(net.create("a", group));
  net.pass(seconds(30));
  expect_same_keys(net, group.id, {"a", "c"});
  EXPECT_EQ(net.node("a").endpoint->group("demo")->state, GroupState::kPending);
  net.pass(seconds(40));
  const auto members = net.node("a").endpoint->group("demo")->members;
  EXPECT_EQ(members.at(0).state, MemberState::kFailed);
  EXPECT_NE(members.at(0).why.find("protocol.timeout"), std::string::npos);
  EXPECT_EQ(net.node("a").endpoint->group("demo")->state, GroupState::kActive);

  b_is_dead = false;
  net.pass(seconds(60));
  expect_same_keys(net, group.id, {"a", "b", "c"});
  EXPECT_EQ(net.node("a").endpoint->group("demo")->members.at(0).state, MemberState::kKeyed);
}

TEST(Exchange, NobodyAnswersAndTheGroupFailsWithAReason) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  net.filter = [](Sent&) { return false; };
  ASSERT_TRUE(net.create("a", net.group()));
  net.pass(seconds(120));
  const auto view = net.node("a").endpoint->group("demo");
  EXPECT_EQ(view->state, GroupState::kFailed);
  EXPECT_NE(view->why.find("protocol.no-member-answered"), std::string::npos);
  EXPECT_FALSE(net.node("a").kernel);
}

TEST(Exchange, EveryMessageMayBeLostOnceAndIsSentAgainAsTheSameOctets) {
  TestNet reference;
  reference.add_controller("a");
  reference.add("b");
  reference.add("c");
  ASSERT_TRUE(reference.create("a", reference.group()));
  const std::size_t datagrams = reference.log.size();

  for (std::size_t lost = 0; lost < datagrams; ++lost) {
    TestNet net;
    net.add_controller("a");
    net.add("b");
    net.add("c");
    std::size_t seen = 0;
    std::optional<Sent> dropped;
    net.filter = [&](Sent& sent) {
      if (seen++ != lost) return true;
      dropped = sent;
      return false;
    };
    const TestGroup group = net.group();
    ASSERT_TRUE(net.create("a", group));
    net.pass(seconds(5));
    expect_same_keys(net, group.id, {"a", "b", "c"});
    ASSERT_TRUE(dropped);
    if (dropped->message() == "Heartbeat") continue;
    EXPECT_GE(std::ranges::count(net.log, dropped->octets, &Sent::octets), 2) << lost;
  }
}

TEST(Exchange, EveryDatagramMayComeTwice) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  net.add("c");
  net.filter = [&](Sent& sent) {
    net.deliver(sent);
    return true;
  };
  const TestGroup group = net.group();
  ASSERT_TRUE(net.create("a", group));
  net.pass(seconds(3));
  expect_same_keys(net, group.id, {"a", "b", "c"});
}

TEST(Exchange, ARunReplayedAfterwardsChangesNothing) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  const TestGroup group = net.group();
  ASSERT_TRUE(net.create("a", group));
  const auto before = net.node("b").endpoint->held_keys(group.id);
  net.pass(protocol::kMemberExchangeLife + seconds(1));
  const std::vector<Sent> recorded = net.log;
  for (const Sent& sent : recorded) {
    net.deliver(sent);
    net.settle();
  }
  net.pass(seconds(5));
  EXPECT_EQ(net.node("b").endpoint->held_keys(group.id)->epoch_id, before->epoch_id);
  EXPECT_TRUE(net.node("b").endpoint->held_keys(group.id)->gtek.equals(before->gtek));
}

TEST(Exchange, EveryBitOfEveryDatagramMatters) {
  TestNet reference;
  reference.add_controller("a");
  reference.add("b");
  ASSERT_TRUE(reference.create("a", reference.group()));
  const std::size_t datagrams = reference.log.size();

  for (std::size_t target = 0; target < datagrams; ++target) {
    for (const std::size_t part : {0U, 1U, 2U, 3U, 4U, 5U, 6U, 7U}) {
      TestNet net;
      net.add_controller("a");
      net.add("b");
      std::size_t seen = 0;
      net.filter = [&](Sent& sent) {
        if (seen++ == target) sent.octets[part * (sent.octets.size() - 1) / 7] ^= 0x10;
        return true;
      };
      const TestGroup group = net.group();
      ASSERT_TRUE(net.create("a", group));
      net.pass(seconds(20));
      // The changed datagram was dropped, and its retransmission healed the exchange.
      expect_same_keys(net, group.id, {"a", "b"});
    }
  }
}

TEST(Exchange, TheControllersNextTermStandsAboveTheLast) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  const TestGroup group = net.group();
  ASSERT_TRUE(net.create("a", group));
  const EpochTuple first = *net.node("a").endpoint->group("demo")->tuple;
  net.restart(net.node("a"));
  ASSERT_TRUE(net.create("a", group));
  net.pass(seconds(2));
  const EpochTuple second = *net.node("a").endpoint->group("demo")->tuple;
  EXPECT_GT(second, first);
  EXPECT_EQ(second.term, first.term + 1);
  EXPECT_EQ(second.epoch, first.epoch + 1);
  expect_same_keys(net, group.id, {"a", "b"});
  EXPECT_EQ(net.node("b").joined.size(), 2U) << "joining again is the daemon's no-op";
}

TEST(Exchange, AMemberThatLostItsKeysTakesTheSameEpochAgain) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  net.add("c");
  bool c_is_deaf = true;
  const SocketAddress c = net.node("c").address;
  net.filter = [&](Sent& sent) {
    // c saves and installs, but its acknowledgement never arrives.
    return !(c_is_deaf && sent.from == "c" && sent.message() == "Key_Download_Ack" && sent.to != c);
  };
  const TestGroup group = net.group();
  ASSERT_TRUE(net.create("a", group));
  net.pass(seconds(60));
  EXPECT_EQ(net.node("a").endpoint->group("demo")->members.at(1).state, MemberState::kFailed);
  net.restart(net.node("c"));
  c_is_deaf = false;
  net.pass(seconds(60));
  EXPECT_EQ(net.node("a").endpoint->group("demo")->members.at(1).state, MemberState::kKeyed);
  expect_same_keys(net, group.id, {"a", "b", "c"});
}

TEST(Exchange, AnEpochEndsAndOnlyBlockingPoliciesStay) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  PolicyOptions options = with_senders({"a", "b"});
  options.rekey_interval_s = 60;
  options.token_grace_s = 0;
  const TestGroup group = net.group(options);
  ASSERT_TRUE(net.create("a", group));
  net.pass(seconds(59));
  EXPECT_EQ(net.node("b").kernel->senders.size(), 1U + protocol::kSenderRun);
  net.pass(seconds(2));
  for (const char* name : {"a", "b"}) {
    EXPECT_TRUE(net.node(name).kernel->senders.empty()) << name;
    EXPECT_FALSE(net.node(name).kernel->active_generation) << name;
    EXPECT_EQ(net.node(name).endpoint->group("demo")->state, GroupState::kExpired) << name;
    EXPECT_FALSE(net.node(name).endpoint->held_keys(group.id)) << name;
  }
  ASSERT_TRUE(net.create("a", group)) << "an ended group can be created again";
  expect_same_keys(net, group.id, {"a", "b"});
}

TEST(Exchange, AKernelThatRefusesIsReportedWithItsReason) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  net.node("b").install_outcome = fail("xfrm.no-algorithm", "load module esp4");
  ASSERT_TRUE(net.create("a", net.group()));
  const auto view = net.node("b").endpoint->group("demo");
  EXPECT_FALSE(view->installed);
  EXPECT_EQ(view->install_error, "xfrm.no-algorithm: load module esp4");
  EXPECT_TRUE(net.node("b").reported("install-failed"));

  // What passes is tried again, without the operator; well after the activation delay, whose own
  // install must not be what mends it.
  net.pass(seconds(5));
  EXPECT_FALSE(net.node("b").endpoint->group("demo")->installed);
  net.node("b").install_outcome = {};
  net.pass(seconds(10));
  EXPECT_TRUE(net.node("b").endpoint->group("demo")->installed);
  EXPECT_EQ(net.node("b").endpoint->group("demo")->install_error, "");
}

TEST(Exchange, AMemberThatRefusedIsAskedAgainLater) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  net.add("c");
  net.node("c").save_outcome = fail("store.write-failed", "disk full");
  PolicyOptions options;
  options.rekey_interval_s = 7200;
  const TestGroup group = net.group(options);
  ASSERT_TRUE(net.create("a", group));
  net.pass(seconds(200));
  EXPECT_FALSE(net.node("c").endpoint->held_keys(group.id));
  const auto refusals = net.node("a").count(protocol::kRefusedByPeer);
  EXPECT_EQ(refusals, 1U);
  net.node("c").save_outcome = {};
  net.pass(protocol::kRetryMemberMax);
  expect_same_keys(net, group.id, {"a", "b", "c"});
}

}  // namespace
}  // namespace gkmpd::test
