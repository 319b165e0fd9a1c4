// A group through an XFRM interface, which User-Mode Linux has not: run on the other kernel, by
// on_smp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cerrno>

#include "agent/daemon/attachment.h"
#include "tests/kernel/groups.h"

namespace gkmpd::test {
namespace {

using ::testing::Each;
using ::testing::SizeIs;

constexpr std::uint32_t kSpi = 0x0a000001;

/// a sends by its interface ipsec7, c listens on its own; d is an outsider on the same segment.
class XfrmInterface : public ::testing::TestWithParam<Family> {
 protected:
  XfrmInterface() {
    for (const char* host : {"a", "c"}) {
      segment_.ip(host, "link add ipsec7 type xfrm dev eth0 if_id 7");
      segment_.ip(host, "link set ipsec7 up multicast on");
    }
    // What sends to the segment is not on c's ipsec7 by any route.
    segment_.set("c", "net/ipv4/conf/all/rp_filter", "0");
    segment_.set("c", "net/ipv4/conf/ipsec7/rp_filter", "0");
  }

  [[nodiscard]] xfrm::GroupSpec attached(const char* host, xfrm::GroupSpec spec) const {
    const Inside inside(segment_.host(host));
    spec.mode = IpsecMode::kTunnel;
    spec.attachment = {.interface = if_nametoindex("ipsec7"), .if_id = 7};
    return spec;
  }

  const Family& family_ = GetParam();
  const std::string group_ = family_.group;
  const std::string address_ = family_.host(1);
  Segment segment_{{"a", "c", "d"}};
  Agent a_{segment_, "a"};
  Agent c_{segment_, "c"};
  Sniffer wire_{segment_, "d"};
};

INSTANTIATE_TEST_SUITE_P(Families, XfrmInterface, ::testing::Values(kIpv4, kIpv6),
                         [](const auto& param) { return param.param.name; });

TEST_P(XfrmInterface, IsOneAndHasTheIdThatIsConfigured) {
  const Inside inside(segment_.host("a"));
  const auto attached = [](const char* interface, std::uint32_t if_id) {
    return daemon::attach({{"demo", {.interface = interface, .if_id = if_id}}}, "demo",
                          IpsecMode::kTunnel);
  };
  EXPECT_TRUE(attached("ipsec7", 7).found);
  EXPECT_EQ(attached("ipsec7", 7).attachment,
            (xfrm::Attachment{.interface = if_nametoindex("ipsec7"), .if_id = 7}));
  EXPECT_FALSE(
      daemon::attach({{"demo", {.interface = "ipsec7", .if_id = 7}}}, "demo", IpsecMode::kTransport)
          .found);
  for (const auto& [interface, if_id] : {std::pair{"ipsec7", 8U}, {"eth0", 7U}, {"late0", 7U}}) {
    EXPECT_FALSE(attached(interface, if_id).found) << interface << " " << if_id;
    EXPECT_EQ(attached(interface, if_id).attachment.interface, daemon::kNoInterfaceIndex);
  }
}

TEST_P(XfrmInterface, CarriesTheGroupAndNothingElseDoes) {
  const Listener at_eth0(segment_, "c", group_, kPort);  // so that eth0 takes the group's ESP
  const Listener at_ipsec(segment_, "c", group_, kPort, std::nullopt, "ipsec7");
  const Sender by_ipsec(segment_, "a", address_, "ipsec7");
  const Sender by_eth0(segment_, "a", address_);
  const Sender outsider(segment_, "d", family_.host(3));
  a_.apply(attached("a", sending(address_, kSpi)));
  c_.apply(attached("c", listening(address_, kSpi)));

  const unsigned long before = segment_.xfrm_counter("c", "XfrmInPolBlock");
  EXPECT_EQ(outsider.send(group_, kPort, "in clear"), 0);
  EXPECT_EQ(by_eth0.send(group_, kPort, "by another interface"), EPERM);
  for (const std::string payload : {"one", "two", "three"}) {
    EXPECT_EQ(by_ipsec.send(group_, kPort, payload), 0) << payload;
    EXPECT_EQ(at_ipsec.next(), payload);
  }
  EXPECT_THAT(wire_.protocols(address_, group_, 3), SizeIs(3));
  EXPECT_THAT(wire_.protocols(address_, group_), Each(IPPROTO_ESP));
  // At each of c's listeners.
  EXPECT_EQ(segment_.xfrm_counter_at("c", "XfrmInPolBlock", before + 2), before + 2);

  // The next generation through the same interface.
  xfrm::GroupSpec next = attached("a", sending(address_, kSpi));
  next.senders.push_back(sender_sa(address_, kSpi + 0x10000, 2, true));
  xfrm::GroupSpec heard = attached("c", listening(address_, kSpi));
  heard.senders.push_back(sender_sa(address_, kSpi + 0x10000, 2, false));
  c_.apply(heard);
  next.active_generation = 2;
  a_.apply(next);
  EXPECT_EQ(by_ipsec.send(group_, kPort, "under the next"), 0);
  EXPECT_EQ(at_ipsec.next(), "under the next");
}

}  // namespace
}  // namespace gkmpd::test
