#include "netlink/links.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cstring>

namespace gkmpd::netlink {
namespace {

using ::testing::UnorderedElementsAreArray;

/// The same facts from the C library, which does not use libnl.
Link loopback_by_libc() {
  Link link{.index = if_nametoindex("lo"), .name = "lo", .up = false, .addresses = {}};
  ifaddrs* all = nullptr;
  EXPECT_EQ(getifaddrs(&all), 0);
  for (const ifaddrs* entry = all; entry != nullptr; entry = entry->ifa_next) {
    if (std::string(entry->ifa_name) != "lo") continue;
    link.up = (entry->ifa_flags & IFF_UP) != 0;
    if (entry->ifa_addr == nullptr) continue;
    char text[INET6_ADDRSTRLEN] = "";
    if (entry->ifa_addr->sa_family == AF_INET) {
      sockaddr_in address{};
      std::memcpy(&address, entry->ifa_addr, sizeof address);
      inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 address{};
      std::memcpy(&address, entry->ifa_addr, sizeof address);
      inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text);
    } else {
      continue;
    }
    link.addresses.push_back(*IpAddress::parse(text));
  }
  freeifaddrs(all);
  return link;
}

TEST(Links, LoopbackIsAsTheCLibrarySeesIt) {
  const auto link = find_link("lo");
  ASSERT_TRUE(link) << link.error().text();
  const Link expected = loopback_by_libc();
  EXPECT_EQ(link->index, expected.index);
  EXPECT_EQ(link->name, "lo");
  EXPECT_EQ(link->up, expected.up);
  EXPECT_THAT(link->addresses, UnorderedElementsAreArray(expected.addresses));
  for (const IpAddress& address : expected.addresses) EXPECT_TRUE(link->has(address));
  EXPECT_FALSE(link->has(*IpAddress::parse("192.0.2.1")));
}

TEST(Links, UnknownAndImpossibleNamesAreRefused) {
  for (const char* name : {"nosuchlink0", "", "a-name-longer-than-any"}) {
    const auto link = find_link(name);
    ASSERT_FALSE(link) << name;
    EXPECT_EQ(link.error().kind, kNoSuchLink) << link.error().text();
  }
}

}  // namespace
}  // namespace gkmpd::netlink
