// Real multicast between hosts: what passes, what does not, and what is on the wire.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cerrno>
#include <tuple>

#include "tests/kernel/groups.h"

namespace gkmpd::test {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr std::uint32_t kSpiA = 0x0a000001;
constexpr std::uint32_t kSpiB = 0x0a000002;

/// a sends, c listens, d is an outsider on the same segment.
class OnSegment {
 protected:
  OnSegment(const Family& family, IpsecMode mode, EspSuite suite)
      : family_(family), mode_(mode), suite_(suite) {}

  [[nodiscard]] xfrm::GroupSpec at_sender(const std::string& source, std::uint32_t spi) const {
    xfrm::GroupSpec spec = sending(source, spi, suite_);
    spec.mode = mode_;
    return spec;
  }
  [[nodiscard]] xfrm::GroupSpec at_listener(const std::string& source, std::uint32_t spi) const {
    xfrm::GroupSpec spec = listening(source, spi, suite_);
    spec.mode = mode_;
    return spec;
  }
  [[nodiscard]] xfrm::SenderSa sa(const std::string& source, std::uint32_t spi,
                                  xfrm::Generation generation, bool outbound) const {
    return sender_sa(source, spi, generation, outbound, suite_);
  }
  void passes(const Sender& from, const std::string& payload, const Listener& at) const {
    EXPECT_EQ(from.send(group_, kPort, payload), 0) << payload;
    EXPECT_EQ(at.next(), payload);
  }

