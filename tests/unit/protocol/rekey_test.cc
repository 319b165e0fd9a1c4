// Rekeys as a member meets them (RFC 2093 state 10): what it takes, what it does not look at, and
// how it gets what it missed.
#include <gtest/gtest.h>

#include "agent/crypto/errors.h"
#include "agent/keys/errors.h"
#include "agent/keys/packet.h"
#include "agent/protocol/channel.h"
#include "agent/protocol/errors.h"
#include "agent/protocol/limits.h"
#include "tests/unit/protocol/rekeyed_group.h"

namespace gkmpd::test {
namespace {

using protocol::GroupState;

constexpr std::string_view kRekey = "Rekey_Multicast";
constexpr std::string_view kRequest = "Repair_Request";

/// The controller has made the next epoch by itself; its members have heard nothing of it.
class MissedRekey : public RekeyedGroup {
 protected:
  void SetUp() override {
    RekeyedGroup::SetUp();
    net_.filter = [](Sent&) { return false; };
    wait_for_epoch(first_ + 1);
    net_.pass(milliseconds(options_.activation_delay_ms));  // the repetitions
    rekey_ = all(kRekey).front();
    ASSERT_EQ(epoch("b"), first_);
    ASSERT_EQ(epoch("c"), first_);
  }

  /// The rekey as `forger` would have made it, with `change`: with its signature, and under the
  /// GKEK that members hold.
  Sent forged(const std::string& forger, const std::function<void(wire::Statement&)>& change = {}) {
    wire::Statement statement = statement_of(rekey_);
    if (change) change(statement);
    wire::RekeyMulticast message;
    message.statement = wire::encode(statement);
    message.statement_signature = *net_.credentials(forger).key.sign(
        crypto::SignatureContext::kStatement, {message.statement});
    const auto held = node("c").endpoint->held_keys(group_.id);
    message.encrypted_grp_keys = keys::seal_packet(
        crypto::Hash::kSha256, held->gkek, message.statement, message.statement_signature,
        {Secret::copy_of(Bytes(32, 1)), Secret::copy_of(Bytes(32, 2))});
    const auto datagram = wire::decode_datagram(rekey_.octets);
    return {forger, rekey_.to, protocol::plain_datagram(datagram->header, message)};
  }
  /// With other keys than its statement names, and nobody's key to make them with.
  [[nodiscard]] Sent garbled() const {
    Sent garbled = rekey_;
    garbled.octets.back() ^= 1;
    return garbled;
  }

  void let_pass(const std::function<bool(const Sent&)>& good) {
    net_.filter = [good](Sent& sent) { return good(sent); };
  }

