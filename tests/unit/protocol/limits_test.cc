// The maxima of a host: what is above is refused by name, and what stands goes on.
#include "agent/protocol/limits.h"

#include <gtest/gtest.h>

#include <limits>

#include "agent/protocol/errors.h"
#include "tests/unit/protocol/raw_commander.h"

namespace gkmpd::test {
namespace {

constexpr auto kLast = std::numeric_limits<std::uint32_t>::max();

/// A policy of the `number`th of many groups, each with an address of its own for data.
PolicyOptions numbered(std::size_t number, const std::string& controller) {
  PolicyOptions options;
  options.group = "group" + std::to_string(number);
  options.controllers = {controller};
  options.senders = {controller};
  options.address =
      "239.2." + std::to_string(number / 200) + "." + std::to_string(1 + number % 200);
  return options;
}

TestNode& add_controller_of_all(TestNet& net, const std::string& name) {
  HostOptions options;
  options.roles.insert(identity::Role::kController);
  options.groups = {"*"};
  return net.add(name, options);
}

TEST(Groups, AHostControlsSoManyAndNoMore) {
  TestNet net;
  add_controller_of_all(net, "a");
  net.add("b");
  net.filter = [](Sent&) { return false; };
  for (std::size_t i = 0; i < protocol::kMaxGroups; ++i) {
    const auto created = net.create("a", net.group(numbered(i, "a")));
    ASSERT_TRUE(created) << i << ": " << created.error().text();
  }
  const auto above = net.create("a", net.group(numbered(protocol::kMaxGroups, "a")));
  ASSERT_FALSE(above);
  EXPECT_EQ(above.error().kind, protocol::kTooManyGroups);
  // Groups that came to nothing make room.
  net.pass(seconds(120));
  EXPECT_TRUE(net.create("a", net.group(numbered(protocol::kMaxGroups, "a"))));
}

TEST(Groups, AHostIsAMemberOfSoManyAndNoMore) {
  TestNet net;
  add_controller_of_all(net, "a");
  net.add("b");
  add_controller_of_all(net, "c");
  const auto listed = [&](const std::string& controller, std::size_t number) {
    return net.pki.group(
        {{controller, net.node(controller).address.ip}, {"b", net.node("b").address.ip}},
        numbered(number, controller));
  };
  for (std::size_t i = 0; i < protocol::kMaxGroups; ++i) {
    const TestGroup group = listed("a", i);
    ASSERT_TRUE(net.create("a", group)) << i;
    ASSERT_TRUE(net.node("b").endpoint->held_keys(group.id)) << i;
    // A member keeps the answers of no more exchanges at a time.
    if (i % protocol::kMaxMemberExchanges == protocol::kMaxMemberExchanges - 1) {
      net.pass(protocol::kMemberExchangeLife);
    }
  }
  const TestGroup above = listed("c", protocol::kMaxGroups);
  ASSERT_TRUE(net.create("c", above));
  EXPECT_FALSE(net.node("b").endpoint->held_keys(above.id));
  EXPECT_EQ(net.node("b").count(protocol::kTooManyGroups), 1U);
  const auto refused = net.node("c").endpoint->groups().at(0);
  EXPECT_NE(refused.members.at(0).why.find("protocol.too-many-groups"), std::string::npos)
      << refused.members.at(0).why;
}

TEST(Numbers, ATermOrEpochIsNeverUsedTwice) {
  struct {
    const char* what;
    EpochTuple last;
  } const cases[] = {{"term", {1, kLast, 0, 7}}, {"epoch", {1, 3, 0, kLast}}};
  for (const auto& [what, last] : cases) {
    TestNet net;
    net.add_controller("a");
    net.add("b");
    const TestGroup group = net.group();
    net.node("a").disk[group.id].tuple = last;
    net.restart(net.node("a"));
    const auto refused = net.create("a", group);
    ASSERT_FALSE(refused) << what;
    EXPECT_EQ(refused.error().kind, protocol::kNumbersExhausted) << what;
    EXPECT_TRUE(net.log.empty()) << what;
    EXPECT_EQ(net.node("a").disk.at(group.id).tuple, last) << what;

    // A token of a higher version begins again, above all that was.
    PolicyOptions next;
    next.version = 2;
    ASSERT_TRUE(net.create("a", net.group(next))) << what;
    const EpochTuple tuple = net.node("a").disk.at(group.id).tuple;
    EXPECT_GT(tuple, last) << what;
    EXPECT_EQ(tuple.term, 1U) << what;
    EXPECT_TRUE(net.node("b").endpoint->held_keys(group.id)) << what;
  }
}

TEST(Reassembly, CommandersCannotCrowdOutAGroup) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  const TestHost chief = net.pki.host("chief", commander_options());
  const TestGroup group = net.group();
  const Bytes order = sign_order(net, chief, good_order(net, group));
  // Two of these leave less room than a third wants.
  const std::string long_list(60'000, '#');
  std::uint16_t port = 41000;
  for (int i = 0; i < 2; ++i) {
    RawCommander session(net, chief, group, ++port);
    ASSERT_TRUE(session.open());
    session.begin_command(order, long_list);
  }
  EXPECT_EQ(net.node("a").count(protocol::kReassemblyFull), 0U);
  {
    RawCommander session(net, chief, group, ++port);
    ASSERT_TRUE(session.open());
    EXPECT_EQ(session.command(order, long_list), "");
    EXPECT_GE(net.node("a").count(protocol::kReassemblyFull), 1U);
  }
  // The exchanges that we open ourselves have a share of their own.
  ASSERT_TRUE(net.create("a", group));
  EXPECT_TRUE(net.node("b").endpoint->held_keys(group.id));

  // And what is forgotten gives its octets back.
  net.pass(protocol::kCommandSessionLife);
  RawCommander session(net, chief, group, ++port);
  ASSERT_TRUE(session.open());
  EXPECT_EQ(session.command(order, group.member_list), "protocol.group-exists");
}

}  // namespace
}  // namespace gkmpd::test
