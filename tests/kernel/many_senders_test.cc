// Many senders' SAs on one host, and groups that listeners join for one source only.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "tests/kernel/groups.h"

namespace gkmpd::test {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::uint32_t kSpi = 0x0a000000;

class ManySenders : public ::testing::TestWithParam<Family> {
 protected:
  const Family family_ = GetParam();
  Segment segment_{{"a", "c", "d"}};
  Agent a_{segment_, "a"};
  Agent c_{segment_, "c"};
  Sender from_a_{segment_, "a", family_.host(1)};
  Sender from_d_{segment_, "d", family_.host(3)};
};

TEST_P(ManySenders, TwoThousandOnOneReceiver) {
  constexpr std::uint32_t kSenders = 2000;
  xfrm::GroupSpec at_c = empty_group(family_);
  for (std::uint32_t i = 1; i < kSenders; ++i) {
    // Other nets, where no host is.
    const std::string net = ip_of(family_.group).family == IpFamily::kV4 ? "10.8." : "fd08::";
    const std::string source = net + std::to_string(i / 250) + (net.back() == '.' ? "." : ":") +
                               std::to_string(i % 250 + 1);
    at_c.senders.push_back(sender_sa(source, kSpi + 1000 + i, 1, false));
  }
  at_c.senders.push_back(sender_sa(family_.host(1), kSpi + 1, 1, false));
  c_.apply(at_c);
  a_.apply(sending(family_.host(1), kSpi + 1));

  const auto standing = c_.kernel().read(c_.record());
  ASSERT_TRUE(standing) << standing.error().text();
  EXPECT_THAT(standing->sas, SizeIs(kSenders));
  EXPECT_THAT(xfrm::plan(*standing, xfrm::wanted_state(at_c)), IsEmpty());
  const Listener at_c_listener(segment_, "c", family_.group, kPort);
  EXPECT_EQ(from_a_.send(family_.group, kPort, "one of many"), 0);
  EXPECT_EQ(at_c_listener.next(), "one of many");

  const auto removed = c_.kernel().remove(c_.record());
  ASSERT_TRUE(removed) << removed.error().text();
  EXPECT_TRUE(removed->complete());
  EXPECT_TRUE(c_.kernel().read(c_.record())->empty());
}

TEST_P(ManySenders, AListenerOfOneSource) {
  const bool ipv4 = ip_of(family_.group).family == IpFamily::kV4;
  const std::string channel = ipv4 ? "232.1.1.1" : "ff35::1111";
  const auto at_channel = [&](xfrm::GroupSpec spec) {
    spec.destination = ip_of(channel);
    return spec;
  };
  a_.apply(at_channel(sending(family_.host(1), kSpi + 1)));
  c_.apply(at_channel(listening(family_.host(1), kSpi + 1)));
  Sniffer wire(segment_, "d");
  const Listener at_c_listener(segment_, "c", channel, kPort, family_.host(1));
  EXPECT_EQ(from_d_.send(channel, kPort, "forged"), 0);
  EXPECT_EQ(from_a_.send(channel, kPort, "from the source"), 0);
  EXPECT_EQ(at_c_listener.next(), "from the source");
  EXPECT_THAT(wire.protocols(family_.host(1), channel, 1), AllOf(SizeIs(1), Each(IPPROTO_ESP)));
}

INSTANTIATE_TEST_SUITE_P(Families, ManySenders, ::testing::Values(kIpv4, kIpv6),
                         [](const auto& family) { return std::string(family.param.name); });

}  // namespace
}  // namespace gkmpd::test
