// The controller's side of a command over the network: whom it hears, what it obeys, and what it
// answers (profile P30, S26; docs/PROTOCOL.md, "Commands").
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/crypto/errors.h"
#include "agent/identity/errors.h"
#include "agent/protocol/errors.h"
#include "tests/unit/protocol/raw_commander.h"

namespace gkmpd::test {
namespace {

using identity::CommandText;
using identity::Role;
using protocol::GroupState;

class NetworkCommand : public testing::Test {
 protected:
  void SetUp() override {
    net_.add_controller("a");
    net_.add("b");
    group_ = net_.group();
  }

  TestNode& a() { return net_.node("a"); }
  /// The answer to an order with `change` made to a good one, in a session of its own.
  std::string answer_to(const std::function<void(CommandText&)>& change,
                        std::uint64_t counter = 100) {
    RawCommander session(net_, chief_, group_, ++port_);
    if (!session.open()) return "no session";
    CommandText text = good_order(net_, group_, counter);
    change(text);
    return session.command(sign_order(net_, chief_, text), group_.member_list);
  }
  std::string answer_to_good_order(std::uint64_t counter) {
    return answer_to([](CommandText&) {}, counter);
  }
  void expect_nothing_done() {
    EXPECT_TRUE(a().disk.empty());
    EXPECT_TRUE(a().endpoint->groups().empty());
  }

