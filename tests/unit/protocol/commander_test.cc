// The commander's side of an order over the network, against real controllers and impostors.
#include "agent/protocol/commander.h"

#include <gtest/gtest.h>

#include "agent/identity/errors.h"
#include "agent/protocol/errors.h"
#include "agent/protocol/report_view.h"
#include "tests/unit/protocol/raw_commander.h"

namespace gkmpd::test {
namespace {

using protocol::Commander;
using protocol::GroupState;
using protocol::MemberState;

/// A commander at a host of its own beside a net.
class Desk {
 public:
  explicit Desk(TestNet& net) : net_(net), host_(net.pki.host("chief", commander_options())) {
    net_.filter = [this](Sent& passing) {
      if (passing.to == address_) inbox_.push_back(passing.octets);
      return true;
    };
  }

  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;
  ~Desk() {
    net_.filter = [](Sent&) { return true; };
  }

  [[nodiscard]] Result<void> order(
      const TestGroup& group, std::uint64_t counter = 100,
      identity::CommandAction action = identity::CommandAction::kCreate) {
    auto made = Commander::make({.trust = trust_ ? *trust_ : net_.pki.trust(),
                                 .certificate = host_.certificate,
                                 .intermediates = {},
                                 .key = host_.key,
                                 .controller = {net_.node("a").address.ip, 0},
                                 .counter = counter,
                                 .sign =
                                     [this](const identity::CommandText& text) {
                                       return Result<Bytes>(sign_order(net_, host_, text));
                                     }},
                                {group.token, group.member_list, action}, random_, net_.now());
    if (!made) return pass_on(made);
    commander_.emplace(std::move(*made));
    run();
    return {};
  }

  /// Delivers what is under way, both ways, until nothing is left.
  void run() {
    for (;;) {
      std::vector<Bytes> out;
      while (auto transmit = commander_->poll_transmit()) out.push_back(transmit->octets);
      if (out.empty() && inbox_.empty()) return;
      for (const Bytes& octets : out) {
        sent.push_back(octets);
        receive(octets);
      }
      net_.settle();
      for (const Bytes& octets : std::exchange(inbox_, {})) {
        commander_->handle_datagram(net_.now(), net_.node("a").address, octets);
      }
    }
  }
  void pass(milliseconds duration) {
    constexpr milliseconds kStep{50};
    for (milliseconds passed{}; passed < duration; passed += kStep) {
      net_.pass(kStep);
      const auto due = commander_->poll_timeout();
      if (due && *due <= net_.now().mono) commander_->handle_timeout(net_.now());
      run();
    }
  }

  [[nodiscard]] Commander& commander() { return *commander_; }
  void use(TestHost host) { host_ = std::move(host); }
  void trust(identity::TrustStore trust) { trust_ = std::move(trust); }
  void answer(const Bytes& octets) { inbox_.push_back(octets); }
  [[nodiscard]] const SocketAddress& address() const { return address_; }

  /// Every datagram of the commander.
  std::vector<Bytes> sent;
  /// Where they go.
  std::function<void(const Bytes&)> receive = [this](const Bytes& octets) {
    net_.node("a").endpoint->handle_datagram(net_.now(), address_, octets);
  };

