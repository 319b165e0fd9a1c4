// One SA that all senders share: both ways at once, without a window, with CBC and HMAC.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cerrno>
#include <utility>

#include "tests/kernel/groups.h"
#include "xfrm/plan.h"

namespace gkmpd::test {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr std::uint32_t kSpi = 0x0a000003;
constexpr std::uint32_t kNextSpi = 0x0a010003;

/// a and b send and listen, c only listens, d is an outsider.
class Shared : public ::testing::TestWithParam<Family> {
 protected:
  void apply_to_all() {
    a_.apply(shared_sending(source_a_, kSpi));
    b_.apply(shared_sending(source_b_, kSpi));
    c_.apply(shared_listening(GetParam(), kSpi));
  }

  void passes(const Sender& from, const std::string& payload, const Listener& at) {
    EXPECT_EQ(from.send(group_, kPort, payload), 0) << payload;
    EXPECT_EQ(at.next(), payload);
  }

  const std::string group_ = GetParam().group;
  const std::string source_a_ = GetParam().host(1);
  const std::string source_b_ = GetParam().host(2);
  Segment segment_{{"a", "b", "c", "d"}};
  Agent a_{segment_, "a"};
  Agent b_{segment_, "b"};
  Agent c_{segment_, "c"};
  Sniffer wire_{segment_, "d"};
  Listener at_a_{segment_, "a", group_, kPort};
  Listener at_b_{segment_, "b", group_, kPort};
  Listener at_c_{segment_, "c", group_, kPort};
  Sender from_a_{segment_, "a", source_a_};
  Sender from_b_{segment_, "b", source_b_};
  Sender from_d_{segment_, "d", GetParam().host(4)};
};

// Each sender counts from 1, so that every sequence number comes twice.
TEST_P(Shared, InterleavedSendersAllArriveAtAThirdAndAtEachOther) {
  apply_to_all();
  constexpr int kEach = 50;
  for (int i = 0; i < kEach; ++i) {
    for (const auto& [from, name] : {std::pair{&from_a_, "a"}, {&from_b_, "b"}}) {
      const std::string payload = name + std::to_string(i);
      EXPECT_EQ(from->send(group_, kPort, payload), 0);
      for (const Listener* at : {&at_a_, &at_b_, &at_c_}) EXPECT_EQ(at->next(), payload);
    }
  }
  for (const std::string& source : {source_a_, source_b_})
    EXPECT_THAT(wire_.protocols(source, group_, kEach), AllOf(SizeIs(kEach), Each(IPPROTO_ESP)));
}

TEST_P(Shared, ASenderFarAheadDoesNotShutAnotherOut) {
  apply_to_all();
  for (int i = 0; i < 500; ++i) passes(from_a_, "a" + std::to_string(i), at_c_);
  passes(from_b_, "b's first", at_c_);
}

// Why the spec may ask for no window: the same with one.
TEST_P(Shared, WithAWindowOneSenderShutsTheOtherOut) {
  a_.apply(shared_sending(source_a_, kSpi));
  b_.apply(shared_sending(source_b_, kSpi));
  xfrm::KernelState at_c = xfrm::wanted_state(shared_listening(GetParam(), kSpi));
  at_c.sas[0].replay_window = xfrm::kMinReplayWindow;
  const auto applied = c_.kernel().execute(xfrm::plan({}, at_c));
  ASSERT_TRUE(applied && applied->complete());
  passes(from_a_, "a's first", at_c_);
  EXPECT_EQ(from_b_.send(group_, kPort, "b's first"), 0);
  passes(from_a_, "a's second", at_c_);
  EXPECT_EQ(segment_.xfrm_counter_at("c", "XfrmInStateSeqError", 1), 1U);
}

TEST_P(Shared, CleartextIsRefusedEverywhere) {
  apply_to_all();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(from_d_.send(group_, kPort, "forged"), 0);
  passes(from_a_, "genuine", at_c_);
  EXPECT_EQ(at_a_.next(), "genuine");
  for (const std::string host : {"a", "b", "c"})
    EXPECT_EQ(segment_.xfrm_counter_at(host, "XfrmInTmplMismatch", 3), 3U) << host;
}

TEST_P(Shared, AnotherSecretIsRefused) {
  apply_to_all();
  xfrm::GroupSpec at_d = shared_sending(GetParam().host(4), kSpi);
  at_d.senders[0].key = Secret(xfrm::key_material_size(at_d.suite));
  Agent d(segment_, "d");
  d.apply(at_d);
  EXPECT_EQ(from_d_.send(group_, kPort, "forged"), 0);
  passes(from_a_, "genuine", at_c_);
  EXPECT_EQ(segment_.xfrm_counter_at("c", "XfrmInStateProtoError", 1), 1U);
}

TEST_P(Shared, OnlyTheOwnSourceIsProtectedAndAllElseBlocked) {
  xfrm::GroupSpec early = shared_sending(source_a_, kSpi);
  early.active_generation.reset();
  a_.apply(early);
  EXPECT_EQ(from_a_.send(group_, kPort, "too early"), EPERM);

  apply_to_all();
  segment_.ip("a", GetParam().add_address(11));
  const Sender second(segment_, "a", GetParam().host(11));
  EXPECT_EQ(second.send(group_, kPort, "another source"), EPERM);
  EXPECT_EQ(from_a_.send(group_, kPort + 1, "another port"), EPERM);
  const Sender from_c(segment_, "c", GetParam().host(3));
  EXPECT_EQ(from_c.send(group_, kPort, "no sender"), EPERM);
  passes(from_a_, "as it should be", at_c_);
  EXPECT_THAT(wire_.protocols(source_a_, group_, 1), AllOf(SizeIs(1), Each(IPPROTO_ESP)));
  EXPECT_THAT(wire_.protocols(GetParam().host(11), group_, 0), IsEmpty());
  EXPECT_THAT(wire_.protocols(GetParam().host(3), group_, 0), IsEmpty());
}

// All senders' SAs of both generations have the same addresses: the reqid alone decides.
TEST_P(Shared, RolloverLosesNothing) {
  apply_to_all();
  passes(from_a_, "old key", at_c_);

  xfrm::GroupSpec both = shared_sending(source_a_, kSpi);
  both.senders.push_back(shared_sa(GetParam(), kNextSpi, 2, true));
  a_.apply(both);
  passes(from_a_, "new SA stands, old key still used", at_c_);

  xfrm::GroupSpec at_c = shared_listening(GetParam(), kSpi);
  at_c.senders.push_back(shared_sa(GetParam(), kNextSpi, 2, false));
  c_.apply(at_c);
  both.active_generation = 2;
  a_.apply(both);
  // With the old SA gone at the listener, only the new key can open this.
  at_c.senders.erase(at_c.senders.begin());
  c_.apply(at_c);
  passes(from_a_, "switched", at_c_);

  both.senders.erase(both.senders.begin());
  a_.apply(both);
  passes(from_a_, "old SA gone", at_c_);
  EXPECT_THAT(wire_.protocols(source_a_, group_, 4), AllOf(SizeIs(4), Each(IPPROTO_ESP)));
}

TEST_P(Shared, AListenerBecomesASenderAndBack) {
  apply_to_all();
  const Sender from_c(segment_, "c", GetParam().host(3));
  c_.apply(shared_sending(GetParam().host(3), kSpi));
  passes(from_c, "c sends", at_a_);
  EXPECT_EQ(at_c_.next(), "c sends");
  passes(from_a_, "c hears", at_c_);

  c_.apply(shared_listening(GetParam(), kSpi));
  EXPECT_EQ(from_c.send(group_, kPort, "no sender any more"), EPERM);
  passes(from_a_, "c still hears", at_c_);
}

// Why nothing is burnt: put in anew, it counts from 1 again, and that is no replay to anybody.
TEST_P(Shared, AReinstalledSaIsHeardAsBefore) {
  apply_to_all();
  for (int i = 0; i < 100; ++i) passes(from_a_, "before " + std::to_string(i), at_c_);
  segment_.ip("a", "xfrm state flush");
  const auto stages = prepare(a_.kernel(), shared_sending(source_a_, kSpi), a_.record());
  ASSERT_TRUE(stages) << stages.error().text();
  EXPECT_THAT(*stages, Not(IsEmpty()));
  EXPECT_THAT(xfrm::new_outbound_spis(*stages), IsEmpty());
  ASSERT_TRUE(a_.kernel().execute(*stages)->complete());
  for (int i = 0; i < 3; ++i) passes(from_a_, "after " + std::to_string(i), at_c_);
}

INSTANTIATE_TEST_SUITE_P(Families, Shared, ::testing::Values(kIpv4, kIpv6),
                         [](const auto& family) { return std::string(family.param.name); });

}  // namespace
}  // namespace gkmpd::test
