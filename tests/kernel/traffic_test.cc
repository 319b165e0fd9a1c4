// Real multicast between hosts: what passes, what does not, and what is on the wire.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cerrno>

#include "tests/kernel/groups.h"

namespace gkmpd::test {
namespace {

using ::testing::Each;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr std::uint32_t kSpiA = 0x0a000001;
constexpr std::uint32_t kSpiB = 0x0a000002;

/// a sends, c listens, d is an outsider on the same segment.
class Traffic : public ::testing::Test {
 protected:
  Segment segment_{{"a", "c", "d"}};
  Agent a_{segment_, "a"};
  Agent c_{segment_, "c"};
  Sniffer wire_{segment_, "d"};
  Listener at_c_{segment_, "c", kGroup, kPort};
  Sender from_a_{segment_, "a", "10.9.0.1"};
  Sender from_d_{segment_, "d", "10.9.0.3"};
};

TEST_F(Traffic, ProtectedPassesAndIsEspOnTheWire) {
  a_.apply(sending("10.9.0.1", kSpiA));
  c_.apply(listening("10.9.0.1", kSpiA));
  for (const std::string payload : {"one", "two", "three"}) {
    EXPECT_EQ(from_a_.send(kGroup, kPort, payload), 0);
    EXPECT_EQ(at_c_.next(), payload);
  }
  const auto seen = wire_.protocols("10.9.0.1", kGroup);
  EXPECT_THAT(seen, SizeIs(3));
  EXPECT_THAT(seen, Each(IPPROTO_ESP));
}

TEST_F(Traffic, CleartextOfAnOutsiderIsDropped) {
  a_.apply(sending("10.9.0.1", kSpiA));
  c_.apply(listening("10.9.0.1", kSpiA));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(from_d_.send(kGroup, kPort, "forged"), 0);
  EXPECT_EQ(from_a_.send(kGroup, kPort, "genuine"), 0);
  EXPECT_EQ(at_c_.next(), "genuine");
  EXPECT_EQ(segment_.xfrm_counter("c", "XfrmInTmplMismatch"), 5U);
}

TEST_F(Traffic, AnOutsiderThatJoinsHearsNothing) {
  a_.apply(sending("10.9.0.1", kSpiA));
  const Listener at_d(segment_, "d", kGroup, kPort);
  EXPECT_EQ(from_a_.send(kGroup, kPort, "secret"), 0);
  EXPECT_EQ(from_d_.send(kGroup, kPort, "heard by itself"), 0);
  EXPECT_EQ(at_d.next(), "heard by itself");
  EXPECT_EQ(segment_.xfrm_counter("d", "XfrmInNoStates"), 1U);
}

TEST_F(Traffic, GuardBlocksBeforeActivation) {
  xfrm::GroupSpec spec = sending("10.9.0.1", kSpiA);
  spec.active_generation.reset();
  a_.apply(spec);
  EXPECT_EQ(from_a_.send(kGroup, kPort, "too early"), EPERM);
  EXPECT_EQ(segment_.xfrm_counter("a", "XfrmOutPolBlock"), 1U);
  EXPECT_THAT(wire_.protocols("10.9.0.1", kGroup), SizeIs(0));
}

TEST_F(Traffic, GuardBlocksASecondSourceAddressAndOtherPorts) {
  a_.apply(sending("10.9.0.1", kSpiA));
  segment_.ip("a", "addr add 10.9.0.11/24 dev eth0");
  const Sender second(segment_, "a", "10.9.0.11");
  EXPECT_EQ(second.send(kGroup, kPort, "leak"), EPERM);
  EXPECT_EQ(from_a_.send(kGroup, kPort + 1, "leak"), EPERM);
  EXPECT_THAT(wire_.protocols("10.9.0.11", kGroup), SizeIs(0));
  EXPECT_THAT(wire_.protocols("10.9.0.1", kGroup), SizeIs(0));
}

TEST_F(Traffic, AListenerThatIsNoSenderCannotSend) {
  c_.apply(listening("10.9.0.1", kSpiA));
  const Sender from_c(segment_, "c", "10.9.0.2");
  EXPECT_EQ(from_c.send(kGroup, kPort, "no sender"), EPERM);
}

TEST_F(Traffic, OtherGroupsAreLeftAlone) {
  a_.apply(sending("10.9.0.1", kSpiA));
  c_.apply(listening("10.9.0.1", kSpiA));
  const Listener other(segment_, "c", "239.1.1.2", kPort);
  EXPECT_EQ(from_a_.send("239.1.1.2", kPort, "in clear"), 0);
  EXPECT_EQ(other.next(), "in clear");
}

// A member that holds a's key cannot speak as itself under it: the SA's selector binds the source.
TEST_F(Traffic, AnSaIsBoundToItsSource) {
  xfrm::GroupSpec impostor = sending("10.9.0.3", kSpiA);
  Agent d(segment_, "d");
  d.apply(impostor);
  c_.apply(listening("10.9.0.1", kSpiA));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(from_d_.send(kGroup, kPort, "impostor"), 0);
  EXPECT_THAT(wire_.protocols("10.9.0.3", kGroup), Each(IPPROTO_ESP));

  // The impostor has used the first sequence numbers of the window: a's later ones pass.
  a_.apply(sending("10.9.0.1", kSpiA));
  for (int i = 0; i < 8; ++i) EXPECT_EQ(from_a_.send(kGroup, kPort, "a" + std::to_string(i)), 0);
  EXPECT_THAT(at_c_.next().value_or("nothing"), StartsWith("a"));
  EXPECT_EQ(segment_.xfrm_counter("c", "XfrmInStateMismatch"), 3U);
}

TEST_F(Traffic, TwoSendersBothHearEachOtherAndThemselves) {
  xfrm::GroupSpec at_a = sending("10.9.0.1", kSpiA);
  at_a.senders.push_back(sender_sa("10.9.0.2", kSpiB, 1, false));
  xfrm::GroupSpec at_c = sending("10.9.0.2", kSpiB);
  at_c.senders.push_back(sender_sa("10.9.0.1", kSpiA, 1, false));
  a_.apply(at_a);
  c_.apply(at_c);
  const Listener at_a_listener(segment_, "a", kGroup, kPort);
  const Sender from_c(segment_, "c", "10.9.0.2");
  EXPECT_EQ(from_a_.send(kGroup, kPort, "from a"), 0);
  EXPECT_EQ(at_c_.next(), "from a");
  EXPECT_EQ(at_a_listener.next(), "from a");  // looped as ESP, opened by a's own SA
  EXPECT_EQ(from_c.send(kGroup, kPort, "from c"), 0);
  EXPECT_EQ(at_a_listener.next(), "from c");
  EXPECT_EQ(at_c_.next(), "from c");
  EXPECT_THAT(wire_.protocols("10.9.0.2", kGroup), Each(IPPROTO_ESP));
}

TEST_F(Traffic, RolloverLosesNothing) {
  constexpr std::uint32_t kNextSpi = kSpiA + 0x10000;
  a_.apply(sending("10.9.0.1", kSpiA));
  c_.apply(listening("10.9.0.1", kSpiA));
  const auto passes = [this](const std::string& payload) {
    EXPECT_EQ(from_a_.send(kGroup, kPort, payload), 0) << payload;
    EXPECT_EQ(at_c_.next(), payload);
  };
  passes("old key");

  xfrm::GroupSpec both_at_c = listening("10.9.0.1", kSpiA);
  both_at_c.senders.push_back(sender_sa("10.9.0.1", kNextSpi, 2, false));
  c_.apply(both_at_c);
  xfrm::GroupSpec both_at_a = sending("10.9.0.1", kSpiA);
  both_at_a.senders.push_back(sender_sa("10.9.0.1", kNextSpi, 2, true));
  a_.apply(both_at_a);
  passes("new SA stands, old key still used");

  both_at_a.active_generation = 2;
  a_.apply(both_at_a);
  // With the old SA gone at the listener, only the new key can open this.
  both_at_c.senders.erase(both_at_c.senders.begin());
  c_.apply(both_at_c);
  passes("switched");

  both_at_a.senders.erase(both_at_a.senders.begin());
  a_.apply(both_at_a);
  passes("old SA gone");
  EXPECT_THAT(wire_.protocols("10.9.0.1", kGroup), Each(IPPROTO_ESP));
}

TEST_F(Traffic, AfterRemovalTheGroupIsOrdinaryAgain) {
  a_.apply(sending("10.9.0.1", kSpiA));
  c_.apply(listening("10.9.0.1", kSpiA));
  ASSERT_TRUE(a_.kernel().remove(a_.record()));
  ASSERT_TRUE(c_.kernel().remove(c_.record()));
  EXPECT_EQ(from_a_.send(kGroup, kPort, "plain"), 0);
  EXPECT_EQ(at_c_.next(), "plain");
  EXPECT_THAT(wire_.protocols("10.9.0.1", kGroup), Each(IPPROTO_UDP));
}

}  // namespace
}  // namespace gkmpd::test
