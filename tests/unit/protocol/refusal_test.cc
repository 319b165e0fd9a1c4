// Peer review: who must not get keys does not get them, both sides know why, and the rest of the
// group is keyed all the same (RFC 2093 states 3, 4, 6, 7; profile K6).
#include <gtest/gtest.h>

#include "agent/identity/errors.h"
#include "agent/protocol/errors.h"
#include "tests/unit/protocol/hosts.h"

namespace gkmpd::test {
namespace {

using identity::Role;
using protocol::MemberState;

struct Refusal {
  std::string name;
  HostOptions member;
  ErrorKind error;
};

std::vector<Refusal> refusals() {
  std::vector<Refusal> list;
  HostOptions options;
  options.level = 1;
  list.push_back({"level", options, identity::kLevelTooLow});
  options = {};
  options.categories = {"green"};
  list.push_back({"category", options, identity::kCategoryMissing});
  options = {};
  options.roles = {Role::kSender};
  list.push_back({"member-role", options, protocol::kNoMemberRole});
  options = {};
  options.roles = {Role::kMember};
  list.push_back({"sender-role", options, protocol::kNoSenderRole});
  return list;
}

class RefusedMember : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedMember, GetsNoKeysAndBothSidesKnowWhy) {
  const Refusal& refusal = GetParam();
  TestNet net;
  net.add_controller("a");
  net.add("b", refusal.member);
  net.add("c");
  PolicyOptions options;
  options.senders = {"a", "b"};
  const TestGroup group = net.group(options);
  ASSERT_TRUE(net.create("a", group));
  net.pass(seconds(5));

  EXPECT_FALSE(net.node("b").endpoint->held_keys(group.id));
  EXPECT_FALSE(net.node("b").kernel);
  EXPECT_TRUE(net.node("c").endpoint->held_keys(group.id));
  const auto member = net.node("a").endpoint->group("demo")->members.at(0);
  EXPECT_EQ(member.state, MemberState::kFailed);
  EXPECT_NE(member.why.find(refusal.error.name()), std::string::npos) << member.why;
  EXPECT_GE(net.node("b").count(refusal.error), 1U);
}

INSTANTIATE_TEST_SUITE_P(Refusals, RefusedMember, testing::ValuesIn(refusals()),
                         [](const auto& param) {
                           std::string name = param.param.name;
                           std::erase(name, '-');
                           return name;
                         });

TEST(ControllerReview, RefusesARevokedMemberAndTellsIt) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  net.add("c");
  net.pki.revoke(net.credentials("b").certificate);
  net.restart(net.node("a"));  // b and c still hold the older list
  const TestGroup group = net.group();
  ASSERT_TRUE(net.create("a", group));
  net.pass(seconds(5));
  EXPECT_FALSE(net.node("b").endpoint->held_keys(group.id));
  EXPECT_GE(net.node("a").count(identity::kRevoked), 1U);
  EXPECT_TRUE(net.node("b").reported("refused-by-controller"));
  EXPECT_GE(net.node("b").count(protocol::kPeerCrlNewer), 1U);
  const auto members = net.node("a").endpoint->group("demo")->members;
  EXPECT_NE(members.at(0).why.find("identity.revoked"), std::string::npos);
  // c refuses too, for another reason: it lacks the list that the controller goes by.
  EXPECT_NE(members.at(1).why.find("protocol.crl-older-than-required"), std::string::npos);
}

TEST(ControllerReview, SaysThatAMemberHoldsANewerRevocationList) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  net.pki.revoke(net.pki.host("former").certificate);
  net.restart(net.node("b"));
  const TestGroup group = net.group();
  ASSERT_TRUE(net.create("a", group));
  EXPECT_TRUE(net.node("b").endpoint->held_keys(group.id)) << "that is no reason to refuse it";
  EXPECT_EQ(net.node("a").count(protocol::kPeerCrlNewer), 1U);
  EXPECT_TRUE(net.node("a").reported("crl-outdated"));
  EXPECT_EQ(net.node("b").count(protocol::kPeerCrlNewer), 0U);
}

TEST(ControllerReview, RefusesAnotherHostUnderTheAddressOfAMember) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  net.add("c");
  // The list gives c's address as b's.
  const TestGroup group =
      net.pki.group({{"a", net.node("a").address.ip}, {"b", net.node("c").address.ip}});
  ASSERT_TRUE(net.create("a", group));
  net.pass(seconds(5));
  EXPECT_FALSE(net.node("c").endpoint->held_keys(group.id));
  EXPECT_GE(net.node("a").count(protocol::kWrongHost), 1U);
}

TEST(MemberReview, ARevokedControllerMeetsSilence) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  const TestGroup group = net.group();
  net.pki.revoke(net.credentials("a").certificate);
  net.restart(net.node("b"));
  ASSERT_TRUE(net.create("a", group));
  EXPECT_FALSE(net.node("b").endpoint->held_keys(group.id));
  EXPECT_GE(net.node("b").count(identity::kRevoked), 1U);
  EXPECT_EQ(net.messages(), (std::vector<std::string>{"Create_Grp_Keys_1", "Create_Grp_Keys_2",
                                                      "Negotiate_Grp_Keys_1"}));
  EXPECT_TRUE(net.node("b").reported("controller-not-trusted"));
}