  Sent rekey_;
};

// --- Taking one ----------------------------------------------------------------------------------

TEST_F(MissedRekey, IsTakenAndBothEpochsStandForTheirDelays) {
  const auto generation = static_cast<xfrm::Generation>(statement_of(rekey_).tuple.epoch % 16);
  ASSERT_TRUE(node("b").kernel);
  const auto before = node("b").kernel->active_generation;
  deliver_to("b", rekey_);
  EXPECT_EQ(epoch("b"), first_ + 1);
  EXPECT_TRUE(node("b").reported("keyed"));
  EXPECT_EQ(node("b").disk.at(group_.id).tuple, statement_of(rekey_).tuple);
  const auto keys = node("b").endpoint->held_keys(group_.id);
  const auto controllers = node("a").endpoint->held_keys(group_.id);
  EXPECT_TRUE(keys->gtek.equals(controllers->gtek));
  EXPECT_TRUE(keys->gkek.equals(controllers->gkek));

  EXPECT_EQ(node("b").kernel->earlier, xfrm::Earlier::kKeep);
  EXPECT_FALSE(node("b").kernel->active_generation) << "sends under the epoch before";
  net_.pass(milliseconds(options_.activation_delay_ms));
  EXPECT_EQ(node("b").kernel->earlier, xfrm::Earlier::kKeep);
  EXPECT_EQ(node("b").kernel->active_generation, generation);
  EXPECT_NE(node("b").kernel->active_generation, before);
  net_.pass(milliseconds(options_.deactivation_delay_ms - options_.activation_delay_ms));
  EXPECT_EQ(node("b").kernel->earlier, xfrm::Earlier::kRemove);
  EXPECT_TRUE(view("b").sending);
}

TEST_F(MissedRekey, ChangesNothingWhenItComesAgain) {
  deliver_to("b", rekey_);
  const std::size_t reports_before = node("b").reports.size();
  const auto counters = node("b").endpoint->counters();
  for (int i = 0; i < 20; ++i) deliver_to("b", rekey_);
  EXPECT_EQ(node("b").reports.size(), reports_before);
  EXPECT_EQ(node("b").endpoint->counters(), counters);
  EXPECT_EQ(reports("b", "keyed"), 2U);
}

TEST_F(MissedRekey, IsOfNoUseToOneWhoseEpochHasEnded) {
  net_.pass(kInterval + seconds(options_.token_grace_s));
  ASSERT_EQ(view("b").state, GroupState::kExpired);
  deliver_to("b", rekey_);
  EXPECT_EQ(node("b").count(protocol::kStatementStale), 1U);
  EXPECT_EQ(view("b").state, GroupState::kExpired);
}

class OfOneThatExpires : public MissedRekey {
 protected:
  OfOneThatExpires() { options_of_b_.not_after = kNow + kInterval - identity::kClockSkew; }
};

TEST_F(OfOneThatExpires, WhoseOwnCertificateHasExpiredTakesNoMore) {
  ASSERT_GT(net_.now().wall, kNow + kInterval);
  const auto counters = node("b").count(crypto::kChainExpired);
  deliver_to("b", rekey_);
  EXPECT_EQ(node("b").count(crypto::kChainExpired), counters + 1);
  EXPECT_EQ(epoch("b"), first_);
  deliver_to("c", rekey_);
  EXPECT_EQ(epoch("c"), first_ + 1);
}

TEST_F(MissedRekey, WhoseMarkCouldNotBeSavedIsAskedForAgain) {
  node("b").save_outcome = fail("store.write-failed", "disk full");
  const EpochTuple before = node("b").disk.at(group_.id).tuple;
  deliver_to("b", rekey_);
  EXPECT_EQ(epoch("b"), first_);
  EXPECT_EQ(node("b").disk.at(group_.id).tuple, before);
  EXPECT_TRUE(node("b").reported("rekey-not-taken"));
  EXPECT_EQ(node("b").count(ErrorKind("store.write-failed")), 1U);
  deliver_to("b", rekey_);
  EXPECT_EQ(reports("b", "rekey-not-taken"), 2U) << "each repetition is another chance";

  node("b").save_outcome = {};
  let_pass([](const Sent& sent) { return sent.message() != "Heartbeat"; });
  net_.pass(protocol::kRepairSpread + protocol::kRepairQuiet + protocol::kRepairSpread);
  EXPECT_GE(count(kRequest), 1U);
  EXPECT_EQ(epoch("b"), first_ + 1);
  EXPECT_EQ(node("b").disk.at(group_.id).tuple, statement_of(rekey_).tuple);
}

// --- Forgeries -----------------------------------------------------------------------------------

TEST_F(MissedRekey, OutsidersForgeriesCostNoSignatureCheck) {
  for (int i = 0; i < 50; ++i) deliver_to("b", garbled());
  EXPECT_EQ(node("b").count(keys::kBadPacket), 50U);
  EXPECT_EQ(node("b").count(protocol::kCheckRate), 0U);
  EXPECT_EQ(epoch("b"), first_);
  deliver_to("b", rekey_);
  EXPECT_EQ(epoch("b"), first_ + 1);
}

TEST_F(MissedRekey, WhatOutsidersCanHaveCheckedDoesNotHoldUpATrueOne) {
  Sent heartbeat = all("Heartbeat").back();
  heartbeat.octets.back() ^= 1;
  for (int i = 0; i < 50; ++i) {
    deliver_to("b", forged("c", [](auto& s) { s.previous[0] ^= 1; }));
    deliver_to("b", heartbeat);
  }
  EXPECT_EQ(node("b").count(crypto::kBadSignature),
            static_cast<std::uint64_t>(protocol::kChecksPerSecond));
  EXPECT_EQ(node("b").count(protocol::kCheckRate), 100U - protocol::kChecksPerSecond);
  EXPECT_EQ(count(kRequest), 0U) << "nothing is missing on a forger's word";
  deliver_to("b", rekey_);
  EXPECT_EQ(epoch("b"), first_ + 1);
}

TEST_F(MissedRekey, MembersForgeriesCostABoundedNumberOfChecks) {
  const Sent forgery = forged("c");
  for (int i = 0; i < 50; ++i) deliver_to("b", forgery);
  EXPECT_EQ(node("b").count(crypto::kBadSignature),
            static_cast<std::uint64_t>(protocol::kChecksPerSecond));
  EXPECT_EQ(node("b").count(protocol::kCheckRate), 50U - protocol::kChecksPerSecond);
  EXPECT_EQ(epoch("b"), first_);
  net_.pass(seconds(1));
  deliver_to("b", rekey_);
  EXPECT_EQ(epoch("b"), first_ + 1);
}

/// With an item that nothing covers; and with other keys, which only who holds the GKEK sees.
TEST_F(MissedRekey, AForgedCopyDoesNotTakeThePlaceOfTheTrueOne) {
  Sent longer = rekey_;
  append(longer.octets, from_hex("123400020102").value());
  deliver_to("b", longer);
  ASSERT_EQ(epoch("b"), first_ + 1);
  deliver_to("b", garbled());
  const std::size_t sent = count(kRekey);

  let_pass([](const Sent& each) { return each.from != "a"; });
  deliver_to("c", all("Heartbeat").back());
  net_.pass(seconds(3));
  ASSERT_EQ(count(kRequest), 1U);
  EXPECT_EQ(epoch("c"), first_ + 1);
  ASSERT_GT(count(kRekey), sent);
  for (const Sent& each : all(kRekey)) EXPECT_EQ(each.octets, rekey_.octets) << each.from;
}

// --- Repair --------------------------------------------------------------------------------------

TEST_F(MissedRekey, IsAskedForOnceItIsHeardOfAndAnsweredFew) {
  const std::size_t sent = count(kRekey);
  // Silence was long enough for b and c to ask the controller itself, which is not looked at here.
  let_pass([](const Sent& each) { return each.message() != "Request_Group_Join"; });
  net_.pass(seconds(5));
  EXPECT_EQ(epoch("b"), first_ + 1);
  EXPECT_EQ(epoch("c"), first_ + 1);
  EXPECT_EQ(reports("b", "epoch-missed"), 1U);
  EXPECT_EQ(reports("c", "epoch-missed"), 1U);
  EXPECT_GE(count(kRequest), 1U);
  EXPECT_LE(count(kRequest), 2U);
  EXPECT_LE(count(kRekey) - sent, 2U);
  EXPECT_EQ(view("b").state, GroupState::kActive);
}

TEST_F(MissedRekey, IsAskedForAgainUntilItComes) {
  let_pass([](const Sent& sent) { return sent.message() == "Heartbeat"; });
  net_.pass(seconds(10));
  const std::size_t asked = count(kRequest);
  // Two members, each within 2 s after its own last question.
  EXPECT_GE(asked, 8U);
  EXPECT_LE(asked, 14U);
  EXPECT_EQ(reports("b", "epoch-missed"), 1U) << "told once";
  EXPECT_EQ(epoch("b"), first_);
}

TEST_F(MissedRekey, AnothersQuestionServesToo) {
  let_pass([](const Sent& sent) { return sent.message() != kRekey; });
  net_.pass(seconds(10));
  // As before, but who hears the question waits with its own.
  EXPECT_LE(count(kRequest), 8U);
  EXPECT_GE(count(kRequest), 4U);
}

TEST_F(MissedRekey, SeveralAreBroughtOneAfterTheOther) {
  wait_for_epoch(first_ + 2);
  ASSERT_EQ(epoch("b"), first_) << "its epoch goes on for the grace";
  // The newest alone tells who is signed for it that one is missing.
  deliver_to("b", all(kRekey).back());
  EXPECT_EQ(node("b").count(protocol::kEpochMissing), 1U);
  EXPECT_EQ(epoch("b"), first_);
  let_pass([](const Sent& sent) { return sent.message() != "Heartbeat"; });
  net_.pass(seconds(4));
  EXPECT_EQ(epoch("b"), first_ + 2);
}

TEST_F(MissedRekey, AFloodOfQuestionsIsAnsweredOnceASecond) {
  let_pass([](const Sent& sent) { return sent.message() != "Heartbeat"; });
  deliver_to("b", all("Heartbeat").back());
  net_.pass(seconds(4));
  ASSERT_EQ(epoch("b"), first_ + 1);
  const Sent request = all(kRequest).front();
  const std::size_t sent = count(kRekey);
  for (int i = 0; i < 1000; ++i) {
    for (const char* name : {"a", "b", "c"}) deliver_to(name, request);
    net_.pass(milliseconds(5));
  }
  EXPECT_GE(count(kRekey) - sent, 3U);
  EXPECT_LE(count(kRekey) - sent, 5U);
}

TEST_F(MissedRekey, QuestionsAboutAnEpochThatNobodyKnowsAreNotAnswered) {
  let_pass([](const Sent&) { return true; });
  net_.pass(seconds(8));
  const std::size_t sent = net_.log.size();
  Sent request = all(kRequest).front();
  request.octets[wire::kHeaderSize + 4] ^= 1;
  net_.filter = [](Sent&) { return false; };
  for (const char* name : {"a", "b", "c"}) deliver_to(name, request);
  net_.pass(milliseconds(900));
  EXPECT_LE(net_.log.size(), sent + 1) << "a heartbeat at most";
}

}  // namespace
}  // namespace gkmpd::test
