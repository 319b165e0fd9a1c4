// Groups that share an address, by the agent's installer: what is of the address stays until the
// last of them goes.
#include <gmock/gmock.h>

#include "tests/kernel/independent_reader.h"
#include "tests/kernel/one_host.h"

namespace gkmpd::test {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

using Texts = std::set<std::string>;

/// The policies that a second group on an address adds to those of the first.
constexpr std::size_t kPoliciesOfItsOwn = 2;

class SharedAddress : public OneHost {
 protected:
  /// Beside the demo group, on the next port, in tunnel mode, with an SPI prefix of its own.
  [[nodiscard]] protocol::InstallGroup second(identity::StopPolicy on_stop) const {
    protocol::InstallGroup wanted = epoch(1);
    wanted.group = GroupId{2};
    wanted.epoch_id = EpochId{2, runs_};
    wanted.spec.group_name = "second";
    wanted.spec.port = kPort + 1;
    wanted.spec.mode = IpsecMode::kTunnel;
    for (xfrm::SenderSa& sa : wanted.spec.senders) sa.spi += 0x01000000;
    wanted.memo.on_stop = on_stop;
    wanted.memo.spi_prefix = 0x0b;
    return wanted;
  }
  [[nodiscard]] protocol::InstallGroup first(identity::StopPolicy on_stop) const {
    protocol::InstallGroup wanted = epoch(1);
    wanted.epoch_id = EpochId{1, runs_};
    wanted.memo.on_stop = on_stop;
    return wanted;
  }
  [[nodiscard]] std::pair<Texts, Texts> kernel() const {
    return {read_sas(segment_, "a"), read_policies(segment_, "a")};
  }

  std::uint8_t runs_ = 0;  // each with keys of its own
};

TEST_F(SharedAddress, TheSecondGroupAddsOnlyItsOwn) {
  start_agent();
  ASSERT_TRUE(install(1));
  const auto alone = kernel();
  ASSERT_TRUE(installer_->install(second(identity::StopPolicy::kKeep)));
  EXPECT_THAT(read_sas(segment_, "a"), SizeIs(4));
  EXPECT_THAT(read_policies(segment_, "a"), SizeIs(kPoliciesSending + kPoliciesOfItsOwn));
  xfrm::Tally done;
  ASSERT_TRUE(installer_->install(epoch(1), &done));
  EXPECT_TRUE(done.empty()) << done.text();
  EXPECT_EQ(installer_->standing()->recorded, 4 + kPoliciesSending + kPoliciesOfItsOwn);
}

TEST_F(SharedAddress, WhicheverGoesFirstLeavesTheAddressToTheOther) {
  for (const bool first_goes : {true, false}) {
    ++runs_;
    start_agent();
    const auto remove = identity::StopPolicy::kRemove;
    const auto keep = identity::StopPolicy::kKeep;
    ASSERT_TRUE(installer_->install(first_goes ? second(keep) : first(keep)));
    const auto alone = kernel();
    ASSERT_TRUE(installer_->install(first_goes ? first(remove) : second(remove)));
    ASSERT_NE(kernel(), alone);

    const auto gone = installer_->remove_stopping();
    ASSERT_TRUE(gone) << gone.error().text();
    EXPECT_EQ(gone->objects, 2 + kPoliciesOfItsOwn);
    EXPECT_EQ(kernel(), alone);
    const Sender sender(segment_, "a", "10.9.0.1");
    EXPECT_EQ(sender.send(kGroup, kPort + 7, "another port"), EPERM);

    ASSERT_TRUE(installer_->remove_all());
    EXPECT_THAT(read_policies(segment_, "a"), IsEmpty());
    EXPECT_EQ(installer_->standing()->recorded, 0U);
  }
}

TEST_F(SharedAddress, AGroupThatMovesAwayLeavesTheAddressToTheOther) {
  start_agent();
  ASSERT_TRUE(installer_->install(second(identity::StopPolicy::kKeep)));
  const auto alone = kernel();
  ASSERT_TRUE(install(1));
  protocol::InstallGroup moved = epoch(2);
  moved.spec.destination = ip_of("239.1.1.9");
  ASSERT_TRUE(installer_->install(std::move(moved)));
  EXPECT_THAT(read_sas(segment_, "a"), SizeIs(4));
  EXPECT_THAT(read_policies(segment_, "a"), SizeIs(2 * kPoliciesSending));
  for (const std::string& policy : alone.second)
    EXPECT_TRUE(read_policies(segment_, "a").contains(policy)) << policy;
}

// As if the agent had been killed after it took a group out and before it said so in its record.
TEST_F(SharedAddress, WhatIsLeftOfTheAddressIsNotTheOtherGroupsToRiseFrom) {
  start_agent();
  ASSERT_TRUE(install(1));
  const auto alone = kernel();
  ASSERT_TRUE(installer_->install(second(identity::StopPolicy::kKeep)));
  const std::string flow = " dst 239.1.1.1/32 proto 17 dport 5001 dir ";
  segment_.ip("a", "xfrm policy delete src 0.0.0.0/0" + flow + "in");
  segment_.ip("a", "xfrm policy delete src 10.9.0.1/32" + flow + "out");
  for (const char* spi : {"0x0b000001", "0x0b000002"})
    segment_.ip("a", std::string("xfrm state delete dst 239.1.1.1 proto esp spi ") + spi);
  ASSERT_EQ(kernel(), alone);
  const auto taken = start_agent();
  ASSERT_THAT(taken.adopted, SizeIs(1));
  EXPECT_EQ(taken.adopted[0].name, "demo");
  EXPECT_THAT(taken.vanished, ::testing::ElementsAre("second"));
  EXPECT_EQ(installer_->standing()->recorded, 2 + kPoliciesSending);
  EXPECT_EQ(kernel(), alone);
}

TEST_F(SharedAddress, BothAreAdoptedAndKept) {
  start_agent();
  ASSERT_TRUE(install(1));
  ASSERT_TRUE(installer_->install(second(identity::StopPolicy::kKeep)));
  const auto before = kernel();
  const auto taken = start_agent();
  ASSERT_THAT(taken.adopted, SizeIs(2));
  EXPECT_EQ(taken.adopted[1].memo.spi_prefix, 0x0b);
  for (const GroupId& group : {GroupId{1}, GroupId{2}}) {
    xfrm::Tally done;
    const auto kept = installer_->keep(group, protocol::Keep::kBoth, kInstalledAt, &done);
    ASSERT_TRUE(kept) << kept.error().text();
    EXPECT_TRUE(kept->sending);
    EXPECT_EQ(kept->missing, "");
    EXPECT_TRUE(done.empty()) << done.text();
  }
  EXPECT_EQ(kernel(), before);

  // One ends: the other's and the address's policies stay.
  ASSERT_TRUE(installer_->keep(GroupId{1}, protocol::Keep::kClosed, kInstalledAt));
  EXPECT_THAT(read_sas(segment_, "a"), SizeIs(2));
  segment_.ip("a", "xfrm policy flush");
  ASSERT_TRUE(installer_->keep(GroupId{2}, protocol::Keep::kNewest, kInstalledAt));
  ASSERT_TRUE(installer_->keep(GroupId{1}, protocol::Keep::kClosed, kInstalledAt));
  EXPECT_THAT(read_policies(segment_, "a"), SizeIs(kPoliciesSending + kPoliciesOfItsOwn - 1));
}

}  // namespace
}  // namespace gkmpd::test
