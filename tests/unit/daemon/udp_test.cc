#include "agent/daemon/udp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <set>

#include "agent/daemon/errors.h"
#include "agent/wire/header.h"

namespace gkmpd::daemon {
namespace {

using testing::ElementsAre;
using testing::Pair;

const IpAddress kOwn = *IpAddress::parse("10.9.0.1");
const IpAddress kGroup = *IpAddress::parse("239.1.1.2");
const Reach kReach{.interface = 3, .loopback = 1, .own = kOwn, .joined = {kGroup}};

std::string_view refused(const Arrival& arrival) {
  const auto why = refuse_arrival(arrival, kReach);
  return why ? why->name() : "";
}

constexpr auto kHeartbeat = static_cast<std::uint8_t>(wire::MessageType::kHeartbeat);

TEST(Arrival, ByMulticastComesOnlyWhatIsForTheWholeGroup) {
  const std::set<unsigned> for_all = {11, 15, 20};  // Rekey_Multicast, Heartbeat, Repair_Request
  for (unsigned type = 0; type < 256; ++type) {
    EXPECT_EQ(refused({3, kGroup, 100, false, static_cast<std::uint8_t>(type)}),
              for_all.contains(type) ? "" : kUdpNotForMulticast.name())
        << type;
    EXPECT_EQ(refused({3, kOwn, 100, false, static_cast<std::uint8_t>(type)}),
              for_all.contains(type) ? kUdpNotForUnicast.name() : "")
        << type;
  }
}

TEST(Arrival, WhatIsMeantForUsPasses) {
  EXPECT_EQ(refused({3, kOwn, 100, false}), "");
  EXPECT_EQ(refused({1, kOwn, 100, false}), "");
  EXPECT_EQ(refused({3, kGroup, wire::kMaxDatagram, false, kHeartbeat}), "");
}

TEST(Arrival, OtherInterfacesAreRefused) {
  EXPECT_EQ(refused({4, kOwn, 100, false}), kUdpOtherInterface.name());
  EXPECT_EQ(refused({4, kGroup, 100, false}), kUdpOtherInterface.name());
  // Loopback passes for unicast alone.
  EXPECT_EQ(refused({1, kGroup, 100, false}), kUdpOtherInterface.name());
}

TEST(Arrival, OtherDestinationsAreRefused) {
  EXPECT_EQ(refused({3, *IpAddress::parse("10.9.0.9"), 100, false}), kUdpOtherDestination.name());
  EXPECT_EQ(refused({3, *IpAddress::parse("239.1.1.3"), 100, false}), kUdpOtherDestination.name());
}

TEST(Arrival, LongOnesAreRefused) {
  EXPECT_EQ(refused({3, kOwn, wire::kMaxDatagram + 1, false}), kUdpTooLong.name());
  EXPECT_EQ(refused({3, kOwn, 100, true}), kUdpTooLong.name());
}

/// Two sockets of ours on the loopback interface, at addresses of their own.
class UdpPair : public testing::Test {
 protected:
  void SetUp() override {
    const unsigned lo = ::if_nametoindex("lo");
    // A port that was free a moment ago; both sockets bind it at all addresses, so the second takes
    // another.
    a_ = open(lo, "127.0.0.2");
    b_ = open(lo, "127.0.0.3");
    ASSERT_TRUE(a_ && b_);
  }

  std::optional<UdpSocket> open(unsigned interface, const std::string& address) {
    for (std::uint16_t port = 20480; port < 20680; ++port) {
      auto socket = UdpSocket::open({*IpAddress::parse(address), port}, interface);
      if (!socket) continue;
      ports_.push_back(port);
      return *std::move(socket);
    }
    return std::nullopt;
  }

  SocketAddress address_a() const { return {*IpAddress::parse("127.0.0.2"), ports_[0]}; }
  SocketAddress address_b() const { return {*IpAddress::parse("127.0.0.3"), ports_[1]}; }

