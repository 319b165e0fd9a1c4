// Requests to join (RFC 2093 state 11), forged and true, at a controller, and what a host refuses
// to ask for.
#include <gtest/gtest.h>

#include "agent/crypto/agreement.h"
#include "agent/crypto/errors.h"
#include "agent/crypto/suite.h"
#include "agent/keys/schedule.h"
#include "agent/protocol/channel.h"
#include "agent/protocol/limits.h"
#include "tests/unit/protocol/hosts.h"

namespace gkmpd::test {
namespace {

using protocol::GroupState;

/// a controls a group whose token lets every permitted host join; b is keyed.
class Joins : public testing::Test {
 protected:
  void SetUp() override {
    net_.add_controller("a");
    net_.add("b");
    PolicyOptions options;
    options.joins = "permitted";
    group_ = net_.group(options);
    ASSERT_TRUE(net_.create("a", group_));
    ASSERT_TRUE(net_.node("b").endpoint->held_keys(group_.id));
    stranger_ = net_.pki.host("c");
  }

  struct Request {
    wire::Header header;
    wire::RequestGroupJoin body;
  };
  Request request(std::uint8_t number) {
    Request made;
    made.header.type = wire::MessageType::kRequestGroupJoin;
    made.header.role = wire::SenderRole::kMember;
    made.header.exchange = {0xe0, number};
    made.header.group = group_.id;
    made.header.message_number = 1;
    made.body.nonce[0] = number;
    made.body.public_key = stranger_->key.public_key().spki();
    return made;
  }
  Bytes sign(Request& made) {
    made.body.signature = *stranger_->key.sign(crypto::SignatureContext::kJoin,
                                               {protocol::signed_part(made.header, made.body)});
    return protocol::plain_datagram(made.header, made.body);
  }
  void give(const Bytes& octets, const SocketAddress& from) {
    controller().endpoint->handle_datagram(net_.now(), from, octets);
  }
  /// What the controller has sent since the last look, taken off its queue.
  std::vector<wire::Datagram> answers() {
    sent_.clear();
    while (auto transmit = controller().endpoint->poll_transmit()) {
      sent_.push_back(std::move(transmit->octets));
    }
    std::vector<wire::Datagram> read;
    for (const Bytes& octets : sent_) read.push_back(*wire::decode_datagram(octets));
    return read;
  }
  /// Asks without a cookie and puts the one that is demanded into the request.
  void fetch_cookie(Request& made, const SocketAddress& from) {
    give(sign(made), from);
    const auto demanded = answers();
    ASSERT_EQ(demanded.size(), 1U);
    ASSERT_EQ(demanded[0].header.type, wire::MessageType::kCookieDemand);
    ASSERT_EQ(demanded[0].header.exchange, made.header.exchange);
    ASSERT_LT(sent_[0].size(), sign(made).size());
    made.body.cookie = std::get<wire::CookieDemand>(
                           *wire::decode_body(wire::MessageType::kCookieDemand, demanded[0].body))
                           .cookie;
  }
  /// The answer to a first message, signed over the transcript with that request in front.
  Bytes answer(const wire::Datagram& create_1, ByteView octets, ByteView join_request) {
    const auto asked = std::get<wire::CreateSessionKek1>(
        *wire::decode_body(wire::MessageType::kCreateSessionKek1, create_1.body));
    crypto::SeededRandom random(5);
    wire::CreateSessionKek2 body{
        .skek_id = asked.skek_id,
        .nonce = {},
        .skek_creation =
            crypto::EphemeralKey::generate(crypto::agreement_of(create_1.header.suite), random)
                .share(),
        .public_key = stranger_->key.public_key().spki(),
        .token_hash = asked.token_hash,
        .signature = {}};
    wire::Header header = create_1.header;
    header.type = wire::MessageType::kCreateSessionKek2;
    header.role = wire::SenderRole::kMember;
    header.message_number = 2;
    const Bytes th1 = keys::transcript_1(crypto::hash_of(header.suite), octets,
                                         protocol::signed_part(header, body), join_request);
    body.signature = *stranger_->key.sign(crypto::SignatureContext::kCreate2, {th1});
    return protocol::plain_datagram(header, body);
  }
  static SocketAddress somewhere(std::uint8_t last) {
    IpAddress ip;
    ip.octets = {10, 9, 7, last};
    return {ip, 8480};
  }
  TestNode& controller() { return net_.node("a"); }

