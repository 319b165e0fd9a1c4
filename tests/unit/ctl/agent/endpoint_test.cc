// How operators write where a controller answers.
#include <gtest/gtest.h>

#include "agent/ctl/udp_link.h"

namespace gkmpd::ctl {
namespace {

TEST(ParseEndpoint, TakesBothFamiliesWithAndWithoutAPort) {
  EXPECT_EQ(parse_endpoint("10.9.0.1")->text(), "10.9.0.1:0");
  EXPECT_EQ(parse_endpoint("10.9.0.1:8480")->text(), "10.9.0.1:8480");
  EXPECT_EQ(parse_endpoint("fd09::1")->text(), "[fd09::1]:0");
  EXPECT_EQ(parse_endpoint("[fd09::1]")->text(), "[fd09::1]:0");
  EXPECT_EQ(parse_endpoint("[fd09::1]:65535")->text(), "[fd09::1]:65535");
}

TEST(ParseEndpoint, TakesNothingElse) {
  for (const char* text : {"", "a", "10.9.0", "10.9.0.1:", "10.9.0.1:0", "10.9.0.1:65536",
                           "10.9.0.1:80x", "10.9.0.1: 80", "[10.9.0.1]:80", "[fd09::1", "fd09::1]",
                           "[]:80", "[fd09::1]80", "localhost:80"}) {
    EXPECT_FALSE(parse_endpoint(text)) << text;
  }
}

TEST(UdpLink, LosesWhatNobodyTakes) {
  const SocketAddress loopback{*IpAddress::parse("127.0.0.1"), 1};
  // Nobody is at port 1: what is sent is lost, and that is no error.
  auto link = UdpLink::open(loopback, IpAddress::parse("127.0.0.1"));
  ASSERT_TRUE(link) << link.error().text();
  link->send(Bytes{1, 2, 3});
  EXPECT_FALSE(link->read(std::chrono::milliseconds(50)));
  const auto elsewhere = UdpLink::open(loopback, IpAddress::parse("192.0.2.1"));
  ASSERT_FALSE(elsewhere);
  EXPECT_EQ(elsewhere.error().kind, kLinkFailed);
}

}  // namespace
}  // namespace gkmpd::ctl