  const Family& family_;
  const IpsecMode mode_;
  const EspSuite suite_;
  const std::string group_ = family_.group;
  const std::string a_address_ = family_.host(1);
  const std::string c_address_ = family_.host(2);
  const std::string d_address_ = family_.host(3);
  Segment segment_{{"a", "c", "d"}};
  Agent a_{segment_, "a"};
  Agent c_{segment_, "c"};
  Sniffer wire_{segment_, "d"};
  Listener at_c_{segment_, "c", group_, kPort};
  Sender from_a_{segment_, "a", a_address_};
  Sender from_d_{segment_, "d", d_address_};
};

/// So that each suite meets both modes and both families, and each mode both families.
IpsecMode mode_for(const std::tuple<Family, EspSuite>& both) {
  const bool ipv6 = std::get<Family>(both).name == std::string(kIpv6.name);
  const bool even = static_cast<unsigned>(std::get<EspSuite>(both)) % 2 == 0;
  return ipv6 == even ? IpsecMode::kTransport : IpsecMode::kTunnel;
}

/// What may depend on the suite.
class SuiteTraffic : public ::testing::TestWithParam<std::tuple<Family, EspSuite>>,
                     protected OnSegment {
 protected:
  SuiteTraffic()
      : OnSegment(std::get<Family>(GetParam()), mode_for(GetParam()),
                  std::get<EspSuite>(GetParam())) {}
};

/// What policies do, with one suite.
class Traffic : public ::testing::TestWithParam<std::tuple<Family, IpsecMode>>,
                protected OnSegment {
 protected:
  Traffic()
      : OnSegment(std::get<Family>(GetParam()), std::get<IpsecMode>(GetParam()),
                  EspSuite::kAesGcm128) {}
};

TEST_P(SuiteTraffic, ProtectedPassesAndIsEspOnTheWire) {
  a_.apply(at_sender(a_address_, kSpiA));
  c_.apply(at_listener(a_address_, kSpiA));
  for (const std::string payload : {"one", "two", "three"}) passes(from_a_, payload, at_c_);
  const auto seen = wire_.protocols(a_address_, group_, 3);
  EXPECT_THAT(seen, SizeIs(3));
  EXPECT_THAT(seen, Each(IPPROTO_ESP));
}

TEST_P(SuiteTraffic, CleartextOfAnOutsiderIsDropped) {
  a_.apply(at_sender(a_address_, kSpiA));
  c_.apply(at_listener(a_address_, kSpiA));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(from_d_.send(group_, kPort, "forged"), 0);
  EXPECT_EQ(from_a_.send(group_, kPort, "genuine"), 0);
  EXPECT_EQ(at_c_.next(), "genuine");
  EXPECT_EQ(segment_.xfrm_counter_at("c", "XfrmInTmplMismatch", 5), 5U);
}

TEST_P(Traffic, AnOutsiderThatJoinsHearsNothing) {
  a_.apply(at_sender(a_address_, kSpiA));
  const Listener at_d(segment_, "d", group_, kPort);
  EXPECT_EQ(from_a_.send(group_, kPort, "secret"), 0);
  EXPECT_EQ(from_d_.send(group_, kPort, "heard by itself"), 0);
  EXPECT_EQ(at_d.next(), "heard by itself");
  EXPECT_EQ(segment_.xfrm_counter_at("d", "XfrmInNoStates", 1), 1U);
}

TEST_P(Traffic, GuardBlocksBeforeActivation) {
  xfrm::GroupSpec spec = at_sender(a_address_, kSpiA);
  spec.active_generation.reset();
  a_.apply(spec);
  EXPECT_EQ(from_a_.send(group_, kPort, "too early"), EPERM);
  EXPECT_EQ(segment_.xfrm_counter_at("a", "XfrmOutPolBlock", 1), 1U);
  EXPECT_THAT(wire_.protocols(a_address_, group_, 0), SizeIs(0));
}

TEST_P(Traffic, GuardBlocksASecondSourceAddressAndOtherPorts) {
  a_.apply(at_sender(a_address_, kSpiA));
  const std::string second_address = family_.host(11);
  segment_.ip("a", family_.add_address(11));
  const Sender second(segment_, "a", second_address);
  EXPECT_EQ(second.send(group_, kPort, "leak"), EPERM);
  EXPECT_EQ(from_a_.send(group_, kPort + 1, "leak"), EPERM);
  EXPECT_THAT(wire_.protocols(second_address, group_, 0), SizeIs(0));
  EXPECT_THAT(wire_.protocols(a_address_, group_, 0), SizeIs(0));
}

TEST_P(Traffic, AListenerThatIsNoSenderCannotSend) {
  c_.apply(at_listener(a_address_, kSpiA));
  const Sender from_c(segment_, "c", c_address_);
  EXPECT_EQ(from_c.send(group_, kPort, "no sender"), EPERM);
}

TEST_P(Traffic, OtherGroupsAreLeftAlone) {
  a_.apply(at_sender(a_address_, kSpiA));
  c_.apply(at_listener(a_address_, kSpiA));
  const Listener other(segment_, "c", family_.other_group, kPort);
  EXPECT_EQ(from_a_.send(family_.other_group, kPort, "in clear"), 0);
  EXPECT_EQ(other.next(), "in clear");
}

// A member that holds a's key cannot speak as itself under it: the SA's selector binds the source.
TEST_P(SuiteTraffic, AnSaIsBoundToItsSource) {
  xfrm::GroupSpec impostor = at_sender(d_address_, kSpiA);
  Agent d(segment_, "d");
  d.apply(impostor);
  c_.apply(at_listener(a_address_, kSpiA));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(from_d_.send(group_, kPort, "impostor"), 0);

  // The impostor has used the first sequence numbers of the window: a's later ones pass.
  a_.apply(at_sender(a_address_, kSpiA));
  for (int i = 0; i < 8; ++i) EXPECT_EQ(from_a_.send(group_, kPort, "a" + std::to_string(i)), 0);
  EXPECT_THAT(at_c_.next().value_or("nothing"), StartsWith("a"));
  EXPECT_EQ(segment_.xfrm_counter_at("c", "XfrmInStateMismatch", 3), 3U);
}

TEST_P(SuiteTraffic, TwoSendersBothHearEachOtherAndThemselves) {
  // What comes out of an IPv4 tunnel from an address of this host's own is a martian by default.
  for (const char* host : {"a", "c"}) segment_.set(host, "net/ipv4/conf/all/accept_local", "1");
  xfrm::GroupSpec at_a = at_sender(a_address_, kSpiA);
  at_a.senders.push_back(sa(c_address_, kSpiB, 1, false));
  xfrm::GroupSpec at_c = at_sender(c_address_, kSpiB);
  at_c.senders.push_back(sa(a_address_, kSpiA, 1, false));
  a_.apply(at_a);
  c_.apply(at_c);
  const Listener at_a_listener(segment_, "a", group_, kPort);
  const Sender from_c(segment_, "c", c_address_);
  EXPECT_EQ(from_a_.send(group_, kPort, "from a"), 0);
  EXPECT_EQ(at_c_.next(), "from a");
  EXPECT_EQ(at_a_listener.next(), "from a");  // looped as ESP, opened by a's own SA
  EXPECT_EQ(from_c.send(group_, kPort, "from c"), 0);
  EXPECT_EQ(at_a_listener.next(), "from c");
  EXPECT_EQ(at_c_.next(), "from c");
  EXPECT_THAT(wire_.protocols(c_address_, group_, 1), AllOf(SizeIs(1), Each(IPPROTO_ESP)));
}

TEST_P(SuiteTraffic, RolloverLosesNothing) {
  constexpr std::uint32_t kNextSpi = kSpiA + 0x10000;
  a_.apply(at_sender(a_address_, kSpiA));
  c_.apply(at_listener(a_address_, kSpiA));
  passes(from_a_, "old key", at_c_);

  xfrm::GroupSpec both_at_c = at_listener(a_address_, kSpiA);
  both_at_c.senders.push_back(sa(a_address_, kNextSpi, 2, false));
  c_.apply(both_at_c);
  xfrm::GroupSpec both_at_a = at_sender(a_address_, kSpiA);
  both_at_a.senders.push_back(sa(a_address_, kNextSpi, 2, true));
  a_.apply(both_at_a);
  passes(from_a_, "new SA stands, old key still used", at_c_);

  both_at_a.active_generation = 2;
  a_.apply(both_at_a);
  // With the old SA gone at the listener, only the new key can open this.
  both_at_c.senders.erase(both_at_c.senders.begin());
  c_.apply(both_at_c);
  passes(from_a_, "switched", at_c_);

  both_at_a.senders.erase(both_at_a.senders.begin());
  a_.apply(both_at_a);
  passes(from_a_, "old SA gone", at_c_);
  EXPECT_THAT(wire_.protocols(a_address_, group_, 4), AllOf(SizeIs(4), Each(IPPROTO_ESP)));
}

TEST_P(Traffic, AfterRemovalTheGroupIsOrdinaryAgain) {
  a_.apply(at_sender(a_address_, kSpiA));
  c_.apply(at_listener(a_address_, kSpiA));
  ASSERT_TRUE(a_.kernel().remove(a_.record()));
  ASSERT_TRUE(c_.kernel().remove(c_.record()));
  EXPECT_EQ(from_a_.send(group_, kPort, "plain"), 0);
  EXPECT_EQ(at_c_.next(), "plain");
  EXPECT_THAT(wire_.protocols(a_address_, group_, 1), AllOf(SizeIs(1), Each(IPPROTO_UDP)));
}

// A host's own listener: by default it is deaf to its host in an IPv4 tunnel, and only there.
TEST_P(Traffic, WhetherASenderHearsItself) {
  a_.apply(at_sender(a_address_, kSpiA));
  const Listener at_a(segment_, "a", group_, kPort);
  EXPECT_EQ(from_a_.send(group_, kPort, "lost?"), 0);
  const bool deaf = mode_ == IpsecMode::kTunnel && ip_of(group_).family == IpFamily::kV4;
  // Two that are under way at once can overtake each other where there are two processors.
  if (!deaf) {
    EXPECT_EQ(at_a.next(), "lost?");
  }
  if (deaf) segment_.set("a", "net/ipv4/conf/all/accept_local", "1");
  EXPECT_EQ(from_a_.send(group_, kPort, "heard"), 0);
  EXPECT_EQ(at_a.next(), "heard");
}

INSTANTIATE_TEST_SUITE_P(FamiliesAndModes, Traffic,
                         ::testing::Combine(::testing::Values(kIpv4, kIpv6),
                                            ::testing::Values(IpsecMode::kTransport,
                                                              IpsecMode::kTunnel)),
                         FamilyAndMode());

INSTANTIATE_TEST_SUITE_P(FamiliesAndSuites, SuiteTraffic,
                         ::testing::Combine(::testing::Values(kIpv4, kIpv6),
                                            ::testing::Values(EspSuite::kAesGcm128,
                                                              EspSuite::kAesGcm256,
                                                              EspSuite::kAesCbc128HmacSha256)),
                         [](const auto& both) {
                           return std::get<Family>(both.param).name +
                                  name_of(mode_for(both.param)) +
                                  name_of(std::get<EspSuite>(both.param));
                         });

}  // namespace
}  // namespace gkmpd::test
