// Peers with good credentials that keep to the cryptography and lie within it: other key ids, other
// source addresses, an acknowledgement of what they do not hold (docs/PROTOCOL.md, "Exchanges").
#include <gtest/gtest.h>

#include "agent/protocol/controller_exchange.h"
#include "agent/protocol/errors.h"
#include "tests/unit/protocol/raw_commander.h"
#include "tests/unit/protocol/raw_member.h"

namespace gkmpd::test {
namespace {

using protocol::ControllerExchange;
using protocol::MemberState;

/// Controller "a", and a raw member "m" that is its only one.
class LyingMember : public testing::Test {
 protected:
  /// Lets "a" create the group, with "m" as a sender if `senders` says so, up to Negotiate_1.
  void begin(std::vector<std::string> senders) {
    net_.add_controller("a");
    host_.emplace(net_.pki.host("m", {.addresses = {*IpAddress::parse("10.9.0.51")}}));
    member_.emplace(net_, *host_);
    PolicyOptions options;
    options.senders = std::move(senders);
    group_ = net_.pki.group({{"a", a().address.ip}, {"m", member_->address().ip}}, options);
    ASSERT_TRUE(net_.create("a", group_));
    ASSERT_TRUE(member_->create());
  }
  TestNode& a() { return net_.node("a"); }
  MemberState state() { return a().endpoint->group("demo")->members.at(0).state; }
  void expect_refused(const std::string& answer, ErrorKind error) {
    EXPECT_EQ(answer, error.name());
    EXPECT_EQ(a().count(error), 1U);
    EXPECT_EQ(state(), MemberState::kFailed);
    EXPECT_FALSE(a().endpoint->held_keys(group_.id)) << "no epoch is made with it";
  }

  TestNet net_;
  std::optional<TestHost> host_;
  std::optional<RawMember> member_;
  TestGroup group_;
};

TEST_F(LyingMember, IsKeyedWhileItTellsTheTruth) {
  begin({"m"});
  const IpAddress observed = member_->address().ip;
  EXPECT_EQ(member_->negotiate({observed, *IpAddress::parse("10.9.0.51")}), "Download_Grp_Keys");
  member_->acknowledge([](wire::KeyDownloadAck&) {});
  EXPECT_EQ(state(), MemberState::kKeyed);
}

TEST_F(LyingMember, NamesOtherKeysThanWereMade) {
  begin({"a"});
  const auto answer =
      member_->negotiate({}, [](protocol::Agreed& agreed) { agreed.key_ids[1][0] ^= 1; });
  expect_refused(answer, protocol::kKeyIdDiffers);
}

TEST_F(LyingMember, WouldSendFromAnAddressThatIsNotItsOwn) {
  begin({"m"});
  const auto answer = member_->negotiate({member_->address().ip, *IpAddress::parse("10.9.0.77")});
  expect_refused(answer, protocol::kSourceAddress);
}

TEST_F(LyingMember, WouldNotSendFromTheAddressInTheSenderTable) {
  begin({"m"});
  expect_refused(member_->negotiate({*IpAddress::parse("10.9.0.51")}), protocol::kSourceAddress);
}

TEST_F(LyingMember, AcknowledgesWhatItDoesNotHold) {
  begin({"a"});
  ASSERT_EQ(member_->negotiate({}), "Download_Grp_Keys");
  member_->acknowledge([](wire::KeyDownloadAck& ack) { ack.confirmation[31] ^= 1; });
  EXPECT_EQ(a().count(protocol::kBadConfirmation), 1U);
  EXPECT_EQ(state(), MemberState::kDownloading);
  member_->acknowledge([](wire::KeyDownloadAck& ack) { ack.epoch_id[0] ^= 1; });
  EXPECT_EQ(a().count(protocol::kBadConfirmation), 2U);
  EXPECT_EQ(state(), MemberState::kDownloading);
  member_->acknowledge([](wire::KeyDownloadAck&) {});
  EXPECT_EQ(state(), MemberState::kKeyed);
}

TEST(OnTheWay, TheKeyIdsOfAnAnswerAreChanged) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  bool changed = false;
  net.filter = [&](Sent& sent) {
    if (changed || sent.message() != "Create_Grp_Keys_2") return true;
    changed = true;
    const auto datagram = wire::decode_datagram(sent.octets);
    auto message = wire::decode_body(datagram->header.type, datagram->body).value();
    std::get<wire::CreateGrpKeys2>(message).gkek_id[0] ^= 1;
    sent.octets = protocol::plain_datagram(datagram->header, message);
    return true;
  };
  const TestGroup group = net.group();
  ASSERT_TRUE(net.create("a", group));
  EXPECT_EQ(net.node("a").count(protocol::kKeyIdDiffers), 1U);
  net.pass(seconds(2));
  EXPECT_TRUE(net.node("b").endpoint->held_keys(group.id)) << "the true answer still counts";
}

TEST(LyingCommander, NamesOtherKeysThanWereMade) {
  TestNet net;
  net.add_controller("a");
  net.add("b");
  const TestHost chief = net.pki.host("chief", commander_options());
  RawCommander session(net, chief, net.group());
  ASSERT_EQ(session.create(), "Create_Session_KEK_2");
  EXPECT_EQ(session.negotiate([](protocol::Agreed& agreed) { agreed.key_ids[0][0] ^= 1; }),
            "protocol.key-id-differs");
  EXPECT_EQ(net.node("a").count(protocol::kKeyIdDiffers), 1U);
}

/// Figure 1 with the honest member "b", by the controller "a" that stands beside the net.
class LyingController : public testing::Test {
 protected:
  LyingController() {
    net_.add("b");
    group_ = net_.pki.group({{"a", own_.ip}, {"b", net_.node("b").address.ip}});
    net_.filter = [this](Sent& sent) {
      if (sent.to == own_) inbox_.push_back(sent.octets);
      return true;
    };
  }

