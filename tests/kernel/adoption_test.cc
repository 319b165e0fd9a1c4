// What an agent leaves in the kernel, and what the next one does with it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include "tests/kernel/independent_reader.h"
#include "tests/kernel/one_host.h"

namespace gkmpd::test {
namespace {

using daemon::Installer;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Adoption : public OneHost {
 protected:
  using Texts = std::set<std::string>;
  [[nodiscard]] std::pair<Texts, Texts> kernel() const {
    return {read_sas(segment_, "a"), read_policies(segment_, "a")};
  }
  /// As a store of schema 1 is: records, and nothing about their groups.
  void forget_groups() {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(scratch_.path().c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, "DELETE FROM installed_groups", nullptr, nullptr, nullptr),
              SQLITE_OK);
    sqlite3_close(database);
  }
};

TEST_F(Adoption, WhatStandsIsLeftAsItIsAndTold) {
  add_foreign();
  EXPECT_THAT(start_agent().adopted, IsEmpty());
  ASSERT_TRUE(install(1));
  const auto before = kernel();
  const Installer::Takeover taken = start_agent();
  EXPECT_EQ(kernel(), before);
  EXPECT_EQ(taken.removed + taken.forgotten + taken.other, 0U);
  ASSERT_THAT(taken.adopted, SizeIs(1));
  const protocol::AdoptedGroup& group = taken.adopted[0];
  EXPECT_EQ(group.id, GroupId{1});
  EXPECT_EQ(group.name, "demo");
  EXPECT_EQ(group.epoch_id, EpochId{1});
  EXPECT_EQ(group.memo, epoch(1).memo);
  EXPECT_TRUE(group.sending);
  EXPECT_EQ(group.missing, "");
}

TEST_F(Adoption, TheSameEpochChangesNothing) {
  start_agent();
  ASSERT_TRUE(install(1));
  const auto before = kernel();
  start_agent();
  auto again = epoch(1);
  again.spec.active_generation.reset();
  again.spec.earlier = xfrm::Earlier::kKeep;
  ASSERT_TRUE(installer_->install(std::move(again)));
  EXPECT_EQ(kernel(), before);
  ASSERT_TRUE(install(1));
  EXPECT_EQ(kernel(), before);
}

TEST_F(Adoption, ANewEpochComesOverItAndThenTakesItsPlace) {
  start_agent();
  ASSERT_TRUE(install(1));
  const auto first = kernel();
  start_agent();
  auto waiting = epoch(2);
  waiting.spec.active_generation.reset();
  waiting.spec.earlier = xfrm::Earlier::kKeep;
  ASSERT_TRUE(installer_->install(std::move(waiting)));
  EXPECT_THAT(read_sas(segment_, "a"), SizeIs(4));
  EXPECT_EQ(read_policies(segment_, "a"), first.second) << "the old SA is sent under";

  auto switched = epoch(2);
  switched.spec.earlier = xfrm::Earlier::kKeep;
  ASSERT_TRUE(installer_->install(std::move(switched)));
  EXPECT_THAT(read_sas(segment_, "a"), SizeIs(4));
  EXPECT_THAT(read_policies(segment_, "a"), SizeIs(kPoliciesSending));
  EXPECT_NE(read_policies(segment_, "a"), first.second);

  ASSERT_TRUE(install(2));
  EXPECT_THAT(read_sas(segment_, "a"), SizeIs(2));
  EXPECT_EQ(installer_->standing()->recorded, 2 + kPoliciesSending);
  EXPECT_EQ(start_agent().adopted.at(0).epoch_id, EpochId{2});
}

TEST_F(Adoption, WhatIsMissingIsToldAndStaysInTheRecord) {
  start_agent();
  ASSERT_TRUE(install(1));
  segment_.ip("a", "xfrm policy delete src 0.0.0.0/0 dst 239.1.1.1/32 dir out");
  const auto before = kernel();
  const auto taken = start_agent();
  EXPECT_EQ(taken.adopted.at(0).missing, "not in the kernel: the guard policy");
  EXPECT_EQ(kernel(), before);
  EXPECT_EQ(installer_->standing()->recorded, 2 + kPoliciesSending);
}

TEST_F(Adoption, WhereNothingStandsNothingIsAdopted) {
  start_agent();
  ASSERT_TRUE(install(1));
  segment_.ip("a", "xfrm state flush");
  segment_.ip("a", "xfrm policy flush");
  const auto taken = start_agent();
  EXPECT_THAT(taken.adopted, IsEmpty());
  EXPECT_THAT(taken.vanished, ElementsAre("demo"));
  EXPECT_EQ(installer_->standing()->recorded, 0U);
  EXPECT_THAT(start_agent().vanished, IsEmpty());
}

TEST_F(Adoption, AfterItsEndGuardAndInboundPolicyRemain) {
  start_agent();
  auto brief = epoch(1);
  for (auto& sa : brief.spec.senders) sa.hard_lifetime_s = 1;
  ASSERT_TRUE(installer_->install(std::move(brief)));
  ::sleep(3);
  EXPECT_THAT(read_sas(segment_, "a"), IsEmpty()) << "the kernel ends them by itself";
  const auto taken = start_agent(kInstalledAt + seconds(3600));
  ASSERT_THAT(taken.adopted, SizeIs(1));
  EXPECT_EQ(taken.adopted[0].missing, "");
  EXPECT_FALSE(taken.adopted[0].sending);
  EXPECT_EQ(installer_->standing()->policies, kPoliciesSending);
  EXPECT_EQ(installer_->standing()->recorded, kPoliciesSending);
  ASSERT_TRUE(install(2)) << "and another epoch comes over that too";
  EXPECT_EQ(installer_->standing()->recorded, 2 + kPoliciesSending);
}

TEST_F(Adoption, SasThatTheKernelEndedLeaveTheRecordWithTheNextInstall) {
  start_agent();
  auto brief = epoch(1);
  for (auto& sa : brief.spec.senders) sa.hard_lifetime_s = 1;
  ASSERT_TRUE(installer_->install(std::move(brief)));
  ::sleep(3);
  auto ended = epoch(1);
  ended.spec.senders.clear();
  ended.spec.active_generation.reset();
  ASSERT_TRUE(installer_->install(std::move(ended)));
  EXPECT_EQ(installer_->standing()->recorded, kPoliciesListening);
}

TEST_F(Adoption, AnOrderlyStopRemovesWhatTheTokenSaysAndNothingElse) {
  add_foreign();
  const auto foreign = kernel();
  start_agent();
  ASSERT_TRUE(install(1));
  const auto kept = kernel();
  auto other = epoch(1);
  other.group = {2};
  other.epoch_id = {2};
  other.spec.group_name = "other";
  other.spec.destination = ip_of("239.1.1.7");
  other.memo.on_stop = identity::StopPolicy::kRemove;
  ASSERT_TRUE(installer_->install(std::move(other)));
  ASSERT_NE(kernel(), kept);
  start_agent();  // what was adopted counts as well
  const auto removed = installer_->remove_stopping();
  ASSERT_TRUE(removed) << removed.error().text();
  EXPECT_EQ(removed->objects, 2 + kPoliciesSending);
  EXPECT_THAT(removed->groups, ElementsAre("other"));
  EXPECT_EQ(kernel(), kept);
  EXPECT_THAT(start_agent().adopted, SizeIs(1));

  const auto all = installer_->remove_all();
  ASSERT_TRUE(all) << all.error().text();
  EXPECT_THAT(all->groups, ElementsAre("demo"));
  EXPECT_EQ(kernel(), foreign);
  EXPECT_THAT(start_agent().adopted, IsEmpty());
}

TEST_F(Adoption, RecordsWithoutTheirGroupAreTakenOut) {
  add_foreign();
  const auto foreign = kernel();
  start_agent();
  ASSERT_TRUE(install(1));
  end_agent();
  forget_groups();
  const auto taken = start_agent();
  EXPECT_EQ(taken.removed, 2 + kPoliciesSending);
  EXPECT_THAT(taken.adopted, IsEmpty());
  EXPECT_EQ(kernel(), foreign);
}

}  // namespace
}  // namespace gkmpd::test
