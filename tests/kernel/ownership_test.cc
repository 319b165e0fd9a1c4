// Nothing of others is touched, and others in our way are reported by name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/kernel/groups.h"
#include "tests/kernel/independent_reader.h"

namespace gkmpd::test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAreArray;

constexpr std::uint32_t kSpi = 0x0a000001;

class Ownership : public ::testing::Test {
 protected:
  void add_sa(const std::string& source, const std::string& destination, const std::string& spi,
              const std::string& reqid) const {
    segment_.ip("a", "xfrm state add src " + source + " dst " + destination + " proto esp spi " +
                         spi + " reqid " + reqid +
                         " mode transport aead rfc4106(gcm(aes)) "
                         "0x00000000000000000000000000000000deadbeef 128");
  }

  /// SAs and policies as an administrator or an IKE daemon would have them; also ones that look
  /// like ours, in our ranges, but are not in our record.
  void add_foreign_objects() const {
    add_sa("10.9.0.1", "239.1.1.1", "0x777", "5");
    add_sa("10.9.0.1", "239.1.1.1", "0x778", "1191211010");
    add_sa("10.9.0.1", "10.9.0.2", "0x779", "6");
    segment_.ip("a", "xfrm policy add src 10.0.0.0/8 dst 239.9.9.9/32 dir out action block");
    segment_.ip("a",
                "xfrm policy add src 10.1.0.0/16 dst 239.1.1.1/32 dir in index 1191182864 "
                "action allow");
  }

  Segment segment_{{"a"}};
  Agent agent_{segment_, "a"};
};

TEST_F(Ownership, RemovalLeavesForeignObjectsAlone) {
  add_foreign_objects();
  const auto sas = read_sas(segment_, "a");
  const auto policies = read_policies(segment_, "a");
  ASSERT_THAT(sas, SizeIs(3));
  ASSERT_THAT(policies, SizeIs(2));

  agent_.apply(sending("10.9.0.1", kSpi));
  EXPECT_THAT(read_sas(segment_, "a"), SizeIs(4));
  EXPECT_THAT(read_policies(segment_, "a"), SizeIs(2 + kPoliciesSending));
  const auto removed = agent_.kernel().remove(agent_.record());
  ASSERT_TRUE(removed) << removed.error().text();
  EXPECT_TRUE(removed->complete());
  EXPECT_THAT(removed->removed, UnorderedElementsAreArray(agent_.record()));
  EXPECT_EQ(read_sas(segment_, "a"), sas);
  EXPECT_EQ(read_policies(segment_, "a"), policies);
}

TEST_F(Ownership, ANewAgentRemovesLeftoversByTheRecord) {
  agent_.apply(sending("10.9.0.1", kSpi));
  Agent next(segment_, "a");
  const auto removed = next.kernel().remove(agent_.record());
  ASSERT_TRUE(removed) << removed.error().text();
  EXPECT_THAT(removed->removed, UnorderedElementsAreArray(agent_.record()));
  EXPECT_THAT(read_sas(segment_, "a"), IsEmpty());
  EXPECT_THAT(read_policies(segment_, "a"), IsEmpty());
}

TEST_F(Ownership, WhatIsNotInTheRecordStays) {
  agent_.apply(sending("10.9.0.1", kSpi));
  Agent next(segment_, "a");
  const auto removed = next.kernel().remove({});
  ASSERT_TRUE(removed) << removed.error().text();
  EXPECT_THAT(removed->removed, IsEmpty());
  EXPECT_THAT(read_sas(segment_, "a"), SizeIs(1));
  EXPECT_THAT(read_policies(segment_, "a"), SizeIs(kPoliciesSending));
}

// The record names an SA of ours, but somebody else has put another one in its place.
TEST_F(Ownership, AForeignSaInTheRecordedPlaceStays) {
  add_sa("10.9.0.9", "239.1.1.1", "0x0a000001", "5");
  const auto record = xfrm::objects_of(sending("10.9.0.1", kSpi));
  ASSERT_TRUE(agent_.kernel().remove(record));
  EXPECT_THAT(read_sas(segment_, "a"), SizeIs(1));
}

TEST_F(Ownership, ForeignSaInOurPlaceIsReportedAndKept) {
  add_sa("10.9.0.9", "239.1.1.1", "0x0a000001", "5");
  const auto before = read_sas(segment_, "a");
  const auto applied = agent_.try_apply(sending("10.9.0.1", kSpi));
  ASSERT_TRUE(applied) << applied.error().text();
  ASSERT_THAT(applied->refusals, SizeIs(1));
  EXPECT_EQ(applied->refusals[0].error.kind, xfrm::kForeignSa);
  EXPECT_THAT(applied->refusals[0].error.detail, HasSubstr("SA 239.1.1.1 spi 0x0a000001: EEXIST"));
  EXPECT_EQ(read_sas(segment_, "a"), before);
  // All but the protect policy stand, which was not begun.
  EXPECT_THAT(read_policies(segment_, "a"), SizeIs(kPoliciesListening));
}