 private:
  TestNet& net_;
  TestHost host_;
  std::optional<identity::TrustStore> trust_;
  SocketAddress address_{*IpAddress::parse("10.9.0.210"), 50000};
  crypto::SeededRandom random_{78};
  std::optional<Commander> commander_;
  std::vector<Bytes> inbox_;
};

class CommanderTest : public testing::Test {
 protected:
  void SetUp() override {
    net_.add_controller("a");
    net_.add("b");
    net_.add("c");
  }
  TestNet net_;
};

TEST_F(CommanderTest, SeesTheGroupAsItsControllerDoes) {
  Desk desk(net_);
  const TestGroup group = net_.group();
  ASSERT_TRUE(desk.order(group));
  ASSERT_TRUE(desk.commander().group());
  EXPECT_EQ(desk.commander().group()->state, GroupState::kCreating);
  desk.pass(seconds(3));
  ASSERT_FALSE(desk.commander().error()) << desk.commander().error()->text();
  const protocol::GroupView& seen = *desk.commander().group();
  const protocol::GroupView there = *net_.node("a").endpoint->group("demo");
  EXPECT_EQ(seen.id, there.id);
  EXPECT_EQ(seen.name, there.name);
  EXPECT_EQ(seen.controller, "a");
  EXPECT_EQ(seen.state, GroupState::kActive);
  EXPECT_EQ(seen.tuple, there.tuple);
  EXPECT_EQ(seen.epoch_id, there.epoch_id);
  EXPECT_EQ(seen.not_after, there.not_after);
  EXPECT_EQ(seen.installed, there.installed);
  EXPECT_EQ(seen.sending, there.sending);
  EXPECT_EQ(seen.data_address, there.data_address);
  EXPECT_EQ(seen.control_multicast, there.control_multicast);
  ASSERT_EQ(seen.members.size(), 2U);
  for (const protocol::MemberView& member : seen.members) {
    EXPECT_EQ(member.state, MemberState::kKeyed) << member.name;
    EXPECT_EQ(member.address, net_.node(member.name).address.ip) << "as the list has it";
  }
}

TEST_F(CommanderTest, SeesARekeyComeToItsEnd) {
  PolicyOptions options;
  options.actions = {"create", "rekey"};
  const TestGroup group = net_.group(options);
  ASSERT_TRUE(net_.create("a", group));
  net_.pass(seconds(3));
  Desk desk(net_);
  ASSERT_TRUE(desk.order(group, 100, identity::CommandAction::kRekey));
  ASSERT_FALSE(desk.commander().error()) << desk.commander().error()->text();
  // Another order, which is put off: its commander sees the epoch that it is not for, and waits.
  ASSERT_TRUE(desk.order(group, 101, identity::CommandAction::kRekey));
  desk.pass(seconds(3));
  ASSERT_TRUE(desk.commander().group());
  EXPECT_EQ(desk.commander().group()->tuple->epoch, 2U);
  EXPECT_TRUE(desk.commander().group()->rekey_ordered);
  desk.pass(seconds(5));
  EXPECT_EQ(desk.commander().group()->tuple->epoch, 3U);
  EXPECT_FALSE(desk.commander().group()->rekey_ordered);
  EXPECT_TRUE(desk.commander().group()->installed);
  EXPECT_EQ(desk.commander().group()->members.size(), 2U);
}

TEST_F(CommanderTest, SeesWhyARekeyFails) {
  PolicyOptions options;
  options.actions = {"create", "rekey"};
  const TestGroup group = net_.group(options);
  ASSERT_TRUE(net_.create("a", group));
  net_.pass(seconds(3));
  net_.node("a").save_outcome = fail("store.write-failed", "disk full");
  Desk desk(net_);
  ASSERT_TRUE(desk.order(group, 100, identity::CommandAction::kRekey));
  desk.pass(seconds(2));
  ASSERT_TRUE(desk.commander().group());
  EXPECT_TRUE(desk.commander().group()->rekey_ordered);
  EXPECT_TRUE(desk.commander().group()->rekey_error.starts_with("protocol.save-failed"))
      << desk.commander().group()->rekey_error;
}

TEST_F(CommanderTest, IsToldOfAMemberThatDoesNotAnswer) {
  Desk desk(net_);
  const TestGroup group = net_.group();
  const SocketAddress c = net_.node("c").address;
  const auto to_desk = net_.filter;
  net_.filter = [&](Sent& sent) { return to_desk(sent) && sent.to != c; };
  ASSERT_TRUE(desk.order(group));
  desk.pass(seconds(60));
  const auto& members = desk.commander().group()->members;
  EXPECT_EQ(members.at(0).state, MemberState::kKeyed);
  EXPECT_EQ(members.at(1).state, MemberState::kFailed);
  EXPECT_TRUE(members.at(1).why.starts_with("protocol.timeout")) << members.at(1).why;
}

TEST_F(CommanderTest, TakesMembersInPages) {
  Desk desk(net_);
  std::vector<identity::MemberList::Entry> listed{{"a", net_.node("a").address.ip},
                                                  {"b", net_.node("b").address.ip}};
  for (int i = 0; i < 400; ++i) {
    listed.push_back(
        {"absent-" + std::to_string(i) + std::string(50, 'x'),
         IpAddress::parse("10.10." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250))});
  }
  const TestGroup group = net_.pki.group(listed);
  ASSERT_TRUE(desk.order(group));
  ASSERT_TRUE(desk.commander().group());
  ASSERT_EQ(desk.commander().group()->members.size(), 401U);
  for (std::size_t i = 0; i < 401; ++i) {
    EXPECT_EQ(desk.commander().group()->members[i].name, listed[i + 1].name);
  }
}

TEST_F(CommanderTest, LosesNoDatagramForGood) {
  std::size_t all = 0;
  {
    Desk desk(net_);
    ASSERT_TRUE(desk.order(net_.group()));
    all = desk.sent.size();
  }
  for (std::size_t lost = 0; lost < all; ++lost) {
    TestNet net;
    net.add_controller("a");
    net.add("b");
    Desk desk(net);
    std::size_t seen = 0;
    const auto through = desk.receive;
    desk.receive = [&](const Bytes& octets) {
      if (seen++ != lost) through(octets);
    };
    ASSERT_TRUE(desk.order(net.group()));
    desk.pass(seconds(5));
    ASSERT_TRUE(desk.commander().group()) << lost;
    EXPECT_EQ(desk.commander().group()->state, GroupState::kActive) << lost;
  }
}

TEST_F(CommanderTest, LearnsWhyItWasRefused) {
  Desk desk(net_);
  const TestGroup group = net_.group();
  ASSERT_TRUE(net_.create("a", group));
  ASSERT_TRUE(desk.order(group));
  ASSERT_TRUE(desk.commander().error());
  EXPECT_EQ(desk.commander().error()->kind, protocol::kRefusedByPeer);
  EXPECT_EQ(desk.commander().refused_as(), "protocol.group-exists");
  EXPECT_FALSE(desk.commander().poll_timeout());
}

TEST_F(CommanderTest, GivesUpOnSilence) {
  Desk desk(net_);
  desk.receive = [](const Bytes&) {};
  ASSERT_TRUE(desk.order(net_.group()));
  desk.pass(seconds(60));
  ASSERT_TRUE(desk.commander().error());
  EXPECT_EQ(desk.commander().error()->kind, protocol::kTimeout);
  EXPECT_EQ(desk.sent.size(), static_cast<std::size_t>(protocol::kMaxTransmissions));
}

// --- What it does not even ask -------------------------------------------------------------------

TEST_F(CommanderTest, ChecksItselfFirst) {
  Desk desk(net_);
  desk.use(net_.pki.host("chief"));
  EXPECT_EQ(desk.order(net_.group()).error().kind, identity::kNotCommander);
  HostOptions elsewhere = commander_options();
  elsewhere.groups = {"other"};
  desk.use(net_.pki.host("chief", elsewhere));
  EXPECT_EQ(desk.order(net_.group()).error().kind, identity::kCommanderScope);
  EXPECT_TRUE(desk.sent.empty());
}

TEST_F(CommanderTest, ChecksTokenAndListFirst) {
  Desk desk(net_);
  TestGroup group = net_.group();
  group.member_list += "\n";
  EXPECT_EQ(desk.order(group).error().kind, identity::kMemberListDiffers);
  group.member_list += std::string(wire::kMaxMemberListOctets, '\n');
  const auto too_long = desk.order(group);
  EXPECT_EQ(too_long.error().kind, protocol::kMemberListTooLong);
  EXPECT_NE(too_long.error().detail.find("[hosts]"), std::string::npos);
  PolicyOptions past;
  past.not_after = kNow - seconds(1000);
  EXPECT_EQ(desk.order(net_.group(past)).error().kind, identity::kTokenExpired);
}

// --- Controllers that are none -------------------------------------------------------------------

TEST_F(CommanderTest, GivesNoOrderToARevokedController) {
  Desk desk(net_);
  const TestGroup group = net_.group();
  net_.pki.revoke(net_.credentials("a").certificate);
  desk.trust(net_.pki.trust());
  ASSERT_TRUE(desk.order(group));
  ASSERT_TRUE(desk.commander().error());
  EXPECT_EQ(desk.commander().error()->kind, identity::kRevoked);
  for (const Bytes& octets : desk.sent) {
    EXPECT_NE(wire::decode_datagram(octets)->header.type, wire::MessageType::kCommand);
  }
  EXPECT_TRUE(net_.node("a").endpoint->groups().empty());
}

/// A host that answers as a controller would, under a certificate of its own.
class Impostor {
 public:
  Impostor(TestNet& net, const TestHost& host, const TestGroup& group, Desk& desk)
      : context_(context_of(net, host, random_)), group_(group), desk_(desk) {}

