// Heartbeats (profile P17, S24): what a member believes, and what it does not look at.
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/crypto/errors.h"
#include "agent/protocol/errors.h"
#include "agent/protocol/limits.h"
#include "agent/wire/messages.h"
#include "tests/unit/protocol/hosts.h"

namespace gkmpd::test {
namespace {

using protocol::GroupState;

class Heartbeats : public testing::Test {
 protected:
  void SetUp() override {
    net_.add_controller("a");
    net_.add("b");
    group_ = net_.group();
    ASSERT_TRUE(net_.create("a", group_));
    net_.pass(milliseconds(2500));
    for (const Sent& sent : net_.log) {
      if (sent.message() == "Heartbeat") last_ = sent;
    }
    ASSERT_FALSE(last_.octets.empty());
  }

  [[nodiscard]] wire::Heartbeat decoded() const {
    const auto datagram = wire::decode_datagram(last_.octets);
    return std::get<wire::Heartbeat>(
        *wire::decode_body(wire::MessageType::kHeartbeat, datagram->body));
  }

  /// The last heartbeat with `change` applied, signed by `signer`.
  [[nodiscard]] Sent changed(const std::function<void(wire::Heartbeat&)>& change,
                             const std::string& signer = "a") {
    wire::Heartbeat heartbeat = decoded();
    heartbeat.number += 10;
    change(heartbeat);
    const auto datagram = wire::decode_datagram(last_.octets);
    Bytes octets = to_bytes(wire::encode_header(datagram->header));
    append(octets, wire::encode_unsigned(heartbeat));
    heartbeat.signature =
        *net_.credentials(signer).key.sign(crypto::SignatureContext::kHeartbeat, {octets});
    Bytes whole = to_bytes(wire::encode_header(datagram->header));
    append(whole, wire::encode_body(heartbeat));
    return {"a", last_.to, whole};
  }

  [[nodiscard]] GroupState state() { return net_.node("b").endpoint->group("demo")->state; }

