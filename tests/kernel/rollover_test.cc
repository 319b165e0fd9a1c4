// A hundred rollovers under a steady stream of two senders, without a lost packet (RFC 5374 4.2.1):
// inbound SAs first, a fresh outbound reqid, one change of the protect policy as the switch, and a
// grace before anything goes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <tuple>

#include "tests/kernel/groups.h"
#include "tests/kernel/stream.h"

namespace gkmpd::test {
namespace {

constexpr xfrm::Generation kRollovers = 100;

/// How many datagrams of each sender pass between two steps of a rollover, of which there are
/// three: about 500,000 in all over families and modes, and that many in each in a long run. Where
/// the kernel is slow, the environment may say less.
std::uint32_t datagrams_a_step() {
  if (const char* const wanted = std::getenv("GKMPD_DATAGRAMS_A_STEP"))
    return static_cast<std::uint32_t>(std::stoul(wanted));
  const char* const factor = std::getenv("GKMPD_SIM_LONG");
  return factor == nullptr ? 210 : 850;
}

/// a and b send and hear each other, c only listens.
class Rollover : public ::testing::TestWithParam<std::tuple<Family, IpsecMode>> {
 protected:
  using Generations = std::initializer_list<xfrm::Generation>;

  [[nodiscard]] static std::uint32_t spi(int host, xfrm::Generation generation) {
    return 0x0a000000U | static_cast<std::uint32_t>(generation & 0xff) << 16 |
           static_cast<std::uint32_t>(host);
  }
  /// Of host `self` (3: c), with the SAs of these generations; senders use `active`.
  [[nodiscard]] xfrm::GroupSpec spec(int self, Generations held, xfrm::Generation active) const {
    xfrm::GroupSpec spec = empty_group(family_);
    spec.mode = mode_;
    if (self != 3) {
      spec.own_source = ip_of(family_.host(self));
      spec.active_generation = active;
    }
    for (const xfrm::Generation generation : held) {
      for (const int host : {1, 2}) {
        spec.senders.push_back(
            sender_sa(family_.host(host), spi(host, generation), generation, host == self));
      }
    }
    return spec;
  }
  void listeners_first(Generations held, xfrm::Generation active) {
    c_.apply(spec(3, held, active));
    b_.apply(spec(2, held, active));
    a_.apply(spec(1, held, active));
  }

  const Family family_ = std::get<Family>(GetParam());
  const IpsecMode mode_ = std::get<IpsecMode>(GetParam());
  Segment segment_{{"a", "b", "c", "d"}};
  Agent a_{segment_, "a"};
  Agent b_{segment_, "b"};
  Agent c_{segment_, "c"};
  Listener at_c_{segment_, "c", family_.group, kPort};
  Sender from_a_{segment_, "a", family_.host(1)};
  Sender from_b_{segment_, "b", family_.host(2)};
};

TEST_P(Rollover, AHundredUnderASteadyStreamLoseNothing) {
  const std::uint32_t step = datagrams_a_step();
  listeners_first({1}, 1);
  const auto begun = std::chrono::steady_clock::now();
  Stream stream({&from_a_, &from_b_}, at_c_, family_.group, kPort);
  ASSERT_TRUE(stream.pass(step));
  for (xfrm::Generation next = 2; next <= kRollovers + 1; ++next) {
    const auto last = static_cast<xfrm::Generation>(next - 1);
    listeners_first({last, next}, last);
    ASSERT_TRUE(stream.pass(step)) << next;
    listeners_first({last, next}, next);
    // What was on its way under the old keys has arrived with this many more.
    ASSERT_TRUE(stream.pass(step + Stream::kUnderWay)) << next;
    listeners_first({next}, next);
    ASSERT_TRUE(stream.pass(step)) << next;
  }
  stream.stop();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  for (const Stream::Count& count : stream.counts()) {
    std::printf("%u sent, %u lost, %u repeated, in %.1f s\n", count.sent, count.lost(),
                count.repeated, took.count());
    EXPECT_GE(count.sent, 3 * step * kRollovers);
    EXPECT_EQ(count.lost(), 0U);
    EXPECT_EQ(count.refused, 0U);
    EXPECT_EQ(count.repeated, 0U);
  }
}

// The rig notices: where the listener's old SAs go before the switch, packets are lost.
TEST_P(Rollover, AListenerThatDropsTheOldKeyTooEarlyLosesPackets) {
  listeners_first({1}, 1);
  Stream stream({&from_a_, &from_b_}, at_c_, family_.group, kPort);
  ASSERT_TRUE(stream.pass(100));
  c_.apply(spec(3, {2}, 2));
  const auto lost = [&] { return segment_.xfrm_counter("c", "XfrmInNoStates"); };
  for (int i = 0; i < 1000 && lost() < Stream::kUnderWay; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  c_.apply(spec(3, {1, 2}, 2));
  stream.stop();
  const auto counts = stream.counts();
  EXPECT_GE(counts[0].lost() + counts[1].lost(), Stream::kUnderWay);
}

INSTANTIATE_TEST_SUITE_P(FamiliesAndModes, Rollover,
                         ::testing::Combine(::testing::Values(kIpv4, kIpv6),
                                            ::testing::Values(IpsecMode::kTransport,
                                                              IpsecMode::kTunnel)),
                         FamilyAndMode());

}  // namespace
}  // namespace gkmpd::test