  static HostOptions options() {
    HostOptions options;
    options.roles.insert(identity::Role::kController);
    options.groups = {"demo"};
    return options;
  }

  /// Runs the exchange to its end; the statement names `change`d keys. How it ended.
  ControllerExchange::Outcome run(const std::function<void(protocol::NewKeys&)>& change) {
    auto context = context_of(net_, host_, random_);
    context.config.addresses = {own_.ip};
    context.config.port = own_.port;
    context.self = net_.pki.trust().check_host(host_.certificate, {}, net_.now().wall).value();
    const auto token =
        identity::check_token(group_.token, {.trust = &context.config.trust, .now = kNow}).value();
    ControllerExchange exchange(context, token, protocol::Flow::kGroup,
                                {"b", net_.node("b").address});
    EXPECT_TRUE(exchange.start(net_.now(), protocol::kMaxTransmissions));
    std::optional<protocol::Epoch> epoch;
    auto outcome = ControllerExchange::Outcome::kNothing;
    for (;;) {
      while (const auto transmit = context.out.next_transmit()) {
        net_.node("b").endpoint->handle_datagram(net_.now(), own_, transmit->octets);
      }
      net_.settle();
      if (inbox_.empty()) break;
      for (const Bytes& octets : std::exchange(inbox_, {})) {
        outcome = *exchange.handle_datagram(net_.now(), net_.node("b").address,
                                            *wire::decode_datagram(octets), octets);
      }
      if (outcome != ControllerExchange::Outcome::kReviewed) continue;
      auto created = exchange.take_created();
      change(created);
      wire::SenderTable senders;
      senders.entries.push_back({context.self.hash, 1, 1, {own_.ip}});
      epoch.emplace(
          sign_epoch(context, {token, {1, 1, 0, 1}, std::move(created), senders}, net_.now())
              .value());
      exchange.download(net_.now(), *epoch);
    }
    return outcome;
  }

  TestNet net_;
  SocketAddress own_{*IpAddress::parse("10.9.0.40"), 8480};
  TestHost host_ = net_.pki.host("a", options());
  TestGroup group_;
  crypto::SeededRandom random_{79};
  std::vector<Bytes> inbox_;
};

TEST_F(LyingController, KeysAMemberWhileItTellsTheTruth) {
  EXPECT_EQ(run([](protocol::NewKeys&) {}), ControllerExchange::Outcome::kAcknowledged);
  EXPECT_TRUE(net_.node("b").endpoint->held_keys(group_.id));
}

TEST_F(LyingController, SignsOtherKeyIdsThanWereMade) {
  EXPECT_EQ(run([](protocol::NewKeys& created) { created.gkek_id[0] ^= 1; }),
            ControllerExchange::Outcome::kFailed);
  EXPECT_EQ(net_.node("b").count(protocol::kKeyIdDiffers), 1U);
  EXPECT_FALSE(net_.node("b").endpoint->held_keys(group_.id));
  EXPECT_TRUE(net_.node("b").disk.empty());
}

}  // namespace
}  // namespace gkmpd::test