TEST(MemberReview, TheHostsOwnLimitsStandAboveTheToken) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  net.node("b").limits.groups = {"another"};
  net.restart(net.node("b"));
  const TestGroup group = net.group();
  ASSERT_TRUE(net.create("a", group));
  EXPECT_FALSE(net.node("b").endpoint->held_keys(group.id));
  EXPECT_EQ(net.node("b").count(identity::kTokenLimits), 1U);
  const auto member = net.node("a").endpoint->group("demo")->members.at(0);
  EXPECT_NE(member.why.find("identity.token-limits"), std::string::npos);
}

xfrm::KernelLack lack_of(xfrm::EspSuite suite, IpFamily family, bool only_esn = false) {
  return {suite, family, only_esn, "modprobe it"};
}

TEST(MemberReview, ATokenThatTheKernelCannotObeyIsRefused) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  net.add("c");
  net.node("b").kernel_lacks = {lack_of(xfrm::EspSuite::kAesGcm128, IpFamily::kV4)};
  net.restart(net.node("b"));
  const TestGroup group = net.group();
  ASSERT_TRUE(net.create("a", group));
  net.pass(seconds(5));
  EXPECT_FALSE(net.node("b").endpoint->held_keys(group.id));
  EXPECT_FALSE(net.node("b").kernel);
  EXPECT_TRUE(net.node("b").disk.empty());
  EXPECT_GE(net.node("b").count(protocol::kKernelLacks), 1U);
  EXPECT_TRUE(net.node("b").reported("refused"));
  EXPECT_TRUE(net.node("c").endpoint->held_keys(group.id));
  const auto member = net.node("a").endpoint->group("demo")->members.at(0);
  EXPECT_NE(member.why.find("protocol.kernel-lacks"), std::string::npos) << member.why;
}

TEST(MemberReview, WhatTheTokenDoesNotAskForMayLack) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  net.node("b").kernel_lacks = {lack_of(xfrm::EspSuite::kAesGcm256, IpFamily::kV4),
                                lack_of(xfrm::EspSuite::kAesGcm128, IpFamily::kV6),
                                lack_of(xfrm::EspSuite::kAesGcm128, IpFamily::kV4, true)};
  net.restart(net.node("b"));
  const TestGroup group = net.group();
  ASSERT_TRUE(net.create("a", group));
  net.pass(seconds(5));
  EXPECT_TRUE(net.node("b").endpoint->held_keys(group.id));
}

TEST(ControllerReview, ATokenThatItsKernelCannotObeyIsNotBegun) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  net.node("a").kernel_lacks = {lack_of(xfrm::EspSuite::kAesGcm128, IpFamily::kV4, true)};
  net.restart(net.node("a"));
  PolicyOptions options;
  options.esn = true;
  const auto refused = net.create("a", net.group(options));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, protocol::kKernelLacks);
  EXPECT_EQ(refused.error().detail,
            "this host's kernel lacks aes-gcm-128 with extended sequence numbers over IPv4: "
            "modprobe it");
  EXPECT_TRUE(net.log.empty());
  EXPECT_TRUE(net.node("a").disk.empty());
  EXPECT_TRUE(net.node("a").endpoint->groups().empty());
}

TEST(ControllerReview, TheGroupsSequenceNumbersReachTheKernel) {
  for (const bool esn : {false, true}) {
    TestNet net;
    net.add_controller("a");
    net.add("b");
    PolicyOptions options;
    options.esn = esn;
    ASSERT_TRUE(net.create("a", net.group(options)));
    net.pass(seconds(5));
    for (const char* host : {"a", "b"}) {
      ASSERT_TRUE(net.node(host).kernel) << host;
      EXPECT_EQ(net.node(host).kernel->esn, esn) << host;
    }
  }
}

TEST(MemberReview, AnOlderTokenIsRefused) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  PolicyOptions newer;
  newer.version = 2;
  ASSERT_TRUE(net.create("a", net.group(newer)));
  net.node("a").disk.clear();  // the controller lost its floors; the member did not
  net.restart(net.node("a"));
  ASSERT_TRUE(net.create("a", net.group()));
  EXPECT_EQ(net.node("b").count(identity::kTokenOld), 1U);
}

TEST(MemberReview, AStatementBelowTheMarkIsRefused) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  const TestGroup group = net.group();
  ASSERT_TRUE(net.create("a", group));
  net.restart(net.node("a"));
  ASSERT_TRUE(net.create("a", group));
  net.node("a").disk.clear();  // the controller signs the first tuple once more
  net.restart(net.node("a"));
  const auto before = net.node("b").endpoint->held_keys(group.id)->epoch_id;
  ASSERT_TRUE(net.create("a", group));
  EXPECT_EQ(net.node("b").count(protocol::kStatementStale), 1U);
  EXPECT_EQ(net.node("b").endpoint->held_keys(group.id)->epoch_id, before);
}