  TestNet net_;
  TestGroup group_;
  Sent last_;
};

TEST_F(Heartbeats, MakeAMemberActiveAndSilenceIsNoticedAndTakenBack) {
  EXPECT_EQ(state(), GroupState::kActive);
  net_.filter = [](Sent&) { return false; };
  net_.pass(milliseconds(3500));
  EXPECT_EQ(state(), GroupState::kSilent);
  EXPECT_TRUE(net_.node("b").reported("controller-silent"));
  net_.filter = [](Sent&) { return true; };
  net_.pass(milliseconds(1100));
  EXPECT_EQ(state(), GroupState::kActive);
  EXPECT_TRUE(net_.node("b").reported("controller-heard-again"));
}

TEST_F(Heartbeats, OfTheSameNumberAreDroppedWithoutLookingAtTheSignature) {
  Sent replay = last_;
  replay.octets.back() ^= 1;  // a signature that would not hold
  net_.deliver(replay);
  EXPECT_EQ(net_.node("b").count(protocol::kHeartbeatStale), 1U);
  EXPECT_EQ(net_.node("b").count(crypto::kBadSignature), 0U);
}

TEST_F(Heartbeats, ThatAnotherHostSignedAreDropped) {
  net_.deliver(changed([](wire::Heartbeat&) {}, "b"));
  EXPECT_EQ(net_.node("b").count(crypto::kBadSignature), 1U);
  // The true one, with a lower number than the forged one claimed, still counts.
  net_.filter = [](Sent&) { return false; };
  net_.pass(milliseconds(3500));
  ASSERT_EQ(state(), GroupState::kSilent);
  net_.deliver(changed([](wire::Heartbeat& h) {
    h.number -= 9;
    h.time += seconds(3);
  }));
  EXPECT_EQ(state(), GroupState::kActive);
}

TEST_F(Heartbeats, OfOtherContentAreDroppedByName) {
  const auto& node = net_.node("b");
  net_.deliver(changed([](wire::Heartbeat& h) { h.tuple.epoch += 1; }));
  EXPECT_EQ(node.count(protocol::kEpochMissing), 1U);
  net_.deliver(changed([](wire::Heartbeat& h) { h.tuple.epoch -= 1; }));
  EXPECT_EQ(node.count(protocol::kHeartbeatStale), 1U);
  net_.deliver(changed([](wire::Heartbeat& h) { h.time += seconds(400); }));
  net_.deliver(changed([](wire::Heartbeat& h) { h.time -= seconds(400); }));
  EXPECT_EQ(node.count(protocol::kHeartbeatTime), 2U);
  net_.deliver(changed([](wire::Heartbeat& h) { h.epoch_id[0] ^= 1; }));
  net_.deliver(changed([](wire::Heartbeat& h) { h.token_hash[0] ^= 1; }));
  net_.deliver(changed([](wire::Heartbeat& h) { h.exclusion_hash[0] ^= 1; }));
  net_.deliver(changed([](wire::Heartbeat& h) { h.control_multicast.port ^= 1; }));
  net_.deliver(changed([](wire::Heartbeat& h) { h.control_unicast.port ^= 1; }));
  EXPECT_EQ(node.count(protocol::kHeartbeatContent), 5U);
}

/// Of an epoch that is missing: it is told once, and asked for.
TEST_F(Heartbeats, OfANewerEpochCountOnceAndAfterThemOnlyLaterOnes) {
  auto& node = net_.node("b");
  const auto newer = [&](std::uint32_t epochs, std::uint64_t number) {
    return changed([&](wire::Heartbeat& h) {
      h.tuple.epoch += epochs;
      h.number = number;
      h.epoch_id[0] ^= 1;
    });
  };
  net_.deliver(newer(2, 7));
  EXPECT_EQ(node.count(protocol::kEpochMissing), 1U);
  net_.deliver(newer(2, 7));
  net_.deliver(newer(2, 6));
  net_.deliver(newer(1, 99));
  EXPECT_EQ(node.count(protocol::kHeartbeatStale), 3U);
  net_.deliver(newer(2, 8));
  EXPECT_EQ(node.count(protocol::kEpochMissing), 2U);
  EXPECT_EQ(node.count(crypto::kBadSignature), 0U);

  net_.filter = [](Sent&) { return false; };
  net_.pass(protocol::kRepairSpread);
  EXPECT_EQ(std::ranges::count(node.reports, "epoch-missed", &protocol::Report::what), 1);
  EXPECT_EQ(net_.messages().back(), "Repair_Request");
}

/// Or a dead controller would seem alive for as long as their time is good.
TEST_F(Heartbeats, OfANewerEpochThatAreRepeatedDoNotHideSilence) {
  const Sent newer = changed([](wire::Heartbeat& h) { h.tuple.epoch += 1; });
  net_.filter = [](Sent&) { return false; };
  for (int i = 0; i < 8; ++i) {
    net_.deliver(newer);
    net_.pass(milliseconds(500));
  }
  EXPECT_EQ(state(), GroupState::kSilent);
}

TEST_F(Heartbeats, OfATokensOtherTermAreNotAskedFor) {
  net_.deliver(changed([](wire::Heartbeat& h) { h.tuple.term += 1; }));
  EXPECT_EQ(net_.node("b").count(protocol::kEpochMissing), 1U);
  net_.filter = [](Sent&) { return false; };
  net_.pass(seconds(3));
  EXPECT_EQ(std::ranges::count(net_.messages(), "Repair_Request"), 0)
      << "no package of it could be opened here";
  EXPECT_FALSE(net_.node("b").reported("epoch-missed"));
}

TEST_F(Heartbeats, ForgedOnesCostABoundedNumberOfSignatureChecks) {
  net_.pass(seconds(1));
  const std::uint64_t before = net_.node("b").count(crypto::kBadSignature);
  Sent forged = changed([](wire::Heartbeat&) {}, "b");
  for (int i = 0; i < 50; ++i) net_.deliver(forged);
  EXPECT_LE(net_.node("b").count(crypto::kBadSignature) - before,
            static_cast<std::uint64_t>(protocol::kChecksPerSecond));
  EXPECT_GE(net_.node("b").count(protocol::kCheckRate), 42U);
}

}  // namespace
}  // namespace gkmpd::test
