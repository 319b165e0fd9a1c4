// Orders to rekey a group, over the network and on the controller's own host: what they are held
// against, when they are done, and that each is done once (profile S26, readings 18).
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/identity/errors.h"
#include "agent/protocol/errors.h"
#include "agent/protocol/rekey_orders.h"
#include "tests/unit/protocol/raw_commander.h"

namespace gkmpd::test {
namespace {

using identity::CommandAction;
using identity::CommandText;

PolicyOptions rekeyed() {
  PolicyOptions options;
  options.actions = {"create", "rekey"};
  return options;
}

class RekeyOrder : public testing::Test {
 protected:
  void SetUp() override {
    net_.add_controller("a");
    net_.add("b");
    net_.add("c");
    group_ = net_.group(rekeyed());
  }

  TestNode& a() { return net_.node("a"); }
  void create() {
    ASSERT_TRUE(net_.create("a", group_));
    net_.pass(seconds(7));
    ASSERT_EQ(epoch_at("a"), 1U);
  }
  CommandText good(std::uint64_t counter) {
    CommandText text = good_order(net_, group_, counter);
    text.action = CommandAction::kRekey;
    return text;
  }
  /// Given to a's own agent.
  Result<GroupId> give(const CommandText& text) { return give(text, group_.token); }
  Result<GroupId> give(const CommandText& text, const Bytes& token) {
    auto given = a().endpoint->handle_order(net_.now(), {sign_order(net_, chief_, text), token});
    net_.settle();
    return given;
  }
  void expect_refused(const CommandText& text, ErrorKind kind) {
    const auto floor = a().disk[group_.id];
    const std::uint32_t epoch = epoch_at("a");
    const auto given = give(text);
    ASSERT_FALSE(given);
    EXPECT_EQ(given.error().kind, kind) << given.error().text();
    net_.pass(seconds(1));
    EXPECT_EQ(a().disk[group_.id], floor);
    EXPECT_EQ(epoch_at("a"), epoch);
  }
  protocol::GroupView view(const std::string& host) {
    return net_.node(host).endpoint->group("demo").value_or(protocol::GroupView{});
  }
  std::uint32_t epoch_at(const std::string& host) {
    const auto tuple = view(host).tuple;
    return tuple ? tuple->epoch : 0;
  }
  std::uint64_t mark_on_disk() {
    return a().disk[group_.id].marks.last_of(
        identity::name_hash(net_.pki.trust().anchor_key_hash(), "chief"));
  }
  /// Nobody can be first member of a rekey.
  void silence_members() {
    net_.filter = [](Sent& sent) { return sent.message() != "Create_Grp_Keys_2"; };
  }
  void let_members_speak() {
    net_.filter = [](Sent&) { return true; };
  }