struct CommandRefusal {
  std::string name;
  std::function<void(TestNet&, PolicyOptions&)> arrange;
  ErrorKind error;
};

class RefusedCommand : public testing::TestWithParam<CommandRefusal> {};

TEST_P(RefusedCommand, LeavesNothingBehind) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  PolicyOptions options;
  GetParam().arrange(net, options);
  const auto id = net.create("a", net.group(options));
  ASSERT_FALSE(id);
  EXPECT_EQ(id.error().kind, GetParam().error) << id.error().text();
  EXPECT_TRUE(net.log.empty());
  EXPECT_TRUE(net.node("a").disk.empty());
  EXPECT_TRUE(net.node("a").endpoint->groups().empty());
}

INSTANTIATE_TEST_SUITE_P(
    Commands, RefusedCommand,
    testing::Values(
        CommandRefusal{"NotListed", [](TestNet&, PolicyOptions& o) { o.controllers = {"b"}; },
                       protocol::kControllerNotListed},
        CommandRefusal{"Level", [](TestNet&, PolicyOptions& o) { o.level = 3; },
                       identity::kLevelTooLow},
        CommandRefusal{"Action", [](TestNet&, PolicyOptions& o) { o.actions = {"delete"}; },
                       protocol::kActionMissing},
        CommandRefusal{"Port", [](TestNet&, PolicyOptions& o) { o.control_port = 9999; },
                       protocol::kPortDiffers},
        CommandRefusal{"Sender", [](TestNet&, PolicyOptions& o) { o.senders = {"z"}; },
                       identity::kMemberListDiffers},
        CommandRefusal{"AbsentSender",
                       [](TestNet&, PolicyOptions& o) {
                         o.controllers = {"a", "z"};
                         o.senders = {"z"};
                       },
                       protocol::kSenderNotListed},
        CommandRefusal{"Expired",
                       [](TestNet&, PolicyOptions& o) { o.not_after = kNow - seconds(1000); },
                       identity::kTokenExpired},
        CommandRefusal{"Role",
                       [](TestNet& net, PolicyOptions& o) {
                         HostOptions plain;
                         net.credentials("a") = net.pki.reissue(net.credentials("a"), plain);
                         net.restart(net.node("a"));
                         o.controllers = {"a"};
                       },
                       protocol::kNoControllerRole},
        CommandRefusal{"Scope",
                       [](TestNet& net, PolicyOptions&) {
                         HostOptions elsewhere;
                         elsewhere.roles.insert(Role::kController);
                         elsewhere.groups = {"other"};
                         net.credentials("a") = net.pki.reissue(net.credentials("a"), elsewhere);
                         net.restart(net.node("a"));
                       },
                       protocol::kControllerScope}),
    [](const auto& param) { return param.param.name; });

TEST(Command, IsRefusedWhileTheGroupLives) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  const TestGroup group = net.group();
  ASSERT_TRUE(net.create("a", group));
  const auto again = net.create("a", group);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, protocol::kGroupExists);
  EXPECT_TRUE(net.node("a").endpoint->held_keys(group.id));
}

TEST(Command, WantsTheListThatTheTokenNames) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  TestGroup group = net.group();
  group.member_list += "\n";
  const auto id = net.create("a", group);
  ASSERT_FALSE(id);
  EXPECT_EQ(id.error().kind, identity::kMemberListDiffers);
}

TEST(Command, WantsMembersAndTheirAddresses) {
  TestNet net;
  net.add_controller("a");
  const auto alone = net.create("a", net.group());
  ASSERT_FALSE(alone);
  EXPECT_EQ(alone.error().kind, protocol::kNoMembers);
  const auto other = net.create(
      "a", net.pki.group({{"a", std::nullopt}, {"b", *IpAddress::parse("2001:db8::1")}}));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, protocol::kAddressFamily);
  const auto lost = net.create("a", net.pki.group({{"a", std::nullopt}, {"b", std::nullopt}}));
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().kind, protocol::kNoAddress);
}

TEST(Endpoint, WantsTheKeyOfItsOwnCertificate) {
  TestPki pki;
  const TestHost host = pki.host("a");
  crypto::SeededRandom random(1);
  const auto made = protocol::Endpoint::make({.trust = pki.trust(),
                                              .limits = {},
                                              .certificate = host.certificate,
                                              .intermediates = {},
                                              .key = pki.host("a").key,
                                              .addresses = {*IpAddress::parse("10.9.0.1")},
                                              .port = 8480,
                                              .hosts = {}},
                                             {}, random, {MonoTime{}, kNow}, {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, protocol::kKeyDiffers);
}

TEST(Strangers, MeetSilence) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  const TestGroup group = net.group();
  ASSERT_TRUE(net.create("a", group));
  const std::size_t sent = net.log.size();
  for (const Bytes& octets : {Bytes{}, Bytes{1, 2, 3}, Bytes(1232, 0x47)}) {
    net.deliver({"b", net.node("a").address, octets});
  }
  net.settle();
  EXPECT_EQ(net.log.size(), sent);
}

}  // namespace
}  // namespace gkmpd::test
