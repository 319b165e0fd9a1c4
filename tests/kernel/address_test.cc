// What of an address is which group's, and what is told in clear whatever a group says.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/igmp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "tests/kernel/groups.h"

namespace gkmpd::test {
namespace {

constexpr std::uint32_t kFirstSpi = 0x0a000001;
constexpr std::uint32_t kSecondSpi = 0x0b000001;
constexpr unsigned short kSecondPort = kPort + 1;
/// As the kernel prints it in if_inet6 (include/net/ipv6.h, IPV6_ADDR_LINKLOCAL).
constexpr unsigned kLinkScope = 0x20;

/// a sends, c listens, d is an outsider on the same segment.
class OneAddress : public ::testing::TestWithParam<Family> {
 protected:
  [[nodiscard]] xfrm::GroupSpec first(bool sends) const {
    return sends ? sending(a_address_, kFirstSpi) : listening(a_address_, kFirstSpi);
  }
  /// On the next port, and in the other mode.
  [[nodiscard]] xfrm::GroupSpec second(bool sends) const {
    xfrm::GroupSpec spec =
        sends ? sending(a_address_, kSecondSpi) : listening(a_address_, kSecondSpi);
    spec.group_name = "second";
    spec.slot = kSlot + 1;
    spec.port = kSecondPort;
    spec.mode = IpsecMode::kTunnel;
    return spec;
  }

  const Family& family_ = GetParam();
  const std::string group_ = family_.group;
  const std::string a_address_ = family_.host(1);
  Segment segment_{{"a", "c", "d"}};
  Agent a_{segment_, "a"};
  Agent a_second_{segment_, "a"};
  Agent c_{segment_, "c"};
  Agent c_second_{segment_, "c"};
  Sniffer wire_{segment_, "d"};
  Sender from_a_{segment_, "a", a_address_};
  Sender from_d_{segment_, "d", family_.host(3)};
};

INSTANTIATE_TEST_SUITE_P(Families, OneAddress, ::testing::Values(kIpv4, kIpv6),
                         [](const auto& param) { return param.param.name; });

TEST_P(OneAddress, HoldsSeveralGroupsEachWithItsPortAndMode) {
  const Listener at_first(segment_, "c", group_, kPort);
  const Listener at_second(segment_, "c", group_, kSecondPort);
  a_.apply(first(true));
  a_second_.apply(second(true));
  c_.apply(first(false));
  c_second_.apply(second(false));
  for (const std::string& payload : {std::string("one"), std::string(3000, 'x')}) {
    EXPECT_EQ(from_a_.send(group_, kPort, payload), 0);
    EXPECT_EQ(at_first.next(), payload);
    EXPECT_EQ(from_a_.send(group_, kSecondPort, payload), 0);
    EXPECT_EQ(at_second.next(), payload);
  }
  EXPECT_EQ(from_a_.send(group_, kPort + 7, "nobody's"), EPERM);
}

TEST_P(OneAddress, AGroupsKeyOpensNothingForAnothersPort) {
  const Listener at_first(segment_, "c", group_, kPort);
  const Listener at_second(segment_, "c", group_, kSecondPort);
  const Listener at_none(segment_, "c", group_, kPort + 7);
  // A member of the first group that sends to whatever port it likes.
  xfrm::GroupSpec every_port = first(true);
  every_port.port = 0;
  a_.apply(every_port);
  c_.apply(first(false));
  c_second_.apply(second(false));
  EXPECT_EQ(from_a_.send(group_, kSecondPort, "under the first's key"), 0);
  EXPECT_EQ(from_a_.send(group_, kPort + 7, "likewise"), 0);
  EXPECT_EQ(from_d_.send(group_, kSecondPort, "in clear"), 0);
  EXPECT_EQ(from_d_.send(group_, kPort + 7, "in clear"), 0);
  EXPECT_EQ(from_a_.send(group_, kPort, "where it belongs"), 0);
  EXPECT_EQ(at_first.next(), "where it belongs");
  EXPECT_EQ(segment_.xfrm_counter_at("c", "XfrmInStateMismatch", 2), 2U);
  EXPECT_EQ(segment_.xfrm_counter_at("c", "XfrmInTmplMismatch", 1), 1U);
  EXPECT_EQ(segment_.xfrm_counter_at("c", "XfrmInPolBlock", 1), 1U);
}

/// Queries for one group go to the group, as do the answers of hosts that speak IGMPv2 or MLDv1.
class Membership : public OneAddress {
 protected:
  [[nodiscard]] bool ipv4() const { return ip_of(group_).family == IpFamily::kV4; }

  void speak_the_old_version() const {
    for (const char* host : {"a", "c"}) {
      segment_.set(
          host,
          ipv4() ? "net/ipv4/conf/eth0/force_igmp_version" : "net/ipv6/conf/eth0/force_mld_version",
          ipv4() ? "2" : "1");
    }
  }