  /// What `socket` takes after waiting for its first datagram.
  std::vector<std::pair<std::string, Bytes>> read(UdpSocket& socket) {
    pollfd ready{socket.fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&ready, 1, 10'000), 1);
    std::vector<std::pair<std::string, Bytes>> out;
    socket.read([&](const SocketAddress& from,
                    ByteView octets) { out.emplace_back(from.text(), to_bytes(octets)); },
                counters_);
    return out;
  }

  std::vector<std::uint16_t> ports_;
  std::optional<UdpSocket> a_;
  std::optional<UdpSocket> b_;
  Counters counters_;
};

TEST_F(UdpPair, UnicastComesFromTheConfiguredAddress) {
  a_->send(address_b(), Bytes{1, 2, 3}, counters_);
  EXPECT_THAT(read(*b_), ElementsAre(Pair(address_a().text(), Bytes{1, 2, 3})));
  EXPECT_TRUE(counters_.counts().empty());
}

TEST_F(UdpPair, OneWakeupReadsABoundedNumber) {
  for (int i = 0; i < kMaxReadsPerWakeup + 5; ++i) a_->send(address_b(), Bytes{7}, counters_);
  EXPECT_EQ(read(*b_).size(), static_cast<std::size_t>(kMaxReadsPerWakeup));
  EXPECT_EQ(read(*b_).size(), 5U);
}

TEST_F(UdpPair, WhatIsForAnotherAddressOrTooLongIsCounted) {
  a_->send({*IpAddress::parse("127.0.0.4"), ports_[1]}, Bytes{1}, counters_);
  a_->send(address_b(), Bytes(wire::kMaxDatagram + 1), counters_);
  a_->send(address_b(), Bytes(wire::kMaxDatagram, 9), counters_);
  EXPECT_EQ(read(*b_).size(), 1U);
  EXPECT_THAT(counters_.counts(),
              ElementsAre(Pair(kUdpOtherDestination.name(), 1U), Pair(kUdpTooLong.name(), 1U)));
}

TEST_F(UdpPair, WhatCannotBeSentIsCounted) {
  a_->send(address_b(), Bytes(70'000), counters_);
  EXPECT_THAT(counters_.counts(), ElementsAre(Pair(kUdpSendFailed.name(), 1U)));
}

TEST_F(UdpPair, JoiningTwiceIsOneMembership) {
  EXPECT_TRUE(a_->join(kGroup));
  EXPECT_TRUE(a_->join(kGroup));
  EXPECT_TRUE(a_->leave(kGroup));
  EXPECT_TRUE(a_->leave(kGroup));
  EXPECT_FALSE(a_->join(kOwn));
}

/// Octets that show a type that is taken from a multicast address, and `number` after it.
Bytes heartbeat_like(std::uint8_t number) {
  Bytes octets(wire::kTypeAt + 2, number);
  octets[wire::kTypeAt] = kHeartbeat;
  return octets;
}

/// One socket may join 20 groups by default.
TEST_F(UdpPair, MoreGroupsAreJoinedThanOneSocketMay) {
  constexpr std::uint8_t kGroups = 90;
  const auto group = [](std::uint8_t number) {
    const auto address = IpAddress::parse("239.77.0." + std::to_string(number));
    return *address;
  };
  for (std::uint8_t i = 1; i <= kGroups; ++i) {
    const auto joined = a_->join(group(i));
    ASSERT_TRUE(joined) << joined.error().text();
  }
  for (const std::uint8_t i : {std::uint8_t{1}, std::uint8_t{45}, kGroups}) {
    const Bytes octets = heartbeat_like(i);
    b_->send({group(i), ports_[0]}, octets, counters_);
    EXPECT_THAT(read(*a_), ElementsAre(Pair(address_b().text(), octets)));
  }
  for (std::uint8_t i = 1; i <= kGroups; ++i) EXPECT_TRUE(a_->leave(group(i))) << int{i};
  EXPECT_TRUE(counters_.counts().empty());
}

TEST_F(UdpPair, APortInUseIsAnError) {
  const auto second = UdpSocket::open(address_a(), ::if_nametoindex("lo"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().name(), kSocketFailed.name());
}

}  // namespace
}  // namespace gkmpd::daemon
