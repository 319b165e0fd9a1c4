// Groups that are bound to an interface, or to packets with a mark, or have an interface id.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>

#include <cerrno>

#include "tests/kernel/groups.h"
#include "tests/kernel/independent_reader.h"
#include "tests/kernel/raw_reader.h"

namespace gkmpd::test {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::uint32_t kSpi = 0x0a000001;

/// a sends, c listens; d sees what is on the wire.
class Attached : public ::testing::TestWithParam<Family> {
 protected:
  [[nodiscard]] xfrm::GroupSpec at_sender(const xfrm::Attachment& attachment) const {
    xfrm::GroupSpec spec = sending(address_, kSpi);
    spec.attachment = attachment;
    return spec;
  }
  [[nodiscard]] xfrm::GroupSpec at_listener(const xfrm::Attachment& attachment) const {
    xfrm::GroupSpec spec = listening(address_, kSpi);
    spec.attachment = attachment;
    return spec;
  }
  [[nodiscard]] std::uint32_t interface(const char* host, const char* name) const {
    const Inside inside(segment_.host(host));
    return if_nametoindex(name);
  }

  const Family& family_ = GetParam();
  const std::string group_ = family_.group;
  const std::string address_ = family_.host(1);
  Segment segment_{{"a", "c", "d"}};
  Agent a_{segment_, "a"};
  Agent c_{segment_, "c"};
  Sniffer wire_{segment_, "d"};
  Listener at_c_{segment_, "c", group_, kPort};
  Sender from_a_{segment_, "a", address_};
};

INSTANTIATE_TEST_SUITE_P(Families, Attached, ::testing::Values(kIpv4, kIpv6),
                         [](const auto& param) { return param.param.name; });

TEST_P(Attached, ToAnInterfaceWhatGoesByAnotherIsBlocked) {
  c_.apply(at_listener({.interface = interface("c", "lo")}));
  a_.apply(at_sender({.interface = interface("a", "lo")}));
  EXPECT_EQ(from_a_.send(group_, kPort, "by another"), EPERM);
  EXPECT_THAT(wire_.protocols(address_, group_), IsEmpty());

  a_.apply(at_sender({.interface = interface("a", "eth0")}));
  EXPECT_EQ(from_a_.send(group_, kPort, "by eth0"), 0);
  EXPECT_EQ(at_c_.next(), "by eth0") << "what comes in has the keys";
  EXPECT_THAT(wire_.protocols(address_, group_, 1), SizeIs(1));
}

// Why the in policy is bound to none.
TEST_P(Attached, AnInPolicySeesLoopbackOverIPv4AndTheInterfaceOverIPv6) {
  a_.apply(at_sender({}));
  c_.apply(at_listener({}));
  const bool ipv4 = ip_of(group_).family == IpFamily::kV4;
  const std::string block = " src " + std::string(family_.any) + "/0 dst " + group_ +
                            (ipv4 ? "/32 dev lo" : "/128 dev eth0") + " dir in ";
  EXPECT_EQ(from_a_.send(group_, kPort, "before"), 0);
  EXPECT_EQ(at_c_.next(), "before");
  segment_.ip("c", "xfrm policy add" + block + "priority 1 action block");
  EXPECT_EQ(from_a_.send(group_, kPort, "blocked"), 0);
  segment_.ip("c", "xfrm policy delete" + block);
  EXPECT_EQ(from_a_.send(group_, kPort, "after"), 0);
  EXPECT_EQ(at_c_.next(), "after");
  EXPECT_EQ(segment_.xfrm_counter_at("c", "XfrmInPolBlock", 1), 1U);
}

TEST_P(Attached, ToAMarkOnlyPacketsWithItAreTheGroups) {
  a_.apply(at_sender({.mark = 0x2a, .mark_mask = 0xff}));
  c_.apply(at_listener({}));
  EXPECT_EQ(from_a_.send(group_, kPort, "without it"), EPERM);
  from_a_.mark(0x12a);
  EXPECT_EQ(from_a_.send(group_, kPort, "with it"), 0);
  EXPECT_EQ(at_c_.next(), "with it");
  from_a_.mark(0x2b);
  EXPECT_EQ(from_a_.send(group_, kPort, "with another"), EPERM);
  EXPECT_THAT(wire_.protocols(address_, group_, 1), SizeIs(1));

  c_.apply(at_listener({.mark = 0x2a, .mark_mask = 0xff}));
  from_a_.mark(0x2a);
  EXPECT_EQ(from_a_.send(group_, kPort, "the mark does not travel"), 0);
  EXPECT_EQ(segment_.xfrm_counter_at("c", "XfrmInNoStates", 1), 1U);
}

TEST_P(Attached, AllThatWasAskedForStandsInTheKernelAndGoesAgain) {
  const xfrm::Attachment all{
      .interface = interface("a", "eth0"), .if_id = 7, .mark = 0x2a, .mark_mask = 0xff};
  xfrm::GroupSpec spec = at_sender(all);
  spec.senders.push_back(sender_sa(family_.host(2), kSpi + 1, 1, false));
  a_.apply(spec);
  const std::string rest = " mark 0x2a/0xff if_id 7 extra 0x0 dir none";
  EXPECT_THAT(read_raw_sas(segment_, "a"),
              ::testing::ElementsAre("SA spi 0x0a000001" + rest, "SA spi 0x0a000002" + rest));
  const std::string none = " mark 0x0/0x0 if_id 0 dev ";
  const std::string own = " mark 0x2a/0xff if_id 7 dev 0";
  EXPECT_THAT(read_raw_policies(segment_, "a"),
              ::testing::UnorderedElementsAre(
                  "policy index 0x47000709" + none + "0", "policy index 0x47000710" + none + "0",
                  "policy index 0x47000729" + none + "0", "policy index 0x47000730" + none + "0",
                  "policy index 0x47000739" + none + std::to_string(all.interface),
                  "policy index 0x47000719" + own, "policy index 0x47000720" + own));
  const auto state = a_.kernel().read(a_.record());
  ASSERT_TRUE(state) << state.error().text();
  EXPECT_THAT(xfrm::plan(*state, xfrm::wanted_state(spec)), IsEmpty());

  // To nothing in particular, and away.
  a_.apply(at_sender({}));
  EXPECT_THAT(read_raw_sas(segment_, "a"),
              ::testing::ElementsAre("SA spi 0x0a000001 mark 0x0/0x0 if_id 0 extra 0x0 dir none"));
  EXPECT_THAT(read_policies(segment_, "a"), SizeIs(kPoliciesSending));
  a_.apply(spec);
  ASSERT_TRUE(a_.kernel().remove(a_.record()));
  EXPECT_THAT(read_raw_sas(segment_, "a"), IsEmpty());
  EXPECT_THAT(read_raw_policies(segment_, "a"), IsEmpty());
}

}  // namespace
}  // namespace gkmpd::test