  /// Until its link-local address is found to be its own, a host reports from "::", which is not
  /// counted here.
  void wait_for_link_local_of(const std::string& host) const {
    const Inside inside(segment_.host(host));
    for (int i = 0; i < 500; ++i, usleep(20'000)) {
      std::ifstream addresses("/proc/thread-self/net/if_inet6");
      std::string line;
      bool settled = false;
      while (std::getline(addresses, line)) settled = settled || settled_link_local(line);
      if (settled) return;
    }
    FAIL() << "no link-local address at " << host;
  }

  /// IGMP, or MLD after its hop-by-hop header, that d has seen to the group.
  [[nodiscard]] long told() {
    const int protocol = ipv4() ? int{IPPROTO_IGMP} : int{IPPROTO_HOPOPTS};
    long count = 0;
    for (const std::string& source : {a_address_, link_local_of("a")})
      if (!source.empty()) count += std::ranges::count(wire_.protocols(source, group_), protocol);
    return count;
  }
  [[nodiscard]] bool tells_more_than(long count) {
    for (int i = 0; i < 500 && told() <= count; ++i) usleep(20'000);
    return told() > count;
  }

  /// "Who is in the group?", from d, as a router asks when somebody has left.
  void ask() const {
    const Inside inside(segment_.host("d"));
    const auto interface = static_cast<int>(if_nametoindex("eth0"));
    if (ipv4())
      ask_by_igmp(interface);
    else
      ask_by_mld(interface);
  }

 private:
  static void ask_by_igmp(int interface) {
    const Fd socket(::socket(AF_INET, SOCK_RAW, IPPROTO_IGMP));
    const ip_mreqn out{.imr_multiaddr = {}, .imr_address = {}, .imr_ifindex = interface};
    ASSERT_EQ(setsockopt(socket.get(), IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof out), 0);
    igmp query{};
    query.igmp_type = IGMP_MEMBERSHIP_QUERY;
    query.igmp_code = 1;  // tenths of a second
    ASSERT_EQ(inet_pton(AF_INET, kGroup, &query.igmp_group), 1);
    query.igmp_cksum = checksum(query);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr = query.igmp_group;
    ASSERT_EQ(
        sendto(socket.get(), &query, sizeof query, 0, reinterpret_cast<sockaddr*>(&to), sizeof to),
        static_cast<ssize_t>(sizeof query))
        << std::strerror(errno);
  }
  static std::uint16_t checksum(const igmp& message) {
    std::array<std::uint16_t, sizeof message / 2> words{};
    std::memcpy(words.data(), &message, sizeof message);
    std::uint32_t sum = 0;
    for (const std::uint16_t word : words) sum += word;
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
  }

  void ask_by_mld(int interface) const {
    const Fd socket(::socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
    const int one_hop = 1;
    ASSERT_EQ(setsockopt(socket.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &one_hop, sizeof one_hop),
              0);
    ASSERT_EQ(
        setsockopt(socket.get(), IPPROTO_IPV6, IPV6_MULTICAST_IF, &interface, sizeof interface), 0);
    const std::array<std::uint8_t, 8> router_alert{0, 0, 5, 2, 0, 0, 1, 0};
    ASSERT_EQ(setsockopt(socket.get(), IPPROTO_IPV6, IPV6_HOPOPTS, router_alert.data(),
                         router_alert.size()),
              0);
    sockaddr_in6 from{};
    from.sin6_family = AF_INET6;
    from.sin6_scope_id = static_cast<std::uint32_t>(interface);
    ASSERT_EQ(inet_pton(AF_INET6, link_local_of("d").c_str(), &from.sin6_addr), 1);
    ASSERT_EQ(bind(socket.get(), reinterpret_cast<sockaddr*>(&from), sizeof from), 0)
        << std::strerror(errno);
    std::array<std::uint8_t, 24> query{130, 0, 0, 0, 0, 100};  // at most 100 ms
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    ASSERT_EQ(inet_pton(AF_INET6, kGroup6, &to.sin6_addr), 1);
    std::memcpy(query.data() + 8, &to.sin6_addr, sizeof to.sin6_addr);
    ASSERT_EQ(sendto(socket.get(), query.data(), query.size(), 0, reinterpret_cast<sockaddr*>(&to),
                     sizeof to),
              static_cast<ssize_t>(query.size()))
        << std::strerror(errno);
  }

  /// Of a line "address index length scope flags name", the numbers in hex.
  [[nodiscard]] static bool settled_link_local(const std::string& line) {
    std::istringstream words(line);
    std::string address;
    unsigned index = 0;
    unsigned length = 0;
    unsigned scope = 0;
    unsigned flags = 0;
    words >> address >> std::hex >> index >> length >> scope >> flags;
    return words && scope == kLinkScope && (flags & IFA_F_TENTATIVE) == 0;
  }

  [[nodiscard]] std::string link_local_of(const std::string& host) const {
    const Inside inside(segment_.host(host));
    ifaddrs* all = nullptr;
    if (getifaddrs(&all) != 0) return {};
    std::string found;
    for (const ifaddrs* each = all; each != nullptr; each = each->ifa_next) {
      if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET6) continue;
      const auto* address = reinterpret_cast<const sockaddr_in6*>(each->ifa_addr);
      if (!IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr)) continue;
      std::array<char, INET6_ADDRSTRLEN> text{};
      found = inet_ntop(AF_INET6, &address->sin6_addr, text.data(), text.size());
    }
    freeifaddrs(all);
    return found;
  }
};

INSTANTIATE_TEST_SUITE_P(Families, Membership, ::testing::Values(kIpv4, kIpv6),
                         [](const auto& param) { return param.param.name; });

TEST_P(Membership, IsToldAndAskedForInClear) {
  speak_the_old_version();
  for (const char* host : {"a", "d"}) ASSERT_NO_FATAL_FAILURE(wait_for_link_local_of(host));
  a_.apply(first(true));
  const Listener at_a(segment_, "a", group_, kPort);
  ASSERT_TRUE(tells_more_than(0)) << "the report that goes with joining";
  sleep(12);  // and its repetition, of an old version after 10 s at most
  const long before = told();
  ask();
  EXPECT_TRUE(tells_more_than(before)) << "the answer to a query";
  EXPECT_EQ(segment_.xfrm_counter("a", "XfrmInPolBlock"), 0U);
  EXPECT_EQ(segment_.xfrm_counter("a", "XfrmInTmplMismatch"), 0U);
  EXPECT_EQ(segment_.xfrm_counter("a", "XfrmOutPolBlock"), 0U);
}

}  // namespace
}  // namespace gkmpd::test