  TestNet net_;
  TestHost chief_ = net_.pki.host("chief", commander_options());
  TestGroup group_;
  std::uint16_t port_ = 41000;
};

TEST_F(NetworkCommand, IsObeyedAndReported) {
  RawCommander session(net_, chief_, group_);
  ASSERT_TRUE(session.open());
  EXPECT_TRUE(a().disk.empty()) << "nothing is done before the command";
  EXPECT_EQ(session.command(sign_order(net_, chief_, good_order(net_, group_)), group_.member_list),
            "Report");
  EXPECT_EQ(session.report().state, wire::ReportedGroup::kCreating);
  EXPECT_EQ(session.report().listed, 1);
  ASSERT_EQ(session.report().members.size(), 1U);
  EXPECT_EQ(session.report().members[0].name, "b");
  EXPECT_TRUE(a().reported("commanded"));

  net_.pass(seconds(2));
  EXPECT_TRUE(net_.node("b").endpoint->held_keys(group_.id));
  EXPECT_EQ(session.status(), "Report");
  const wire::GroupReport& report = session.report();
  EXPECT_EQ(report.state, wire::ReportedGroup::kActive);
  EXPECT_TRUE(report.installed);
  EXPECT_TRUE(report.sending);
  EXPECT_EQ(report.keyed, 1);
  EXPECT_EQ(report.failed, 0);
  ASSERT_TRUE(report.epoch);
  EXPECT_EQ(report.epoch->id, a().endpoint->held_keys(group_.id)->epoch_id);
  EXPECT_EQ(report.epoch->tuple, *a().endpoint->group("demo")->tuple);
  EXPECT_EQ(session.status(1), "Report");
  EXPECT_TRUE(session.report().members.empty());
}

struct SessionRefusal {
  std::string name;
  std::function<TestHost(TestNet&)> commander;
  std::string answer;  // to Negotiate_1; "" is silence
  ErrorKind counted;
};

class RefusedSession : public testing::TestWithParam<SessionRefusal> {};

TEST_P(RefusedSession, LeavesNothingBehind) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  const TestHost host = GetParam().commander(net);
  const TestGroup group = net.group();
  RawCommander session(net, host, group);
  ASSERT_EQ(session.create(), "Create_Session_KEK_2");
  EXPECT_EQ(session.negotiate(), GetParam().answer);
  EXPECT_EQ(net.node("a").count(GetParam().counted), 1U);
  EXPECT_TRUE(net.node("a").disk.empty());
  EXPECT_TRUE(net.node("a").reported(GetParam().answer.empty() ? "commander-not-trusted"
                                                               : "command-refused"));
}

TestHost revoked(TestNet& net) {
  TestHost host = net.pki.host("chief", commander_options());
  net.pki.revoke(host.certificate);
  net.restart(net.node("a"));
  return host;
}

INSTANTIATE_TEST_SUITE_P(
    Sessions, RefusedSession,
    testing::Values(SessionRefusal{"NoCommander",
                                   [](TestNet& net) { return net.pki.host("chief"); },
                                   "identity.not-commander", identity::kNotCommander},
                    SessionRefusal{"OtherGroup",
                                   [](TestNet& net) {
                                     HostOptions options = commander_options();
                                     options.groups = {"other"};
                                     return net.pki.host("chief", options);
                                   },
                                   "identity.commander-scope", identity::kCommanderScope},
                    SessionRefusal{"LowLevel",
                                   [](TestNet& net) {
                                     HostOptions options = commander_options();
                                     options.level = 1;
                                     return net.pki.host("chief", options);
                                   },
                                   "identity.commander-scope", identity::kCommanderScope},
                    SessionRefusal{"Revoked", revoked, "", identity::kRevoked},
                    SessionRefusal{"Expired",
                                   [](TestNet& net) {
                                     HostOptions options = commander_options();
                                     options.not_after = kNow - kDay / 2;
                                     return net.pki.host("chief", options);
                                   },
                                   "", crypto::kChainExpired},
                    SessionRefusal{"Stranger",
                                   [](TestNet&) {
                                     TestPki strange(99);
                                     return strange.host("chief", commander_options());
                                   },
                                   "", crypto::kChainUntrusted}),
    [](const auto& param) { return param.param.name; });

TEST_F(NetworkCommand, MayComeFromAHostWithANewerRevocationList) {
  net_.pki.revoke(net_.pki.host("former").certificate);
  EXPECT_EQ(answer_to_good_order(100), "Report");
  EXPECT_EQ(a().count(protocol::kPeerCrlNewer), 1U);
}

TEST_F(NetworkCommand, WantsATokenThatThisHostMayActOn) {
  PolicyOptions options;
  options.controllers = {"b"};
  group_ = net_.group(options);
  RawCommander session(net_, chief_, group_);
  ASSERT_EQ(session.create(), "Create_Session_KEK_2");
  EXPECT_EQ(session.negotiate(), "protocol.controller-not-listed");
  expect_nothing_done();
}

TEST_F(NetworkCommand, IsNoBusinessOfAHostThatControlsNothing) {
  RawCommander session(net_, chief_, group_);
  ASSERT_EQ(session.create(), "Create_Session_KEK_2");
  TestNode& b = net_.node("b");
  b.endpoint->handle_datagram(net_.now(), session.address(), session.sent().front());
  net_.settle();
  EXPECT_EQ(b.count(protocol::kNoControllerRole), 1U);
  EXPECT_EQ(session.answers(), 1U);
}

struct OrderRefusal {
  std::string name;
  std::function<void(CommandText&)> change;
  ErrorKind error;
};

class RefusedOrder : public NetworkCommand, public testing::WithParamInterface<OrderRefusal> {};

TEST_P(RefusedOrder, IsNamedAndChangesNothing) {
  EXPECT_EQ(answer_to(GetParam().change), GetParam().error.name());
  EXPECT_EQ(a().count(GetParam().error), 1U);
  EXPECT_TRUE(a().reported("command-refused"));
  expect_nothing_done();
}

INSTANTIATE_TEST_SUITE_P(
    Orders, RefusedOrder,
    testing::Values(
        OrderRefusal{"OtherController", [](CommandText& text) { text.controller = "b"; },
                     protocol::kCommandTarget},
        OrderRefusal{"OtherGroup", [](CommandText& text) { text.group = "other"; },
                     protocol::kCommandToken},
        OrderRefusal{"OtherToken", [](CommandText& text) { text.token_hash[0] ^= 1; },
                     protocol::kCommandToken},
        OrderRefusal{"Expired", [](CommandText& text) { text.not_after = kNow - seconds(301); },
                     protocol::kCommandExpired},
        OrderRefusal{"TooLong", [](CommandText& text) { text.not_after = kNow + seconds(3902); },
                     protocol::kCommandValidTooLong},
        OrderRefusal{"NoCounter", [](CommandText& text) { text.counter = 0; },
                     identity::kCommandField}),
    [](const auto& param) { return param.param.name; });

TEST_F(NetworkCommand, ClockErrorsAreForgiven) {
  EXPECT_EQ(answer_to([](CommandText& text) { text.not_after = kNow - seconds(298); }), "Report");
}

TEST_F(NetworkCommand, MustBeSignedByWhoBringsIt) {
  HostOptions options = commander_options();
  const TestHost other = net_.pki.host("deputy", options);
  RawCommander session(net_, chief_, group_);
  ASSERT_TRUE(session.open());
  EXPECT_EQ(session.command(sign_order(net_, other, good_order(net_, group_)), group_.member_list),
            "protocol.command-signer");
  expect_nothing_done();
}

TEST_F(NetworkCommand, IsNoTokenAndNoScribble) {
  for (const Bytes& order : {group_.token, Bytes{0x30, 0x80}}) {
    RawCommander session(net_, chief_, group_, ++port_);
    ASSERT_TRUE(session.open());
    EXPECT_EQ(session.command(order, group_.member_list), "crypto.bad-cms");
  }
  expect_nothing_done();
}

TEST_F(NetworkCommand, WantsAllThatALocalCommandWants) {
  RawCommander session(net_, chief_, group_);
  ASSERT_TRUE(session.open());
  EXPECT_EQ(session.command(sign_order(net_, chief_, good_order(net_, group_)),
                            group_.member_list + "\n"),
            "identity.member-list-differs");
  EXPECT_EQ(session.status(), "") << "a refused session takes nothing more";
  expect_nothing_done();

  ASSERT_TRUE(net_.create("a", group_));
  EXPECT_EQ(answer_to_good_order(200), "protocol.group-exists");
}

// --- Once only -----------------------------------------------------------------------------------

TEST_F(NetworkCommand, ACounterServesOnceAlsoAfterARestart) {
  EXPECT_EQ(answer_to_good_order(100), "Report");
  net_.pass(seconds(1));
  EXPECT_EQ(a().disk.at(group_.id).marks.by_commander.size(), 1U);
  net_.restart(a());
  EXPECT_EQ(answer_to_good_order(100), "protocol.command-stale");
  EXPECT_EQ(answer_to_good_order(99), "protocol.command-stale");
  EXPECT_TRUE(a().endpoint->groups().empty());
  EXPECT_EQ(answer_to_good_order(101), "Report");
}

TEST_F(NetworkCommand, TheMarkIsOnDiskWithTheFloorBeforeAnythingIsDone) {
  a().save_outcome = fail("store.write-failed", "disk full");
  RawCommander session(net_, chief_, group_);
  ASSERT_TRUE(session.open());
  EXPECT_EQ(session.command(sign_order(net_, chief_, good_order(net_, group_)), group_.member_list),
            "Report");
  EXPECT_TRUE(a().disk.empty());
  EXPECT_EQ(std::ranges::count(net_.messages(), "Create_Grp_Keys_1"), 0);
  EXPECT_EQ(session.status(), "Report");
  EXPECT_EQ(session.report().state, wire::ReportedGroup::kFailed);
  EXPECT_TRUE(session.report().why.starts_with("protocol.save-failed")) << session.report().why;

  // Nothing was done, so the same order may come again.
  a().save_outcome = {};
  EXPECT_EQ(answer_to_good_order(100), "Report");
  const protocol::GroupFloor& floor = a().disk.at(group_.id);
  EXPECT_EQ(floor.marks.last_of(identity::name_hash(net_.pki.trust().anchor_key_hash(), "chief")),
            100U);
  EXPECT_EQ(floor.tuple.epoch, 1U);
}

TEST_F(NetworkCommand, RecordedDatagramsDoNothing) {
  RawCommander session(net_, chief_, group_);
  ASSERT_TRUE(session.open());
  ASSERT_EQ(session.command(sign_order(net_, chief_, good_order(net_, group_)), group_.member_list),
            "Report");
  net_.pass(seconds(70));  // the session is forgotten
  const auto floor = a().disk.at(group_.id);
  const auto epoch = a().endpoint->held_keys(group_.id)->epoch_id;
  const SocketAddress elsewhere{*IpAddress::parse("10.9.0.201"), 40000};
  for (const SocketAddress& from : {session.address(), elsewhere}) {
    for (const Bytes& octets : session.sent()) session.repeat(octets, from);
  }
  net_.pass(seconds(5));
  EXPECT_EQ(a().disk.at(group_.id), floor);
  EXPECT_EQ(a().endpoint->held_keys(group_.id)->epoch_id, epoch);
}

TEST_F(NetworkCommand, ALostAnswerIsGivenAgainAndNotMadeAgain) {
  RawCommander session(net_, chief_, group_);
  ASSERT_TRUE(session.open());
  ASSERT_EQ(session.command(sign_order(net_, chief_, good_order(net_, group_)), group_.member_list),
            "Report");
  // For a message in fragments the first one counts.
  const auto first = std::ranges::find_if(session.sent(), [](const Bytes& octets) {
    return wire::decode_datagram(octets)->header.type == wire::MessageType::kCommand;
  });
  ASSERT_NE(first, session.sent().end());
  const std::size_t before = net_.log.size();
  session.repeat(*first, session.address());
  ASSERT_EQ(net_.log.size(), before + 1);
  EXPECT_EQ(net_.log.back().to, session.address());
  // From elsewhere it is nobody's.
  const SocketAddress elsewhere{*IpAddress::parse("10.9.0.201"), 40000};
  session.repeat(*first, elsewhere);
  EXPECT_EQ(net_.log.size(), before + 1);
}

// --- Limits --------------------------------------------------------------------------------------

TEST_F(NetworkCommand, SessionsAreBoundedAndForgotten) {
  for (std::size_t i = 0; i < protocol::kMaxCommandSessions; ++i) {
    RawCommander session(net_, chief_, group_, ++port_);
    ASSERT_EQ(session.create(), "Create_Session_KEK_2");
  }
  {
    RawCommander session(net_, chief_, group_, ++port_);
    EXPECT_EQ(session.create(), "");
    EXPECT_EQ(a().count(protocol::kTooManyExchanges), 1U);
  }
  net_.pass(protocol::kCommandSessionLife);
  EXPECT_EQ(answer_to_good_order(100), "Report");
}

TEST(CommandMarks, RememberTheHighestOfWhoHadToMakeRoom) {
  const auto commander = [](std::size_t number) {
    NameHash hash{};
    hash[0] = static_cast<std::uint8_t>(number);
    return hash;
  };
  protocol::CommandMarks marks;
  for (std::size_t i = 1; i <= protocol::kMaxCommandMarks; ++i) {
    marks.raise({commander(i), 1000 + i});
  }
  EXPECT_EQ(marks.last_of(commander(1)), 1001U);
  EXPECT_EQ(marks.last_of(commander(99)), 0U);
  marks.raise({commander(50), 5000});
  EXPECT_EQ(marks.by_commander.size(), protocol::kMaxCommandMarks);
  EXPECT_EQ(marks.last_of(commander(1)), 1001U) << "its counters stay used";
  EXPECT_EQ(marks.last_of(commander(99)), 1001U);
  EXPECT_EQ(marks.last_of(commander(2)), 1002U);
  EXPECT_EQ(marks.last_of(commander(50)), 5000U);
}

}  // namespace
}  // namespace gkmpd::test