TEST_F(Ownership, ForeignPolicyInOurPlaceIsReportedAndKept) {
  segment_.ip("a",
              "xfrm policy add src 0.0.0.0/0 dst 239.1.1.1/32 dir out priority 5 action allow");
  const auto before = read_policies(segment_, "a");
  const auto applied = agent_.try_apply(sending("10.9.0.1", kSpi));
  ASSERT_TRUE(applied) << applied.error().text();
  ASSERT_THAT(applied->refusals, SizeIs(1));
  EXPECT_EQ(applied->refusals[0].error.kind, xfrm::kForeignPolicy);
  EXPECT_THAT(applied->refusals[0].error.detail, HasSubstr("index 0x47000709: EEXIST"));
  EXPECT_THAT(read_sas(segment_, "a"), IsEmpty());
  EXPECT_THAT(read_policies(segment_, "a"), Contains(*before.begin()));
}

// As an operator might have let IGMP through by hand.
TEST_F(Ownership, AForeignPolicyAmongThoseThatAdmitDoesNotKeepTheGuardsOut) {
  segment_.ip("a", "xfrm policy add src 0.0.0.0/0 dst 239.1.1.1/32 proto 2 dir in");
  const auto applied = agent_.try_apply(sending("10.9.0.1", kSpi));
  ASSERT_TRUE(applied) << applied.error().text();
  ASSERT_THAT(applied->refusals, SizeIs(1));
  EXPECT_EQ(applied->refusals[0].error.kind, xfrm::kForeignPolicy);
  EXPECT_THAT(read_policies(segment_, "a"), SizeIs(kPoliciesListening));
  EXPECT_EQ(Sender(segment_, "a", "10.9.0.1").send(kGroup, kPort, "in clear?"), EPERM);
}

TEST_F(Ownership, ForeignPolicyWithOurIndexIsReportedAndNothingOfOursStaysThere) {
  segment_.ip("a",
              "xfrm policy add src 10.1.0.0/16 dst 239.9.9.9/32 dir out index 1191184137 "
              "action block");
  const auto before = read_policies(segment_, "a");
  ASSERT_THAT(*before.begin(), HasSubstr("index 0x47000709"));
  const auto applied = agent_.try_apply(sending("10.9.0.1", kSpi));
  ASSERT_TRUE(applied) << applied.error().text();
  ASSERT_THAT(applied->refusals, SizeIs(1));
  EXPECT_EQ(applied->refusals[0].error.kind, xfrm::kIndexTaken);
  EXPECT_THAT(read_sas(segment_, "a"), IsEmpty());

  const auto removed = agent_.kernel().remove(agent_.record());
  ASSERT_TRUE(removed) << removed.error().text();
  EXPECT_EQ(read_policies(segment_, "a"), before);
}

TEST_F(Ownership, WithoutTheRecordOurOwnAreForeign) {
  agent_.apply(sending("10.9.0.1", kSpi));
  Agent other(segment_, "a");
  const auto applied = apply(other.kernel(), sending("10.9.0.1", kSpi), {});
  ASSERT_TRUE(applied) << applied.error().text();
  ASSERT_THAT(applied->refusals, SizeIs(kPoliciesListening));
  for (const xfrm::Refusal& refusal : applied->refusals)
    EXPECT_EQ(refusal.error.kind, xfrm::kForeignPolicy);
}

TEST_F(Ownership, AnAgentAdoptsWhatItsRecordAndSpecConfirm) {
  agent_.apply(sending("10.9.0.1", kSpi));
  Agent next(segment_, "a");
  const auto stages = prepare(next.kernel(), sending("10.9.0.1", kSpi), agent_.record());
  ASSERT_TRUE(stages) << stages.error().text();
  EXPECT_THAT(*stages, IsEmpty());
}

TEST_F(Ownership, TwoGroupsDoNotDisturbEachOther) {
  agent_.apply(sending("10.9.0.1", kSpi));
  xfrm::GroupSpec second = sending("10.9.0.1", kSpi);
  second.slot = kSlot + 1;
  second.address_slot = kSlot + 1;
  second.destination = ip_of("239.1.1.2");
  Agent other(segment_, "a");
  other.apply(second);
  const auto both = agent_.kernel().remove(agent_.record());
  ASSERT_TRUE(both) << both.error().text();
  EXPECT_THAT(read_sas(segment_, "a"), SizeIs(1));
  EXPECT_THAT(read_policies(segment_, "a"), SizeIs(kPoliciesSending));
}

}  // namespace
}  // namespace gkmpd::test
