// What an earlier run left at work: shown, left alone, ended by time, and superseded by new keys.
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/protocol/errors.h"
#include "tests/unit/protocol/hosts.h"

namespace gkmpd::test {
namespace {

using protocol::AdoptedGroup;
using protocol::GroupRole;
using protocol::GroupState;
using xfrm::Earlier;

/// What b, or a, would find after a restart.
class Adopted : public KeyedPair {
 protected:
  Adopted() : KeyedPair(/*token_grace_s=*/60) {}

  /// The host's agent ends and starts again, without knowing where the controller is: it asks
  /// nobody.
  void restart(const std::string& name) {
    TestNode& node = net_.node(name);
    node.memo.controller_address = {};
    const auto view = *node.endpoint->group("demo");
    node.adopted = {{.id = view.id,
                     .name = view.name,
                     .data_address = view.data_address,
                     .data_port = view.data_port,
                     .epoch_id = *view.epoch_id,
                     .memo = node.memo,
                     .sending = view.sending,
                     .missing = {}}};
    net_.restart(node);
    node.reports.clear();
  }
};

TEST_F(Adopted, InstallsTellWhatTheNextStartHasToKnow) {
  const auto live = view("b");
  for (const char* name : {"a", "b"}) {
    const protocol::GroupMemo& memo = net_.node(name).memo;
    EXPECT_EQ(memo.role, *name == 'a' ? GroupRole::kController : GroupRole::kMember);
    EXPECT_EQ(memo.controller, "a");
    EXPECT_EQ(memo.control_multicast, live.control_multicast);
    EXPECT_EQ(memo.tuple, live.tuple);
    EXPECT_EQ(memo.not_after, live.not_after);
    EXPECT_EQ(memo.on_stop, identity::StopPolicy::kKeep);
    EXPECT_EQ(memo.release_at - memo.activate_at, seconds(4));
    EXPECT_LE(memo.release_at, net_.now().wall) << "no later than they are over for those who run";
  }
}

TEST_F(Adopted, IsShownAsItWasAndNothingIsDone) {
  const auto live = view("a");
  restart("a");
  const auto shown = view("a");
  EXPECT_EQ(shown.state, GroupState::kAdopted);
  EXPECT_EQ(to_text(shown.state), "adopted");
  EXPECT_EQ(shown.role, GroupRole::kController);
  EXPECT_EQ(shown.controller, "a");
  EXPECT_EQ(shown.id, live.id);
  EXPECT_EQ(shown.tuple, live.tuple);
  EXPECT_EQ(shown.epoch_id, live.epoch_id);
  EXPECT_EQ(shown.not_after, live.not_after);
  EXPECT_EQ(shown.data_address, live.data_address);
  EXPECT_EQ(shown.data_port, live.data_port);
  EXPECT_EQ(shown.control_multicast, live.control_multicast);
  EXPECT_TRUE(shown.sending);
  EXPECT_TRUE(shown.installed);
  net_.pass(seconds(60));
  EXPECT_FALSE(net_.node("a").kernel) << "no install was asked for";
  EXPECT_TRUE(net_.node("a").joined.empty());
  // b asks what has become of its controller, and is dropped.
  std::erase_if(net_.node("a").reports,
                [](const auto& report) { return report.what == "dropped"; });
  EXPECT_TRUE(net_.node("a").reports.empty());
  EXPECT_FALSE(net_.node("a").endpoint->held_keys(group_.id));
}

TEST_F(Adopted, WhatDoesNotStandIsShown) {
  restart("b");
  net_.node("b").adopted[0].missing = "not in the kernel: the guard policy";
  net_.restart(net_.node("b"));
  EXPECT_FALSE(view("b").installed);
  EXPECT_EQ(view("b").install_error, "not in the kernel: the guard policy");

  // What of it cannot be put back stays so.
  net_.node("b").keep_outcome = protocol::Kept{.sending = false, .missing = "1 of 3 SAs"};
  net_.pass(milliseconds(0));
  EXPECT_FALSE(view("b").installed);
  EXPECT_FALSE(view("b").sending);
  EXPECT_EQ(view("b").install_error, "1 of 3 SAs");
}

TEST_F(Adopted, IsKeptAsFarAsItIsOfUse) {
  using protocol::Keep;
  restart("b");
  net_.node("b").adopted[0].memo.activate_at = net_.now().wall + seconds(1);
  net_.node("b").adopted[0].memo.release_at = net_.now().wall + seconds(3);
  net_.restart(net_.node("b"));
  const auto& kept = net_.node("b").kept;
  net_.pass(milliseconds(900));
  EXPECT_EQ(kept, (std::vector{Keep::kBoth})) << "at once";
  net_.pass(milliseconds(2000));
  EXPECT_EQ(kept, (std::vector{Keep::kBoth, Keep::kSwitched}));
  net_.pass(milliseconds(200));
  EXPECT_EQ(kept, (std::vector{Keep::kBoth, Keep::kSwitched, Keep::kNewest}));
  net_.pass(view("b").not_after - net_.now().wall + seconds(1));
  EXPECT_EQ(kept, (std::vector{Keep::kBoth, Keep::kSwitched, Keep::kNewest, Keep::kClosed}));
  net_.pass(seconds(100));
  EXPECT_EQ(kept.size(), 4U);
}

TEST_F(Adopted, WhatIsKeptIsLookedAtAgainWhenAsked) {
  using protocol::Keep;
  restart("b");
  net_.pass(milliseconds(0));
  net_.node("b").kept.clear();
  net_.node("b").endpoint->handle_kernel_change(net_.now(), *IpAddress::parse("239.7.7.7"));
  net_.settle();
  EXPECT_TRUE(net_.node("b").kept.empty()) << "another group's address";
  net_.node("b").endpoint->handle_kernel_change(net_.now(), view("b").data_address);
  net_.settle();
  EXPECT_EQ(net_.node("b").kept, (std::vector{Keep::kNewest}));
}

TEST_F(Adopted, WhatCouldNotBeKeptIsTriedAgain) {
  restart("b");
  net_.node("b").keep_outcome = fail("xfrm.foreign-policy", "somebody else's");
  net_.pass(milliseconds(500));
  EXPECT_EQ(net_.node("b").kept.size(), 1U);
  EXPECT_TRUE(net_.node("b").reported("install-failed"));
  EXPECT_EQ(view("b").install_error, "xfrm.foreign-policy: somebody else's");
  net_.node("b").keep_outcome = protocol::Kept{.sending = true, .missing = {}};
  net_.pass(seconds(1));
  EXPECT_EQ(net_.node("b").kept.size(), 2U);
  EXPECT_TRUE(view("b").installed);
  net_.pass(seconds(60));
  EXPECT_EQ(net_.node("b").kept.size(), 2U);
}

TEST_F(Adopted, AnEndedGroupThatCannotBeCreatedAnewStaysClosed) {
  net_.pass(view("a").not_after - net_.now().wall + seconds(1));
  ASSERT_EQ(view("a").state, GroupState::kExpired);
  net_.node("a").save_outcome = fail("store.write-failed", "disk full");
  ASSERT_TRUE(net_.create("a", group_));
  ASSERT_EQ(view("a").state, GroupState::kFailed);
  net_.node("a").kept.clear();
  net_.node("a").endpoint->handle_kernel_change(net_.now(), view("a").data_address);
  net_.settle();
  EXPECT_EQ(net_.node("a").kept, (std::vector{protocol::Keep::kClosed}));
}

TEST_F(Adopted, EndsWithItsEpoch) {
  restart("b");
  const auto left = view("b").not_after - net_.now().wall;
  net_.pass(left - seconds(1));
  EXPECT_EQ(view("b").state, GroupState::kAdopted);
  net_.pass(seconds(2));
  EXPECT_EQ(view("b").state, GroupState::kExpired);
  EXPECT_FALSE(view("b").sending);
  net_.pass(seconds(60));
  EXPECT_EQ(std::ranges::count(net_.node("b").reports, "epoch-expired", &protocol::Report::what),
            1);
  EXPECT_FALSE(net_.node("b").kernel) << "guard and inbound policy stay as they are";

  restart("b");
  net_.settle();
  net_.pass(seconds(1));
  EXPECT_EQ(view("b").state, GroupState::kExpired) << "one that had ended before the start";
  EXPECT_TRUE(net_.node("b").reported("epoch-expired"));
}

TEST_F(Adopted, NewKeysTakeOverWithoutAMomentWithoutAny) {
  const auto before = *view("a").tuple;
  restart("a");
  ASSERT_TRUE(net_.create("a", group_));
  for (const char* name : {"a", "b"}) {  // b has held its keys all the time
    const auto& kernel = net_.node(name).kernel;
    ASSERT_TRUE(kernel) << name;
    EXPECT_EQ(view(name).state, *name == 'a' ? GroupState::kActive : GroupState::kPending) << name;
    EXPECT_GT(*view(name).tuple, before) << name;
    EXPECT_FALSE(kernel->active_generation) << name;
    EXPECT_EQ(kernel->earlier, Earlier::kKeep) << name;
  }
  // Killed now, a may be alone with the epoch: its next run stays with the others as long as it
  // can.
  EXPECT_EQ(net_.node("a").memo.release_at - net_.node("a").memo.activate_at, seconds(3));
  EXPECT_EQ(net_.node("b").memo.release_at - net_.node("b").memo.activate_at, seconds(4));
  net_.pass(milliseconds(options_.activation_delay_ms + 100));
  for (const char* name : {"a", "b"}) {
    EXPECT_TRUE(net_.node(name).kernel->active_generation) << name;
    EXPECT_EQ(net_.node(name).kernel->earlier, Earlier::kKeep) << name;
  }
  EXPECT_EQ(net_.node("a").memo.release_at - net_.node("a").memo.activate_at, seconds(4));
  net_.pass(milliseconds(options_.deactivation_delay_ms - options_.activation_delay_ms));
  for (const char* name : {"a", "b"}) {
    EXPECT_TRUE(net_.node(name).kernel->active_generation) << name;
    EXPECT_EQ(net_.node(name).kernel->earlier, Earlier::kRemove) << name;
  }
}

TEST_F(Adopted, TheSameEpochTakenAgainGoesOnWithItsDelays) {
  options_.version = 2;
  options_.activation_delay_ms = 4'000;
  options_.deactivation_delay_ms = 6'000;
  restart("a");
  // b takes the epoch and ends; a never hears that it did, and asks it again.
  net_.filter = [](Sent& sent) { return sent.message() != "Key_Download_Ack"; };
  ASSERT_TRUE(net_.create("a", net_.group(options_)));
  const auto taken = view("b").epoch_id;
  ASSERT_EQ(taken, view("a").epoch_id);
  restart("b");
  net_.filter = [](Sent&) { return true; };
  const WallTime fell_silent = net_.now().wall;
  while (view("b").state == GroupState::kAdopted && net_.now().wall < kNow + seconds(100)) {
    net_.pass(seconds(1));
  }
  ASSERT_EQ(view("b").epoch_id, taken);
  ASSERT_NE(view("b").state, GroupState::kAdopted);
  EXPECT_LT(net_.now().wall, fell_silent + seconds(14)) << "who fell silent is asked anew at once";
  net_.pass(milliseconds(100));
  EXPECT_TRUE(net_.node("b").kernel->active_generation) << "others have sent under it for long";
  EXPECT_EQ(net_.node("b").kernel->earlier, Earlier::kRemove);
  EXPECT_LE(net_.node("b").memo.activate_at, net_.now().wall + seconds(2));
}

TEST_F(Adopted, AFirstEpochHasNothingToKeep) {
  EXPECT_EQ(net_.node("a").kernel->earlier, Earlier::kRemove);
  restart("b");
  net_.pass(view("b").not_after - net_.now().wall + seconds(1));
  ASSERT_EQ(view("b").state, GroupState::kExpired);
  ASSERT_TRUE(net_.create("a", group_));
  EXPECT_EQ(net_.node("b").kernel->earlier, Earlier::kRemove) << "nor one after the end";
}

TEST_F(Adopted, ItsAddressesAreTaken) {
  restart("a");
  auto options = options_;
  options.group = "demo";
  options.version = 2;
  EXPECT_TRUE(net_.create("a", net_.group(options))) << "not for itself";

  net_.restart(net_.node("a"));
  HostOptions other;
  other.roles.insert(identity::Role::kController);
  other.groups = {"demo", "other"};
  net_.credentials("a") = net_.pki.host("a", other);
  net_.restart(net_.node("a"));
  options.group = "other";
  const auto refused = net_.create("a", net_.group(options));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, protocol::kAddressTaken) << refused.error().text();
}

TEST_F(Adopted, AGroupThatMovesHoldsItsFormerAddressUntilItHasKeys) {
  HostOptions controller;
  controller.roles.insert(identity::Role::kController);
  controller.groups = {"demo", "other"};
  net_.credentials("a") = net_.pki.host("a", controller);
  restart("a");
  auto moved = options_;
  moved.version = 2;
  moved.address = "239.1.1.9";
  net_.filter = [](Sent&) { return false; };  // nobody answers
  ASSERT_TRUE(net_.create("a", net_.group(moved)));
  auto other = options_;
  other.group = "other";
  other.control_address = "239.1.1.8";
  const auto refused = net_.create("a", net_.group(other));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, protocol::kAddressTaken) << refused.error().text();
  const auto watched = net_.node("a").endpoint->data_addresses();
  EXPECT_NE(std::ranges::find(watched, *IpAddress::parse(options_.address)), watched.end());
}

TEST_F(Adopted, ACreationThatFailsLeavesItAtWork) {
  const auto before = view("a");
  restart("a");
  net_.node("a").save_outcome = fail("store.write-failed", "disk full");
  ASSERT_TRUE(net_.create("a", group_));
  const auto failed = view("a");
  EXPECT_EQ(failed.state, GroupState::kFailed);
  EXPECT_EQ(failed.tuple, before.tuple);
  EXPECT_EQ(failed.epoch_id, before.epoch_id);
  EXPECT_TRUE(failed.sending);
  EXPECT_FALSE(failed.installed);
  EXPECT_FALSE(net_.node("a").kernel);
  net_.node("a").save_outcome = {};
  ASSERT_TRUE(net_.create("a", group_));
  EXPECT_GT(*view("a").tuple, *before.tuple);
}

}  // namespace
}  // namespace gkmpd::test
