// From an install to its row in the store and back, and what of a group is found standing.
#include "agent/daemon/adoption.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "xfrm/plan.h"

namespace gkmpd::daemon {
namespace {

const KernelPlace kPlace{"4026531840", "boot"};
constexpr xfrm::GroupSlot kSlot = 3;
constexpr xfrm::AddressSlot kAddressSlot = 4;
constexpr Placement kPlacement{.slot = kSlot, .address_slot = kAddressSlot, .attachment = {}};
constexpr xfrm::Generation kGeneration = 9;
const WallTime kNow = from_unix(1'800'000'000);

protocol::InstallGroup install() {
  protocol::InstallGroup value;
  value.group = {1, 2, 3};
  value.epoch_id = {4, 5, 6};
  value.spec.group_name = "demo";
  value.spec.slot = kSlot;
  value.spec.address_slot = kAddressSlot;
  value.spec.destination = *IpAddress::parse("239.1.1.1");
  value.spec.port = 5000;
  value.spec.own_source = *IpAddress::parse("10.9.0.1");
  value.spec.active_generation = kGeneration;
  for (const std::uint32_t spi : {0x0a090001U, 0x0a090002U}) {
    xfrm::SenderSa sa;
    sa.spi = spi;
    sa.source = *IpAddress::parse(spi % 2 == 1 ? "10.9.0.1" : "10.9.0.2");
    sa.outbound = spi % 2 == 1;
    sa.generation = kGeneration;
    sa.key = Secret(20);
    sa.hard_lifetime_s = 60;
    value.spec.senders.push_back(std::move(sa));
  }
  value.memo = {.role = protocol::GroupRole::kController,
                .controller = "a",
                .control_multicast = {*IpAddress::parse("239.1.1.2"), 8480},
                .tuple = {7, 1, 0, kGeneration},
                .not_after = kNow + seconds(60),
                .on_stop = identity::StopPolicy::kRemove,
                .release_at = kNow + seconds(5),
                .spi_prefix = 10,
                .activate_at = kNow + seconds(1),
                .controller_address = {*IpAddress::parse("10.9.0.7"), 8480}};
  return value;
}

TEST(Adoption, WhatWasInstalledComesBackFromItsRow) {
  for (const auto role : {protocol::GroupRole::kController, protocol::GroupRole::kMember}) {
    for (const auto on_stop : {identity::StopPolicy::kKeep, identity::StopPolicy::kRemove}) {
      auto wanted = install();
      wanted.memo.role = role;
      wanted.memo.on_stop = on_stop;
      const auto row = to_row(wanted, kPlace);
      EXPECT_EQ(row.network_namespace, kPlace.text());
      const auto group = to_adopted(row);
      ASSERT_TRUE(group);
      EXPECT_EQ(group->id, wanted.group);
      EXPECT_EQ(group->name, "demo");
      EXPECT_EQ(group->data_address, wanted.spec.destination);
      EXPECT_EQ(group->data_protocol, 17);
      EXPECT_EQ(group->data_port, 5000);
      EXPECT_EQ(group->epoch_id, wanted.epoch_id);
      EXPECT_EQ(group->memo, wanted.memo);
    }
  }
}

TEST(Adoption, ARowWithoutAddressesIsNoGroup) {
  auto row = to_row(install(), kPlace);
  row.control_address = "somewhere";
  EXPECT_FALSE(to_adopted(row));
}

class Inspected : public testing::Test {
 protected:
  [[nodiscard]] Inspection look(WallTime now = kNow) const {
    return inspect(to_row(wanted_, kPlace), record_, kernel_, now);
  }
  void lose_policy(xfrm::PolicyKind kind) {
    std::erase_if(kernel_.policies, [&](const auto& policy) { return policy.kind == kind; });
  }

  protocol::InstallGroup wanted_ = install();
  std::vector<xfrm::ObjectId> record_ = xfrm::objects_of(wanted_.spec);
  xfrm::KernelState kernel_ = xfrm::wanted_state(wanted_.spec);
};

TEST_F(Inspected, AllThere) {
  const auto found = look();
  EXPECT_TRUE(found.sending);
  EXPECT_EQ(found.missing, "");
  EXPECT_TRUE(found.ended.empty());
}

TEST_F(Inspected, WhatIsLostIsNamed) {
  lose_policy(xfrm::PolicyKind::kGuard);
  EXPECT_EQ(look().missing, "not in the kernel: the guard policy");
  lose_policy(xfrm::PolicyKind::kIn);
  std::erase_if(kernel_.sas, [](const auto& sa) { return !sa.outbound(); });
  EXPECT_EQ(look().missing, "not in the kernel: the inbound policy, the guard policy, 1 of 2 SAs");
  EXPECT_TRUE(look().sending);
}

TEST_F(Inspected, SendingTakesPolicyAndSa) {
  const auto sas = std::exchange(kernel_.sas, {});
  EXPECT_FALSE(look().sending);
  kernel_.sas.push_back(sas[0].clone());
  EXPECT_FALSE(look().sending) << "the inbound one";
  kernel_.sas.push_back(sas[1].clone());
  EXPECT_TRUE(look().sending);
  lose_policy(xfrm::PolicyKind::kProtect);
  EXPECT_FALSE(look().sending);
  EXPECT_EQ(look().missing, "not in the kernel: the protect policy");
}

TEST_F(Inspected, AfterTheEndOnlyGuardAndInboundPolicyCount) {
  kernel_.sas.clear();
  lose_policy(xfrm::PolicyKind::kProtect);
  const auto found = look(kNow + seconds(60));
  EXPECT_EQ(found.missing, "");
  EXPECT_EQ(found.ended.size(), 2U);
  lose_policy(xfrm::PolicyKind::kIn);
  EXPECT_EQ(look(kNow + seconds(60)).missing, "not in the kernel: the inbound policy");
}

TEST_F(Inspected, SasOfTheEpochBeforeMayHaveEnded) {
  const xfrm::ObjectId earlier{xfrm::ObjectKind::kSa, wanted_.spec.destination, 0x0a080001,
                               xfrm::reqid(kSlot, kGeneration - 1, xfrm::SaDirection::kIn)};
  record_.push_back(earlier);
  const auto found = look();
  EXPECT_EQ(found.missing, "");
  EXPECT_EQ(found.ended, std::vector{earlier});
}

using protocol::Keep;

/// The group of above with SAs of the epoch before, which is sent under until the switch.
class KeptState : public Inspected {
 protected:
  void add_earlier() {
    for (const xfrm::SaState& sa : xfrm::wanted_state(wanted_.spec).sas) {
      xfrm::SaState earlier = sa.clone();
      earlier.spi -= 0x10000;
      earlier.reqid -= 2;  // one generation
      kernel_.sas.push_back(std::move(earlier));
    }
    protect().reqid -= 2;
  }
  xfrm::PolicyState& protect() {
    return *std::ranges::find(kernel_.policies, xfrm::PolicyKind::kProtect,
                              &xfrm::PolicyState::kind);
  }
  [[nodiscard]] xfrm::KernelState kept(Keep keep) const {
    return kept_state(to_row(wanted_, kPlace), place_, kernel_, keep);
  }
  /// As if it had been installed with that attachment.
  void install_attached(const xfrm::Attachment& attachment) {
    wanted_.spec.attachment = attachment;
    kernel_ = xfrm::wanted_state(wanted_.spec);
    place_.attachment = attachment;
  }
  [[nodiscard]] static std::optional<xfrm::Attachment> attachment_of(const xfrm::KernelState& state,
                                                                     xfrm::PolicyKind kind) {
    const auto found = std::ranges::find(state.policies, kind, &xfrm::PolicyState::kind);
    if (found == state.policies.end()) return std::nullopt;
    return found->attachment;
  }
  [[nodiscard]] std::vector<xfrm::Stage> operations(Keep keep) const {
    return xfrm::plan(kernel_, kept(keep));
  }

  Placement place_ = kPlacement;
};

using xfrm::PolicyKind;

TEST_F(KeptState, PoliciesFollowTheInterface) {
  install_attached({.interface = 5});
  place_.attachment.interface = 6;
  EXPECT_EQ(attachment_of(kept(Keep::kNewest), PolicyKind::kProtect)->interface, 6U);
  install_attached({.interface = 5, .if_id = 7});
  place_.attachment.interface = 6;
  EXPECT_EQ(attachment_of(kept(Keep::kNewest), PolicyKind::kPassage)->interface, 6U);
  EXPECT_EQ(attachment_of(kept(Keep::kNewest), PolicyKind::kProtect),
            (xfrm::Attachment{.if_id = 7}));
}

// A way in clear to any other interface would be a way out.
TEST_F(KeptState, WhatGoesIntoAnXfrmInterfaceIsNotLetOutByWhatIsConfiguredNow) {
  install_attached({.interface = 5, .if_id = 7});
  for (const xfrm::Attachment& now : {xfrm::Attachment{.interface = 6}, xfrm::Attachment{},
                                      xfrm::Attachment{.interface = 8, .if_id = 9}}) {
    place_.attachment = now;
    EXPECT_TRUE(operations(Keep::kNewest).empty());
    EXPECT_EQ(attachment_of(kept(Keep::kNewest), PolicyKind::kPassage)->interface, 5U);
  }
  lose_policy(PolicyKind::kPassage);
  EXPECT_EQ(attachment_of(kept(Keep::kNewest), PolicyKind::kPassage), std::nullopt);
}

TEST_F(KeptState, WhatIsConfiguredNowWaitsForTheNextSas) {
  place_.attachment = {.interface = 6, .if_id = 7, .mark = 1, .mark_mask = 1};
  EXPECT_TRUE(operations(Keep::kNewest).empty());
}

TEST_F(KeptState, AWholeGroupIsLeftAlone) {
  EXPECT_TRUE(operations(Keep::kBoth).empty());
  EXPECT_TRUE(operations(Keep::kNewest).empty());
  add_earlier();
  EXPECT_TRUE(operations(Keep::kBoth).empty());
}

TEST_F(KeptState, PoliciesArePutBackAsTheyWere) {
  const auto before = kernel_.policies;
  kernel_.policies.clear();
  EXPECT_EQ(kept(Keep::kNewest).policies, before);
}

TEST_F(KeptState, WhatIsMissingOfTheSasIsNotMadeUp) {
  kernel_.sas.clear();
  const auto left = kept(Keep::kNewest);
  EXPECT_TRUE(left.sas.empty());
  EXPECT_EQ(left.policies.size(), 5U) << "no protect policy without its SA";
}

TEST_F(KeptState, TheEpochBeforeGoesAndSendingIsSwitchedFirst) {
  add_earlier();
  const auto left = kept(Keep::kNewest);
  EXPECT_EQ(left.sas.size(), 2U);
  ASSERT_EQ(left.policies.size(), 6U);
  EXPECT_EQ(left.policies[5].reqid, xfrm::reqid(kSlot, kGeneration, xfrm::SaDirection::kOut));
  const auto stages = operations(Keep::kNewest);
  ASSERT_EQ(stages.size(), 2U);
  EXPECT_TRUE(std::get<xfrm::PutPolicy>(stages[0].operations.at(0)).replace);
  EXPECT_EQ(stages[1].operations.size(), 2U);
}

TEST_F(KeptState, SendingIsSwitchedWhileTheEpochBeforeIsHeard) {
  add_earlier();
  const auto left = kept(Keep::kSwitched);
  EXPECT_EQ(left.sas.size(), 4U);
  ASSERT_EQ(left.policies.size(), 6U);
  EXPECT_EQ(left.policies[5].reqid, xfrm::reqid(kSlot, kGeneration, xfrm::SaDirection::kOut));
  const auto stages = operations(Keep::kSwitched);
  ASSERT_EQ(stages.size(), 1U);
  ASSERT_EQ(stages[0].operations.size(), 1U);
  EXPECT_TRUE(std::get<xfrm::PutPolicy>(stages[0].operations[0]).replace);
}

// An agent may be killed between the record of an epoch and its SAs.
TEST_F(KeptState, NothingIsSwitchedToWhatIsNotThere) {
  add_earlier();
  std::erase_if(kernel_.sas, [](const xfrm::SaState& sa) {
    return sa.outbound() && xfrm::generation_of_reqid(sa.reqid) == kGeneration;
  });
  EXPECT_TRUE(operations(Keep::kSwitched).empty());
}

TEST_F(KeptState, BeforeTheSwitchOnlyTheEpochBeforeIsSentUnder) {
  lose_policy(xfrm::PolicyKind::kProtect);
  EXPECT_EQ(kept(Keep::kBoth).policies.size(), 5U) << "its activation delay may not be over";
  kernel_ = xfrm::wanted_state(wanted_.spec);
  add_earlier();
  lose_policy(xfrm::PolicyKind::kProtect);
  const auto left = kept(Keep::kBoth);
  ASSERT_EQ(left.policies.size(), 6U);
  EXPECT_EQ(left.policies[5].reqid, xfrm::reqid(kSlot, kGeneration - 1, xfrm::SaDirection::kOut));
}

TEST_F(KeptState, AfterTheEndGuardAndInboundPolicyRemain) {
  const auto left = kept(Keep::kClosed);
  EXPECT_TRUE(left.sas.empty());
  EXPECT_EQ(left.policies.size(), 5U);
}

TEST_F(KeptState, ATunnelStaysOneWithAndWithoutSas) {
  wanted_.spec.mode = xfrm::IpsecMode::kTunnel;
  kernel_ = xfrm::wanted_state(wanted_.spec);
  EXPECT_TRUE(operations(Keep::kNewest).empty());
  const auto before = kernel_.policies;
  lose_policy(xfrm::PolicyKind::kIn);
  EXPECT_EQ(kept(Keep::kNewest).policies, before);
  kernel_ = kept(Keep::kClosed);
  EXPECT_EQ(kernel_.policies, std::vector(before.begin(), before.begin() + 5));
  EXPECT_TRUE(operations(Keep::kClosed).empty());
}

TEST_F(KeptState, AnSaThatIsNotAsWeMadeItGoes) {
  kernel_.sas[0].regular = false;
  EXPECT_EQ(kept(Keep::kBoth).sas.size(), 1U);
}

TEST_F(KeptState, OfASharedSaTheProtectPolicyIsKeptAndSwitched) {
  wanted_.spec.sender_mode = xfrm::SenderMode::kShared;
  wanted_.spec.senders.pop_back();
  wanted_.spec.senders[0].source = *IpAddress::parse("0.0.0.0");
  wanted_.spec.senders[0].outbound = true;
  kernel_ = xfrm::wanted_state(wanted_.spec);
  EXPECT_TRUE(operations(Keep::kNewest).empty());
  place_.attachment.interface = 6;
  EXPECT_EQ(attachment_of(kept(Keep::kNewest), PolicyKind::kProtect)->interface, 6U);
  add_earlier();
  const auto left = kept(Keep::kNewest);
  ASSERT_EQ(left.policies.size(), 6U);
  EXPECT_EQ(left.policies[5].source, *IpAddress::parse("10.9.0.1"));
  EXPECT_EQ(left.policies[5].reqid, xfrm::reqid(kSlot, kGeneration, xfrm::SaDirection::kOut));
}

}  // namespace
}  // namespace gkmpd::daemon