  TestNet net_;
  TestGroup group_;
  std::optional<TestHost> stranger_;
  std::vector<Bytes> sent_;
};

TEST_F(Joins, AreAnsweredWithAnExchangeOnceTheCookieIsBack) {
  Request made = request(1);
  fetch_cookie(made, somewhere(1));
  give(sign(made), somewhere(1));
  const auto opened = answers();
  ASSERT_EQ(opened.size(), 1U);
  EXPECT_EQ(opened[0].header.type, wire::MessageType::kCreateSessionKek1);
  EXPECT_EQ(opened[0].header.exchange, made.header.exchange);
}

TEST_F(Joins, TheRequestStandsFirstInTheTranscript) {
  Request made = request(1);
  fetch_cookie(made, somewhere(1));
  const Bytes asked = sign(made);
  give(asked, somewhere(1));
  const auto opened = answers();
  ASSERT_EQ(opened.size(), 1U);
  const Bytes create_1 = sent_[0];
  give(answer(opened[0], create_1, {}), somewhere(1));
  give(answer(opened[0], create_1, as_bytes("another request")), somewhere(1));
  EXPECT_EQ(controller().count(crypto::kBadSignature), 2U);
  EXPECT_TRUE(answers().empty());
  const auto again = *wire::decode_datagram(create_1);
  give(answer(again, create_1, asked), somewhere(1));
  const auto negotiation = answers();
  ASSERT_FALSE(negotiation.empty());
  EXPECT_EQ(negotiation[0].header.type, wire::MessageType::kNegotiateSessionKeys1);
}

TEST_F(Joins, ACookieIsGoodForOneAskerAndTwoMinutes) {
  Request made = request(1);
  fetch_cookie(made, somewhere(1));
  const Bytes good = sign(made);
  give(good, somewhere(2));
  EXPECT_EQ(answers().at(0).header.type, wire::MessageType::kCookieDemand) << "another address";
  Request other = made;
  other.header.exchange[5] ^= 1;
  give(sign(other), somewhere(1));
  EXPECT_EQ(answers().at(0).header.type, wire::MessageType::kCookieDemand) << "another exchange";
  other = made;
  other.body.nonce[5] ^= 1;
  give(sign(other), somewhere(1));
  EXPECT_EQ(answers().at(0).header.type, wire::MessageType::kCookieDemand) << "another nonce";
  net_.pass(2 * protocol::kCookieSecretLife);
  (void)answers();
  give(good, somewhere(1));
  EXPECT_EQ(answers().at(0).header.type, wire::MessageType::kCookieDemand) << "too old";
}

TEST_F(Joins, WithoutTheSignatureNothingIsOpened) {
  Request made = request(1);
  fetch_cookie(made, somewhere(1));
  (void)sign(made);
  made.body.signature.back() ^= 1;
  give(protocol::plain_datagram(made.header, made.body), somewhere(1));
  EXPECT_TRUE(answers().empty());
  EXPECT_EQ(controller().count(crypto::kBadSignature), 1U);
  // Not one check for each forgery.
  for (int i = 0; i < 50; ++i) {
    give(protocol::plain_datagram(made.header, made.body), somewhere(1));
  }
  EXPECT_LE(controller().count(crypto::kBadSignature),
            static_cast<std::uint64_t>(protocol::kChecksPerSecond));
  EXPECT_GE(controller().count(protocol::kCheckRate), 42U);
}

TEST_F(Joins, HaveOneFormAndComeFromTheControlPort) {
  Request made = request(1);
  made.header.suite = Suite::kP256Sha256;
  give(sign(made), somewhere(1));
  made = request(2);
  made.header.message_number = 2;
  give(sign(made), somewhere(1));
  EXPECT_EQ(controller().count(protocol::kUnexpectedMessage), 2U);
  EXPECT_TRUE(answers().empty());
  made = request(3);
  SocketAddress elsewhere = somewhere(1);
  elsewhere.port = 4000;
  fetch_cookie(made, elsewhere);
  give(sign(made), elsewhere);
  EXPECT_TRUE(answers().empty());
  EXPECT_EQ(controller().count(protocol::kWrongPeer), 1U);
}

TEST_F(Joins, ARequestIsRepeatedToTheOctetAndNotAtAnyRate) {
  Request made = request(1);
  fetch_cookie(made, somewhere(1));
  const Bytes octets = sign(made);
  give(octets, somewhere(1));
  ASSERT_EQ(answers().size(), 1U);
  for (int i = 0; i < 10; ++i) give(octets, somewhere(1));
  EXPECT_EQ(answers().size(), 1U) << "once";
  Bytes changed = octets;
  changed.back() ^= 1;
  net_.pass(milliseconds(1));
  (void)answers();
  give(changed, somewhere(1));
  EXPECT_TRUE(answers().empty());
}

TEST_F(Joins, WhoDoesNotAnswerMakesRoom) {
  for (std::uint8_t number = 1; number <= protocol::kMaxJoinExchanges + 4; ++number) {
    net_.pass(milliseconds(200));  // within the budget of checks
    (void)answers();
    Request made = request(number);
    fetch_cookie(made, somewhere(number));
    give(sign(made), somewhere(number));
    EXPECT_EQ(answers().size(), 1U) << static_cast<int>(number);
  }
  EXPECT_EQ(controller().count(protocol::kTooManyExchanges), 0U);
}

/// Before there are keys one who asks makes them, and the others wait.
TEST(JoinsBeforeThereAreKeys, OneAtATimeMakesThem) {
  TestNet net;
  net.add_controller("a");
  PolicyOptions options;
  options.joins = "permitted";
  const TestGroup group = net.group(options);
  ASSERT_TRUE(net.create("a", group));
  for (const char* name : {"b", "c"}) net.add(name);
  // b's answer to the controller's first message is lost, so that it goes on making keys.
  net.filter = [](Sent& sent) { return sent.message() != "Create_Grp_Keys_2"; };
  ASSERT_TRUE(net.node("b").endpoint->handle_join(net.now(), "demo", net.node("a").address));
  net.settle();
  ASSERT_TRUE(net.node("c").endpoint->handle_join(net.now(), "demo", net.node("a").address));
  net.settle();
  EXPECT_EQ(net.node("a").count(protocol::kNotReady), 1U);
  EXPECT_EQ(net.create("a", group).error().kind, protocol::kGroupExists) << "b is at it";
  net.filter = [](Sent&) { return true; };
  net.pass(seconds(20));
  for (const char* name : {"b", "c"}) {
    EXPECT_TRUE(net.node(name).endpoint->held_keys(group.id)) << name;
  }
}

TEST(JoinsBeforeThereAreKeys, AGroupThatNobodyAsksForCanBeOrderedAnew) {
  TestNet net;
  net.add_controller("a");
  PolicyOptions options;
  options.joins = "permitted";
  ASSERT_TRUE(net.create("a", net.group(options)));
  net.pass(seconds(60));
  EXPECT_EQ(net.node("a").endpoint->group("demo")->state, GroupState::kCreating);
  options.version = 2;
  EXPECT_TRUE(net.create("a", net.group(options)));
}

TEST_F(Joins, AreNotAskedForWhatTheHostHas) {
  auto& endpoint = *net_.node("b").endpoint;
  const SocketAddress controller_address = controller().address;
  EXPECT_EQ(endpoint.handle_join(net_.now(), "demo", controller_address).error().kind,
            protocol::kAlreadyMember);
  EXPECT_EQ(
      controller().endpoint->handle_join(net_.now(), "demo", net_.node("b").address).error().kind,
      protocol::kGroupExists);
  const SocketAddress of_ipv6{*IpAddress::parse("fd09::9"), 8480};
  EXPECT_EQ(endpoint.handle_join(net_.now(), "other", of_ipv6).error().kind,
            protocol::kAddressFamily);
  for (std::size_t i = 0; i < protocol::kMaxJoins; ++i) {
    ASSERT_TRUE(endpoint.handle_join(net_.now(), "g" + std::to_string(i), controller_address));
  }
  EXPECT_EQ(endpoint.handle_join(net_.now(), "one-more", controller_address).error().kind,
            protocol::kTooManyJoins);
  EXPECT_EQ(endpoint.group("g0")->state, GroupState::kJoining);
}

/// Its clock ran ahead, it held the epoch for over and wiped the keys: the same epoch is there
/// still.
TEST_F(Joins, BringAnEpochBackThatWasHeldForOver) {
  TestNode& b = net_.node("b");
  const auto epoch = b.endpoint->group("demo")->epoch_id;
  const Now ahead{net_.now().mono + seconds(100'000), net_.now().wall + seconds(100'000)};
  b.endpoint->handle_timeout(ahead);
  net_.settle();
  ASSERT_EQ(b.endpoint->group("demo")->state, GroupState::kExpired);
  ASSERT_FALSE(b.endpoint->held_keys(group_.id));
  ASSERT_TRUE(b.endpoint->handle_join(net_.now(), "demo", controller().address));
  net_.settle();
  ASSERT_TRUE(b.endpoint->held_keys(group_.id));
  EXPECT_EQ(b.endpoint->group("demo")->epoch_id, epoch);
  EXPECT_NE(b.endpoint->group("demo")->state, GroupState::kExpired);
}

TEST_F(Joins, AHostThatIsPermittedIsKeyedAndListed) {
  net_.add("c");
  ASSERT_TRUE(net_.node("c").endpoint->handle_join(net_.now(), "demo", controller().address));
  net_.settle();
  net_.pass(seconds(5));
  EXPECT_TRUE(net_.node("c").endpoint->held_keys(group_.id));
  EXPECT_EQ(net_.node("c").endpoint->group("demo")->state, GroupState::kActive);
  const auto members = controller().endpoint->group("demo")->members;
  ASSERT_EQ(members.size(), 2U);
  EXPECT_EQ(members[1].name, "c");
  EXPECT_EQ(members[1].state, protocol::MemberState::kKeyed);
}

}  // namespace
}  // namespace gkmpd::test