  TestNet net_;
  TestHost chief_ = net_.pki.host("chief", commander_options());
  TestGroup group_;
};

/// Its first member has got the first epoch, and dies before it says so; an order begins the next
/// epoch, and while that is being made with another member, the exchange with the dead one ends.
/// What is being made must not be taken for that (profile S5: one tuple is signed once).
TEST_F(RekeyOrder, IsNotTakenForTheMakingOfTheEpochBefore) {
  bool dead_is_given_up = false;
  net_.filter = [&](Sent& sent) {
    const std::string message = sent.message();
    if (message == "Key_Download_Ack" && sent.from == "b") return false;
    return message != "Create_Grp_Keys_2" || sent.from == "b" || dead_is_given_up;
  };
  ASSERT_TRUE(net_.create("a", group_));
  ASSERT_EQ(epoch_at("a"), 1U);
  net_.pass(milliseconds(5500));
  ASSERT_FALSE(a().reported("member-failed"));
  ASSERT_TRUE(give(good(1)));
  for (int i = 0; i < 60 && !a().reported("member-failed"); ++i) net_.pass(milliseconds(100));
  EXPECT_TRUE(a().reported("member-failed")) << "b, of the first epoch";
  EXPECT_FALSE(a().reported("first-member-failed")) << "c is at it still";
  ASSERT_EQ(epoch_at("a"), 1U) << "nor was the second made alone";
  dead_is_given_up = true;
  net_.pass(seconds(10));
  EXPECT_EQ(epoch_at("a"), 2U);
  EXPECT_EQ(std::ranges::count(a().reports, "epoch-created", &protocol::Report::what), 2);
  EXPECT_EQ(view("c").epoch_id, view("a").epoch_id);
  EXPECT_EQ(net_.node("c").count(protocol::kTupleConflict), 0U);
}

TEST_F(RekeyOrder, IsObeyedOverTheNetworkAndReported) {
  create();
  RawCommander session(net_, chief_, group_);
  ASSERT_TRUE(session.open());
  ASSERT_EQ(session.command(sign_order(net_, chief_, good(100)), std::nullopt), "Report");
  ASSERT_TRUE(session.report().epoch);
  EXPECT_TRUE(a().reported("commanded"));
  net_.pass(seconds(1));
  ASSERT_EQ(session.status(), "Report");
  EXPECT_FALSE(session.report().rekey_ordered);
  EXPECT_EQ(session.report().epoch->tuple.epoch, 2U);
  EXPECT_EQ(session.report().epoch->id, *view("a").epoch_id);
  for (const char* host : {"a", "b", "c"}) EXPECT_EQ(epoch_at(host), 2U) << host;
  EXPECT_EQ(mark_on_disk(), 100U);
  net_.pass(seconds(60));
  EXPECT_EQ(epoch_at("a"), 2U) << "one order, one epoch";
}

TEST_F(RekeyOrder, IsObeyedOnTheControllersHost) {
  create();
  const auto given = give(good(100));
  ASSERT_TRUE(given) << given.error().text();
  EXPECT_EQ(*given, group_.id);
  EXPECT_TRUE(a().reported("commanded"));
  net_.pass(seconds(60));
  for (const char* host : {"a", "b", "c"}) EXPECT_EQ(epoch_at(host), 2U) << host;
  EXPECT_EQ(mark_on_disk(), 100U);
}

// --- Refused -------------------------------------------------------------------------------------

TEST_F(RekeyOrder, WantsAGroupThatLivesHere) {
  expect_refused(good(100), protocol::kGroupNotLive);

  silence_members();
  ASSERT_TRUE(net_.create("a", group_));
  expect_refused(good(100), protocol::kGroupNotLive);
  let_members_speak();
  net_.pass(seconds(5));
  ASSERT_EQ(epoch_at("a"), 1U);
  EXPECT_TRUE(give(good(100))) << "a refused order is not used up";

  net_.restart(a());
  expect_refused(good(101), protocol::kGroupNotLive);
}

TEST_F(RekeyOrder, WantsTheActionInTheToken) {
  group_ = net_.group();
  create();
  expect_refused(good(100), protocol::kActionMissing);
}

TEST_F(RekeyOrder, WantsTheTokenThatTheGroupLivesUnder) {
  create();
  PolicyOptions options = rekeyed();
  options.version = 2;
  const TestGroup newer = net_.group(options);
  CommandText text = good(100);
  text.token_hash = crypto::sha256({newer.token});
  EXPECT_EQ(give(text, newer.token).error().kind, protocol::kTokenNotInForce);
  RawCommander session(net_, chief_, newer);
  ASSERT_TRUE(session.open());
  EXPECT_EQ(session.command(sign_order(net_, chief_, text), std::nullopt),
            protocol::kTokenNotInForce.name());
  net_.pass(seconds(1));
  EXPECT_EQ(epoch_at("a"), 1U);
}

TEST_F(RekeyOrder, BringsNoMemberListAndACreationDoes) {
  create();
  std::uint16_t port = 41000;
  const auto answer = [&](const CommandText& text, const std::optional<std::string>& list) {
    RawCommander session(net_, chief_, group_, ++port);
    return session.open() ? session.command(sign_order(net_, chief_, text), list) : "no session";
  };
  EXPECT_EQ(answer(good(100), group_.member_list), protocol::kCommandList.name());
  EXPECT_EQ(answer(good_order(net_, group_, 100), std::nullopt), protocol::kCommandList.name());
  // Nor is a group created by an order without a list on its controller's host.
  EXPECT_EQ(give(good_order(net_, group_, 100)).error().kind, protocol::kCommandList);
  EXPECT_EQ(mark_on_disk(), 0U);
}

TEST_F(RekeyOrder, IsHeldAgainstAllThatOneOverTheNetworkIs) {
  create();
  CommandText text = good(100);
  text.controller = "b";
  expect_refused(text, protocol::kCommandTarget);
  text = good(100);
  text.token_hash[0] ^= 1;
  expect_refused(text, protocol::kCommandToken);
  text = good(100);
  text.not_after = net_.now().wall - seconds(301);
  expect_refused(text, protocol::kCommandExpired);
  text = good(100);
  text.not_after = net_.now().wall + seconds(3902);
  expect_refused(text, protocol::kCommandValidTooLong);
  chief_ = net_.pki.host("chief");
  expect_refused(good(100), identity::kNotCommander);
  HostOptions options = commander_options();
  options.level = 1;
  chief_ = net_.pki.host("chief", options);
  expect_refused(good(100), identity::kCommanderScope);
}

TEST_F(RekeyOrder, IsRefusedByAMember) {
  create();
  TestNode& b = net_.node("b");
  const auto given =
      b.endpoint->handle_order(net_.now(), {sign_order(net_, chief_, good(100)), group_.token});
  ASSERT_FALSE(given);
  EXPECT_EQ(given.error().kind, protocol::kControllerNotListed);
}

TEST_F(RekeyOrder, IsDoneOnce) {
  create();
  const CommandText used = good(100);
  ASSERT_TRUE(give(used));
  net_.pass(seconds(10));
  expect_refused(used, protocol::kCommandStale);
  expect_refused(good(99), protocol::kCommandStale);
}

// --- When it is done -----------------------------------------------------------------------------

TEST_F(RekeyOrder, IsSavedBeforeItHasAnyEffectAndStandsWhileItFails) {
  create();
  a().save_outcome = fail("store.write-failed", "disk full");
  const std::size_t sent = net_.messages().size();
  ASSERT_TRUE(give(good(100)));
  net_.pass(milliseconds(300));
  EXPECT_EQ(net_.messages().size(), sent);
  EXPECT_EQ(mark_on_disk(), 0U);
  EXPECT_TRUE(view("a").rekey_ordered);
  EXPECT_TRUE(view("a").rekey_error.starts_with("protocol.save-failed")) << view("a").rekey_error;
  EXPECT_EQ(give(good(100)).error().kind, protocol::kCommandStale) << "it stands already";

  a().save_outcome = {};
  net_.pass(seconds(10));
  EXPECT_EQ(mark_on_disk(), 100U);
  const std::uint32_t epoch = epoch_at("b");
  EXPECT_GT(epoch, 1U);
  EXPECT_FALSE(view("a").rekey_ordered);
  EXPECT_EQ(view("a").rekey_error, "");
  net_.pass(seconds(60));
  EXPECT_EQ(epoch_at("b"), epoch);
}

TEST_F(RekeyOrder, WaitsUntilTheEpochBeforeIsDoneWith) {
  create();
  ASSERT_TRUE(give(good(100)));
  net_.pass(milliseconds(100));
  ASSERT_EQ(epoch_at("a"), 2U);
  ASSERT_TRUE(give(good(101)));
  ASSERT_TRUE(give(good(102)));
  EXPECT_TRUE(a().reported("rekey-put-off"));
  EXPECT_EQ(give(good(102)).error().kind, protocol::kCommandStale);
  net_.pass(seconds(4));
  EXPECT_EQ(epoch_at("a"), 2U);
  EXPECT_TRUE(view("a").rekey_ordered);
  EXPECT_EQ(mark_on_disk(), 100U);
  net_.pass(seconds(2));
  EXPECT_EQ(epoch_at("a"), 3U);
  EXPECT_FALSE(view("a").rekey_ordered);
  EXPECT_EQ(mark_on_disk(), 102U);
  net_.pass(seconds(60));
  EXPECT_EQ(epoch_at("a"), 3U) << "orders that waited together are done together";
}

TEST_F(RekeyOrder, WaitsUntilTheEpochThatIsBeingMadeIsDoneWith) {
  create();
  silence_members();
  ASSERT_TRUE(give(good(100)));
  net_.pass(milliseconds(200));
  ASSERT_EQ(epoch_at("a"), 1U);
  ASSERT_TRUE(give(good(101)));
  net_.pass(milliseconds(200));
  let_members_speak();
  net_.pass(seconds(4));
  EXPECT_EQ(epoch_at("b"), 2U);
  EXPECT_TRUE(view("a").rekey_ordered) << "the second order came after that was begun";
  net_.pass(seconds(10));
  EXPECT_EQ(epoch_at("b"), 3U);
  EXPECT_FALSE(view("a").rekey_ordered);
  EXPECT_EQ(mark_on_disk(), 101U);
}

TEST_F(RekeyOrder, BeginsTheIntervalAnew) {
  create();
  net_.pass(seconds(3000));
  ASSERT_EQ(epoch_at("a"), 1U);
  ASSERT_TRUE(give(good(100)));
  net_.pass(seconds(3000));
  EXPECT_EQ(epoch_at("a"), 2U);
  net_.pass(seconds(700));
  EXPECT_EQ(epoch_at("a"), 3U);
}

TEST(RekeyOrders, AreAnsweredByTheFirstEpochThatIsBegunAfterThem) {
  protocol::RekeyOrders orders;
  EXPECT_FALSE(orders.standing());
  orders.begun();  // of its own accord
  orders.take();
  EXPECT_TRUE(orders.waiting());
  orders.done();
  EXPECT_TRUE(orders.waiting());
  orders.begun();
  EXPECT_FALSE(orders.waiting());
  EXPECT_TRUE(orders.standing());
  orders.failed();
  EXPECT_TRUE(orders.waiting());
  orders.begun();
  orders.done();
  EXPECT_FALSE(orders.standing());
}

}  // namespace
}  // namespace gkmpd::test