  void receive(const Bytes& octets) {
    const auto datagram = wire::decode_datagram(octets);
    const auto& header = datagram->header;
    if (header.type == wire::MessageType::kCommand) ++orders;
    if (!channel_) {
      channel_.emplace(context_, wire::SenderRole::kController, header.suite, group_.id,
                       header.exchange, desk_.address(), context_.commanded_octets);
    }
    const auto in = channel_->open(*datagram, octets, agreed_ ? &agreed_->stage.down : nullptr);
    if (!in || !*in) return;
    channel_->received();
    if (header.type == wire::MessageType::kCreateSessionKek1) {
      agreed_.emplace(answer_session(context_, *channel_, **in).value());
      desk_.answer(agreed_->create_2);
    } else if (header.type == wire::MessageType::kNegotiateSessionKeys1) {
      const auto sealed = seal_negotiate_2(context_, *channel_, *agreed_, {});
      for (const Bytes& reply : sealed.datagrams) desk_.answer(reply);
    }
  }

  int orders = 0;

 private:
  crypto::SeededRandom random_{79};
  protocol::Context context_;
  TestGroup group_;
  Desk& desk_;
  std::optional<protocol::Channel> channel_;
  std::optional<protocol::Agreed> agreed_;
};

TEST_F(CommanderTest, GivesNoOrderToAnImpostor) {
  const TestGroup group = net_.group();
  HostOptions elsewhere;
  elsewhere.roles.insert(identity::Role::kController);
  elsewhere.groups = {"other"};
  const std::vector<std::pair<TestHost, ErrorKind>> impostors = {
      {net_.pki.host("z"), protocol::kControllerNotListed},
      {net_.pki.host("a"), protocol::kNoControllerRole},
      {net_.pki.host("a", elsewhere), protocol::kControllerScope},
  };
  for (const auto& [host, error] : impostors) {
    Desk desk(net_);
    Impostor impostor(net_, host, group, desk);
    desk.receive = [&](const Bytes& octets) { impostor.receive(octets); };
    ASSERT_TRUE(desk.order(group));
    ASSERT_TRUE(desk.commander().error());
    EXPECT_EQ(desk.commander().error()->kind, error) << desk.commander().error()->text();
    EXPECT_EQ(impostor.orders, 0);
  }
}

TEST_F(CommanderTest, DropsWhatIsNotItsControllers) {
  Desk desk(net_);
  desk.receive = [](const Bytes&) {};
  ASSERT_TRUE(desk.order(net_.group()));
  const SocketAddress elsewhere{*IpAddress::parse("10.9.0.99"), 8480};
  desk.commander().handle_datagram(net_.now(), elsewhere, desk.sent.front());
  EXPECT_EQ(desk.commander().counters().at(protocol::kWrongPeer.name()), 1U);
  // Its own first message, sent back.
  desk.commander().handle_datagram(net_.now(), net_.node("a").address, desk.sent.front());
  EXPECT_EQ(desk.commander().counters().at(protocol::kUnknownExchange.name()), 1U);
}

TEST(ReportView, RefusesPagesThatAreNotTheNext) {
  protocol::GroupView view;
  wire::GroupReport report;
  report.listed = 2;
  report.members = {{"b", wire::ReportedMember::kAsked, ""}};
  ASSERT_TRUE(take_report(report, view));
  EXPECT_EQ(take_report(report, view).error().kind, protocol::kReportDiffers);
  report.first = 1;
  report.members.clear();
  EXPECT_EQ(take_report(report, view).error().kind, protocol::kReportDiffers)
      << "an empty page would be asked for for ever";
  report.members = {{"c", wire::ReportedMember::kKeyed, ""}};
  EXPECT_TRUE(take_report(report, view));
  EXPECT_EQ(view.members.size(), 2U);
}

}  // namespace
}  // namespace gkmpd::test
