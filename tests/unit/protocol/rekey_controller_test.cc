// Rekeys as the controller makes them (RFC 2093 figure 3): when, with whom, and what becomes of one
// that fails.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "agent/identity/errors.h"
#include "agent/protocol/errors.h"
#include "agent/protocol/limits.h"
#include "tests/unit/protocol/rekeyed_group.h"

namespace gkmpd::test {
namespace {

using protocol::GroupState;
using protocol::MemberState;

constexpr std::string_view kFirst = "Create_Grp_Keys_1";
constexpr std::string_view kRekey = "Rekey_Multicast";

class Rekeys : public RekeyedGroup {
 protected:
  void drop(std::string_view message) {
    net_.filter = [message](Sent& sent) { return sent.message() != message; };
  }
  /// What the controller asked first members for since the log had `from` entries: their addresses.
  [[nodiscard]] std::vector<IpAddress> asked_since(std::size_t from) const {
    std::vector<IpAddress> asked;
    for (std::size_t i = from; i < net_.log.size(); ++i) {
      if (net_.log[i].message() == kFirst) asked.push_back(net_.log[i].to.ip);
    }
    return asked;
  }
};

TEST_F(Rekeys, ComeAtTheirTimeAndGoOnFromTheEpochBefore) {
  const auto before = view("a");
  ASSERT_TRUE(before.rekey_at);
  EXPECT_EQ(view("b").rekey_at, before.rekey_at);
  EXPECT_EQ(*before.rekey_at, before.not_after - seconds(options_.token_grace_s));
  net_.pass(std::chrono::duration_cast<milliseconds>(*before.rekey_at - net_.now().wall) -
            seconds(2));
  EXPECT_EQ(epoch("a"), first_);
  net_.pass(seconds(4));
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(epoch(name), first_ + 1) << name;

  const wire::Statement statement = statement_of(all(kRekey).front());
  EXPECT_EQ(statement.previous, *before.epoch_id);
  EXPECT_EQ(statement.cause, wire::Cause::kRoutine);
  EXPECT_EQ(statement.creation, wire::Creation::kCooperative);
  EXPECT_EQ(statement.tuple.term, before.tuple->term);
  EXPECT_EQ(node("a").disk.at(group_.id).tuple, statement.tuple);
  const auto keys = node("a").endpoint->held_keys(group_.id);
  for (const char* name : {"b", "c"}) {
    EXPECT_TRUE(node(name).endpoint->held_keys(group_.id)->gtek.equals(keys->gtek)) << name;
    EXPECT_EQ(state_of(name), MemberState::kKeyed) << name;
  }
  EXPECT_EQ(view("a").state, GroupState::kActive);
}

TEST_F(Rekeys, FirstMembersAreChosenAfreshAmongThoseKeyed) {
  std::set<IpAddress> asked;
  for (std::uint32_t next = first_ + 1; next <= first_ + 12; ++next) {
    const std::size_t from = net_.log.size();
    wait_for_epoch(next);
    const auto addresses = asked_since(from);
    ASSERT_EQ(addresses.size(), 1U) << "epoch " << next;
    asked.insert(addresses.front());
  }
  EXPECT_EQ(asked, (std::set<IpAddress>{node("b").address.ip, node("c").address.ip}));
}

class WithoutC : public Rekeys {
 protected:
  void SetUp() override {
    net_.add_controller("a");
    net_.add("b");
    const SocketAddress c = net_.add("c").address;
    net_.filter = [c](Sent& sent) { return sent.to != c && sent.from != "c"; };
    create();
  }
};

TEST_F(WithoutC, NobodyIsAskedWhoHoldsNoKeys) {
  net_.pass(seconds(50));
  ASSERT_NE(state_of("c"), MemberState::kKeyed);
  const std::size_t from = net_.log.size();
  for (std::uint32_t next = first_ + 1; next <= first_ + 6; ++next) wait_for_epoch(next);
  for (const IpAddress& asked : asked_since(from)) EXPECT_EQ(asked, node("b").address.ip);
}

TEST_F(Rekeys, GoOnWithoutAFirstMemberThatAnswers) {
  drop(kFirst);
  const WallTime planned = *view("a").rekey_at;
  const std::size_t from = net_.log.size();
  wait_for_epoch(first_ + 1);
  const auto asked = asked_since(from);
  EXPECT_EQ(asked.size(), static_cast<std::size_t>(protocol::kRekeyFirstMembers) *
                              protocol::kMaxRekeyTransmissions);
  EXPECT_EQ(std::set<IpAddress>(asked.begin(), asked.end()).size(), 2U);
  EXPECT_EQ(reports("a", "first-member-failed"), 2U);
  EXPECT_EQ(statement_of(all(kRekey).front()).creation, wire::Creation::kAlone);
  EXPECT_LE(statement_of(all(kRekey).front()).not_before, planned + seconds(13));
  net_.pass(seconds(1));
  for (const char* name : {"b", "c"}) {
    EXPECT_EQ(epoch(name), first_ + 1) << name;
    EXPECT_EQ(state_of(name), MemberState::kKeyed) << name << " holds an epoch, and may";
  }
}

class WithOneThatExpires : public Rekeys {
 protected:
  WithOneThatExpires() {
    options_of_b_.not_after = kNow + kInterval - seconds(5) - identity::kClockSkew;
  }
};

TEST_F(WithOneThatExpires, WhoIsRefusedAsAFirstMemberIsAMemberNoMore) {
  // Whoever is chosen first, after some rekeys b was asked.
  for (std::uint32_t next = first_ + 1; next <= first_ + 4; ++next) wait_for_epoch(next);
  EXPECT_EQ(state_of("b"), MemberState::kFailed);
  EXPECT_EQ(reports("a", "first-member-failed"), 1U);
  EXPECT_EQ(epoch("c"), first_ + 4);
  EXPECT_EQ(epoch("b"), first_) << "its certificate takes it no further";
}

// --- Repetitions ---------------------------------------------------------------------------------

class WithFourRepeats : public Rekeys {
 protected:
  WithFourRepeats() {
    options_.rekey_repeats = 4;
    options_.activation_delay_ms = 2000;
  }
};

TEST_F(WithFourRepeats, TheRekeyIsSpreadOverTheActivationDelay) {
  std::vector<std::pair<MonoTime, Bytes>> sent;
  net_.filter = [&](Sent& each) {
    if (each.message() == kRekey) sent.emplace_back(net_.now().mono, each.octets);
    return true;
  };
  wait_for_epoch(first_ + 1);
  net_.pass(seconds(10));
  ASSERT_EQ(sent.size(), 4U);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    EXPECT_EQ(sent[i].second, sent[0].second);
    EXPECT_EQ(sent[i].first - sent[0].first, milliseconds(500) * static_cast<int>(i));
  }
}

class SentOnce : public Rekeys {
 protected:
  SentOnce() {
    options_.rekey_repeats = 1;
    options_.activation_delay_ms = 0;
  }
};

TEST_F(SentOnce, ARekeyIsNotRepeated) {
  wait_for_epoch(first_ + 1);
  net_.pass(seconds(10));
  EXPECT_EQ(count(kRekey), 1U);
  EXPECT_EQ(epoch("c"), first_ + 1);
}

// --- What goes wrong -----------------------------------------------------------------------------

TEST_F(Rekeys, WhoseTupleCannotBeSavedAreTriedAgain) {
  node("a").save_outcome = fail("store.write-failed", "disk full");
  const EpochTuple before = node("a").disk.at(group_.id).tuple;
  net_.pass(kInterval);
  EXPECT_EQ(epoch("a"), first_);
  EXPECT_EQ(view("a").state, GroupState::kActive) << "the epoch goes on";
  // After 1 s, 2 s, 4 s: about ten seconds have passed.
  const std::size_t failed = reports("a", "rekey-failed");
  EXPECT_GE(failed, 3U);
  EXPECT_LE(failed, 4U);
  EXPECT_EQ(node("a").count(protocol::kSaveFailed), failed);
  EXPECT_EQ(node("a").disk.at(group_.id).tuple, before);
  EXPECT_EQ(count(kRekey), 0U);

  node("a").save_outcome = {};
  net_.pass(seconds(10));
  const std::uint32_t now = epoch("a");
  EXPECT_GT(now, first_) << "a number that may have been saved is not used again";
  for (const char* name : {"b", "c"}) EXPECT_EQ(epoch(name), now) << name;
}

/// Only a clock that is set while an epoch lives gets there: no epoch outlives its token.
TEST_F(Rekeys, AreNotMadeUnderATokenThatHasEnded) {
  const Now later{net_.now().mono + kInterval, kNow + 181 * kDay};
  node("a").endpoint->handle_timeout(later);
  net_.settle();
  EXPECT_EQ(reports("a", "rekey-failed"), 1U);
  EXPECT_EQ(node("a").count(identity::kTokenExpired), 1U);
  EXPECT_EQ(count(kRekey), 0U);
}

class OfAControllerThatExpires : public Rekeys {
 protected:
  void SetUp() override {
    HostOptions options;
    options.roles.insert(identity::Role::kController);
    options.groups = {"demo"};
    options.not_after = kNow + kInterval - seconds(5) - identity::kClockSkew;
    net_.add("a", options);
    net_.add("b");
    create();
  }
};

TEST_F(OfAControllerThatExpires, NothingIsMadeAnyMore) {
  net_.pass(kInterval);
  EXPECT_EQ(epoch("a"), first_);
  EXPECT_GE(reports("a", "rekey-failed"), 1U);
  EXPECT_EQ(count(kRekey), 0U);
}

class WithABriefGrace : public Rekeys {
 protected:
  WithABriefGrace() { options_.token_grace_s = 3; }
};

TEST_F(WithABriefGrace, AnEpochThatEndsBeforeTheNextIsMadeEnds) {
  drop(kFirst);
  net_.pass(kInterval);
  EXPECT_EQ(view("a").state, GroupState::kExpired);
  EXPECT_EQ(count(kRekey), 0U);
  const auto said = [&] { return std::ranges::count(net_.log, "a", &Sent::from); };
  const auto before = said();
  net_.pass(seconds(60));
  EXPECT_EQ(said(), before) << "and its controller is silent";
  net_.filter = [](Sent&) { return true; };
  ASSERT_TRUE(net_.create("a", group_));
  net_.pass(seconds(2));
  EXPECT_GT(epoch("c"), first_);
  EXPECT_EQ(view("c").state, GroupState::kActive);
}

/// Two epochs of a sender always fit, three need not (profile R8). The controller's host slept
/// through both delays and the interval.
TEST_F(Rekeys, WaitUntilTheEpochBeforeTheLastIsDoneWith) {
  wait_for_epoch(first_ + 1);
  ASSERT_EQ(node("a").kernel->earlier, xfrm::Earlier::kKeep);
  const std::uint32_t saved = node("a").disk.at(group_.id).tuple.epoch;
  const Now awake{net_.now().mono + kInterval, net_.now().wall + kInterval};
  node("a").endpoint->handle_timeout(awake);  // the activation delay is over
  net_.settle();
  EXPECT_EQ(node("a").disk.at(group_.id).tuple.epoch, saved);
  node("a").endpoint->handle_timeout(awake);  // and the other
  net_.settle();
  EXPECT_EQ(node("a").disk.at(group_.id).tuple.epoch, saved + 1);
}

class NotAllowed : public Rekeys {
 protected:
  NotAllowed() { options_.actions = {"create"}; }
};

TEST_F(NotAllowed, WithoutTheActionThereIsNone) {
  EXPECT_FALSE(view("a").rekey_at);
  net_.pass(kInterval + seconds(options_.token_grace_s));
  EXPECT_EQ(view("a").state, GroupState::kExpired);
  EXPECT_EQ(count(kRekey), 0U);
}

}  // namespace
}  // namespace gkmpd::test
