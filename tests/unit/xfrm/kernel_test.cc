// The kernel class against scripted answers: what it sends, and what it makes of each refusal.
#include "xfrm/kernel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "netlink/errors.h"
#include "tests/support/apply.h"
#include "tests/unit/xfrm/kernel_messages.h"
#include "xfrm/events.h"

namespace gkmpd::xfrm {
namespace {

using gkmpd::test::answer;
using gkmpd::test::done;
using gkmpd::test::message;
using gkmpd::test::queue;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using gkmpd::test::operator+;
using test::demo_group;
using test::shown;

class KernelTest : public ::testing::Test {
 protected:
  KernelTest() { mnl_doubles_reset(); }
  ~KernelTest() override {
    EXPECT_EQ(mnl_doubles_queued(), 0U) << "scripted answers that nobody asked for";
    mnl_doubles_reset();
  }

  /// Scripts a dump of SAs that shows these.
  void show_sas(const std::vector<SaState>& sas) {
    ++sequence_;
    Bytes all;
    for (const SaState& sa : sas)
      append(all, message(XFRM_MSG_NEWSA, sequence_, shown(sa), NLM_F_MULTI));
    queue(all + done(sequence_));
  }
  void show_policies(const std::vector<PolicyState>& policies) {
    ++sequence_;
    Bytes all;
    for (const PolicyState& policy : policies)
      append(all, message(XFRM_MSG_NEWPOLICY, sequence_, shown(policy), NLM_F_MULTI));
    queue(all + done(sequence_));
  }
  void show(const KernelState& state) {
    show_sas(state.sas);
    show_policies(state.policies);
  }
  /// Scripts the answer to a batch of `count`, with one refusal if `error` is not 0.
  void answer_batch(std::uint32_t count, std::uint32_t refused = 0, int error = 0) {
    Bytes all;
    if (error != 0) all = answer(sequence_ + 1 + refused, error);
    sequence_ += count;
    if (error == 0 || refused + 1 != count) append(all, answer(sequence_, 0));
    queue(all);
  }
  /// Scripts the answer to "which policy has this index (or selector)?".
  void answer_policy(const PolicyState& policy) {
    ++sequence_;
    queue(message(XFRM_MSG_NEWPOLICY, sequence_, shown(policy)) + answer(sequence_, 0));
  }
  void answer_policy_none() {
    ++sequence_;
    queue(answer(sequence_, ENOENT));
  }

  /// Scripts how the policies that need no SA are put in.
  void answer_standing_policies() {
    answer_batch(5);
    for (const PolicyKind kind : kStanding) answer_policy(policy(kind));
  }

  /// Types of the requests sent so far, in order.
  static std::vector<int> requests() {
    std::vector<int> types;
    for (std::size_t i = 0; i < mnl_doubles_sent_count(); ++i) {
      std::size_t size = 0;
      const std::uint8_t* octets = mnl_doubles_sent(i, &size);
      EXPECT_TRUE(netlink::for_each_message(
          {octets, size}, [&types](const netlink::Message& request) -> Result<void> {
            types.push_back(request.type);
            return {};
          }));
    }
    return types;
  }

  static std::vector<ObjectId> record() { return objects_of(demo_group()); }
  static PolicyState policy(PolicyKind kind) { return test::policy_of(demo_group(), kind); }

  static constexpr std::array kStanding{PolicyKind::kMembershipOut, PolicyKind::kMembershipIn,
                                        PolicyKind::kIn, PolicyKind::kInGuard, PolicyKind::kGuard};

  Kernel kernel_ = std::move(Kernel::open().value());

 private:
  std::uint32_t sequence_ = 0;
};

constexpr int kGetSa = XFRM_MSG_GETSA;
constexpr int kGetPolicy = XFRM_MSG_GETPOLICY;

TEST_F(KernelTest, WithoutKeysAGroupIsTakenForWholeAndToldOnce) {
  const KernelState wanted = wanted_state(demo_group());
  show(wanted);
  ASSERT_TRUE(kernel_.read(record()));
  EXPECT_FALSE(kernel_.hides_keys());
  KernelState hidden = wanted.clone();
  for (SaState& sa : hidden.sas) sa.key = Secret(sa.key.size());
  show(hidden);
  const auto read = kernel_.read(record());
  ASSERT_TRUE(read);
  EXPECT_TRUE(kernel_.hides_keys());
  EXPECT_THAT(plan(*read, wanted), IsEmpty());
}

TEST_F(KernelTest, InstallsAGroupStageByStage) {
  show({});
  answer_standing_policies();
  answer_batch(1);
  answer_batch(1);
  answer_batch(1);
  answer_policy(policy(PolicyKind::kProtect));
  const auto applied = gkmpd::test::apply(kernel_, demo_group(), record());
  ASSERT_TRUE(applied) << applied.error().text();
  EXPECT_TRUE(applied->complete());
  EXPECT_THAT(applied->added, ::testing::UnorderedElementsAreArray(record()));
  std::vector<int> wanted{kGetSa, kGetPolicy};
  wanted.insert(wanted.end(), 5, XFRM_MSG_NEWPOLICY);
  wanted.insert(wanted.end(), 5, kGetPolicy);
  wanted.insert(wanted.end(), {XFRM_MSG_NEWSA, XFRM_MSG_NEWSA, XFRM_MSG_NEWPOLICY, kGetPolicy});
  EXPECT_EQ(requests(), wanted);
}

// Where one key is shown all are.
TEST_F(KernelTest, AKeyOfZerosAmongOthersIsNobodys) {
  KernelState shown = wanted_state(demo_group());
  shown.sas[1].key = Secret(shown.sas[1].key.size());
  show(shown);
  const auto read = kernel_.read(record());
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->sas[0].regular);
  EXPECT_FALSE(read->sas[1].regular);
  EXPECT_FALSE(kernel_.hides_keys());
}

TEST_F(KernelTest, WhatStandsIsLeftAlone) {
  show(wanted_state(demo_group()));
  const auto applied = gkmpd::test::apply(kernel_, demo_group(), record());
  ASSERT_TRUE(applied) << applied.error().text();
  EXPECT_THAT(applied->added, IsEmpty());
  EXPECT_THAT(requests(), ElementsAre(kGetSa, kGetPolicy));
}

TEST_F(KernelTest, ABadSpecSendsNothing) {
  GroupSpec spec = demo_group();
  spec.replay_window = 0;
  const auto applied = gkmpd::test::apply(kernel_, spec, record());
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind, kBadSpec);
  EXPECT_THAT(requests(), IsEmpty());
}

TEST_F(KernelTest, AForeignSaEndsTheApplyBeforeTheSwitch) {
  show({});
  answer_standing_policies();
  answer_batch(1, 0, EEXIST);
  const auto applied = gkmpd::test::apply(kernel_, demo_group(), record());
  ASSERT_TRUE(applied) << applied.error().text();
  ASSERT_THAT(applied->refusals, SizeIs(1));
  EXPECT_EQ(applied->refusals[0].error.kind, kForeignSa);
  EXPECT_EQ(applied->refusals[0].object.spi_or_index, 0x0a000002U);
  EXPECT_THAT(applied->refusals[0].error.detail, HasSubstr("EEXIST"));
  EXPECT_THAT(applied->added, SizeIs(5));
}

TEST_F(KernelTest, RefusalsHaveNames) {
  const std::vector<std::pair<int, ErrorKind>> cases = {{EEXIST, kForeignSa},
                                                        {ENOSYS, kUnsupported},
                                                        {EPROTONOSUPPORT, kUnsupported},
                                                        {EINVAL, kRefused},
                                                        {EPERM, kRefused}};
  for (const auto& [error, kind] : cases) {
    answer_batch(1, 0, error);
    std::vector<Stage> stages(1);
    stages[0].operations.emplace_back(AddSa{test::sa_of(demo_group(), 0x0a000001)});
    const auto applied = kernel_.execute(stages);
    ASSERT_TRUE(applied) << applied.error().text();
    ASSERT_THAT(applied->refusals, SizeIs(1)) << error;
    EXPECT_EQ(applied->refusals[0].error.kind, kind) << error;
  }
}

TEST_F(KernelTest, AForeignPolicyIsNamedAndTheOtherOfTheStageStillStands) {
  show({});
  answer_batch(5, 4, EEXIST);
  for (const PolicyKind kind : kStanding)
    if (kind != PolicyKind::kGuard) answer_policy(policy(kind));
  const auto applied = gkmpd::test::apply(kernel_, demo_group(), record());
  ASSERT_TRUE(applied) << applied.error().text();
  ASSERT_THAT(applied->refusals, SizeIs(1));
  EXPECT_EQ(applied->refusals[0].error.kind, kForeignPolicy);
  EXPECT_THAT(applied->added, SizeIs(4));
  EXPECT_EQ(applied->added.back(), policy(PolicyKind::kInGuard).id());
}

TEST_F(KernelTest, APolicyWithAnotherIndexIsTakenBack) {
  PolicyState misplaced = policy(PolicyKind::kGuard);
  misplaced.index = 0x29;
  show({});
  answer_batch(5);
  for (const PolicyKind kind : kStanding)
    if (kind != PolicyKind::kGuard) answer_policy(policy(kind));
  answer_policy_none();
  answer_policy(misplaced);
  answer_batch(1);
  const auto applied = gkmpd::test::apply(kernel_, demo_group(), record());
  ASSERT_TRUE(applied) << applied.error().text();
  ASSERT_THAT(applied->refusals, SizeIs(1));
  EXPECT_EQ(applied->refusals[0].error.kind, kIndexTaken);
  ASSERT_EQ(requests().back(), XFRM_MSG_DELPOLICY);
  std::size_t size = 0;
  const std::uint8_t* removal = mnl_doubles_sent(mnl_doubles_sent_count() - 1, &size);
  xfrm_userpolicy_id id{};
  ASSERT_GE(size, sizeof(nlmsghdr) + sizeof id);
  std::memcpy(&id, removal + sizeof(nlmsghdr), sizeof id);
  EXPECT_EQ(id.index, 0x29U);
}

TEST_F(KernelTest, RemovesInReverseAndLooksBeforeEachStage) {
  const KernelState state = wanted_state(demo_group());
  show(state);
  show_policies(state.policies);
  answer_batch(1);
  show_sas(state.sas);
  answer_batch(2);
  show_policies(state.policies);
  answer_batch(5);
  const auto removed = kernel_.remove(record());
  ASSERT_TRUE(removed) << removed.error().text();
  EXPECT_THAT(removed->removed, ::testing::UnorderedElementsAreArray(record()));
  std::vector<int> wanted{kGetSa, kGetPolicy,     kGetPolicy,     XFRM_MSG_DELPOLICY,
                          kGetSa, XFRM_MSG_DELSA, XFRM_MSG_DELSA, kGetPolicy};
  wanted.insert(wanted.end(), 5, XFRM_MSG_DELPOLICY);
  EXPECT_EQ(requests(), wanted);
}

std::vector<Stage> deletion_of(const SaState& sa) {
  std::vector<Stage> stages(1);
  stages[0].operations.emplace_back(DeleteSa{sa.id(), sa.source});
  return stages;
}

// DELSA would take whatever stands at destination and SPI: the look before it must be believed.
TEST_F(KernelTest, AnSaThatIsNotAsItWasReadIsNotDeleted) {
  const SaState ours = test::sa_of(demo_group(), 0x0a000001);
  SaState other_source = ours.clone();
  other_source.source = test::ip("10.9.0.77");
  SaState other_reqid = ours.clone();
  other_reqid.reqid ^= 0x100;
  std::vector<std::vector<SaState>> shown_instead(3);
  shown_instead[0].push_back(std::move(other_source));
  shown_instead[1].push_back(std::move(other_reqid));
  for (const auto& sas : shown_instead) {
    show_sas(sas);
    const auto applied = kernel_.execute(deletion_of(ours));
    ASSERT_TRUE(applied) << applied.error().text();
    EXPECT_THAT(applied->removed, ElementsAre(ours.id()));
  }
  EXPECT_THAT(requests(), ElementsAre(kGetSa, kGetSa, kGetSa));
}

// The record must keep what goes only to come again.
TEST_F(KernelTest, AReplacedSaIsNotReportedAsRemoved) {
  KernelState standing = wanted_state(demo_group());
  standing.sas[0].key = test::counting_key(77);
  show(standing);
  show_sas(standing.sas);
  answer_batch(1);
  answer_batch(1);
  const auto applied = gkmpd::test::apply(kernel_, demo_group(), record());
  ASSERT_TRUE(applied) << applied.error().text();
  EXPECT_THAT(applied->removed, IsEmpty());
  EXPECT_THAT(applied->added, ElementsAre(standing.sas[0].id()));
}

TEST_F(KernelTest, AnSaThatCouldNotComeAgainIsReportedAsRemoved) {
  KernelState standing = wanted_state(demo_group());
  standing.sas[0].key = test::counting_key(77);
  show(standing);
  show_sas(standing.sas);
  answer_batch(1);
  answer_batch(1, 0, EINVAL);
  const auto applied = gkmpd::test::apply(kernel_, demo_group(), record());
  ASSERT_TRUE(applied) << applied.error().text();
  EXPECT_THAT(applied->removed, ElementsAre(standing.sas[0].id()));
  EXPECT_THAT(applied->added, IsEmpty());
  EXPECT_THAT(applied->refusals, SizeIs(1));
}

TEST_F(KernelTest, GoneBetweenLookAndDeletionIsAsGood) {
  const SaState ours = test::sa_of(demo_group(), 0x0a000001);
  std::vector<SaState> standing;
  standing.push_back(ours.clone());
  show_sas(standing);
  answer_batch(1, 0, ESRCH);
  const auto applied = kernel_.execute(deletion_of(ours));
  ASSERT_TRUE(applied) << applied.error().text();
  EXPECT_TRUE(applied->complete());
  EXPECT_THAT(applied->removed, ElementsAre(ours.id()));
}

// UPDPOLICY would take over anybody's policy with our selector once ours is gone.
TEST_F(KernelTest, AReplacementOfAPolicyThatWentIsANewPolicy) {
  std::vector<Stage> stages(1);
  stages[0].operations.emplace_back(PutPolicy{policy(PolicyKind::kGuard), true});
  show_policies({});
  answer_batch(1);
  answer_policy(policy(PolicyKind::kGuard));
  const auto applied = kernel_.execute(stages);
  ASSERT_TRUE(applied) << applied.error().text();
  EXPECT_THAT(requests(), ElementsAre(kGetPolicy, XFRM_MSG_NEWPOLICY, kGetPolicy));
}

TEST_F(KernelTest, AReplacementIsOneUpdate) {
  std::vector<Stage> stages(1);
  stages[0].operations.emplace_back(PutPolicy{policy(PolicyKind::kProtect), true});
  show_policies({policy(PolicyKind::kProtect)});
  answer_batch(1);
  const auto applied = kernel_.execute(stages);
  ASSERT_TRUE(applied) << applied.error().text();
  EXPECT_THAT(requests(), ElementsAre(kGetPolicy, XFRM_MSG_UPDPOLICY));
}

TEST_F(KernelTest, WhatWasGoneAlreadyCountsAsRemoved) {
  KernelState state = wanted_state(demo_group());
  const ObjectId lost = state.sas.back().id();
  state.sas.clear();
  state.policies.clear();
  show(state);
  const std::vector<ObjectId> one{lost};
  const auto removed = kernel_.remove(one);
  ASSERT_TRUE(removed) << removed.error().text();
  EXPECT_THAT(removed->removed, ElementsAre(lost));
  EXPECT_THAT(requests(), ElementsAre(kGetSa, kGetPolicy));
}

TEST_F(KernelTest, UsageIsOfTheRecordsSas) {
  const KernelState state = wanted_state(demo_group());
  show_sas(state.sas);
  const std::vector<ObjectId> one{state.sas[0].id(), state.policies[0].id()};
  const auto usage = kernel_.usage(one);
  ASSERT_TRUE(usage) << usage.error().text();
  ASSERT_THAT(*usage, SizeIs(1));
  EXPECT_EQ(usage->front().id, state.sas[0].id());
}

TEST_F(KernelTest, ObjectsBesidesTheRecordAreNotRead) {
  show(wanted_state(demo_group()));
  const auto state = kernel_.read({});
  ASSERT_TRUE(state) << state.error().text();
  EXPECT_TRUE(state->empty());
}

TEST_F(KernelTest, AFailingSocketIsAnErrorOfTheWhole) {
  mnl_doubles_queue_error(ENOBUFS);
  const auto overrun = kernel_.read(record());
  ASSERT_FALSE(overrun);
  EXPECT_EQ(overrun.error().kind, netlink::kOverrun);
}

TEST_F(KernelTest, WithoutTheRightToReadItIsRefused) {
  queue(answer(1, EPERM));
  const auto refused = gkmpd::test::apply(kernel_, demo_group(), record());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, netlink::kKernelRefused);
  EXPECT_THAT(refused.error().detail, HasSubstr("EPERM"));
}

TEST_F(KernelTest, AnUnreadableObjectIsAnError) {
  queue(message(XFRM_MSG_NEWSA, 1, Bytes(20), NLM_F_MULTI) + done(1));
  const auto read = kernel_.read(record());
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, kBadMessage);
}

TEST(EventSourceTest, ReadsEventsAndTellsOfLossesAndRubbish) {
  mnl_doubles_reset();
  auto source = EventSource::open();
  ASSERT_TRUE(source) << source.error().text();
  for (const int group : {XFRMNLGRP_ACQUIRE, XFRMNLGRP_EXPIRE, XFRMNLGRP_SA, XFRMNLGRP_POLICY})
    EXPECT_TRUE(mnl_doubles_joined(group)) << group;
  EXPECT_FALSE(mnl_doubles_joined(XFRMNLGRP_AEVENTS));

  queue(message(XFRM_MSG_FLUSHSA, 0, Bytes(4), 0, 77) + message(XFRM_MSG_NEWSA, 0, Bytes(4), 0, 0));
  const auto read = source->read();
  ASSERT_TRUE(read) << read.error().text();
  ASSERT_THAT(read->events, SizeIs(1));
  EXPECT_EQ(read->events[0].requester, 77U);
  EXPECT_EQ(read->undecodable, 1U);
  EXPECT_FALSE(read->overrun);

  queue(message(XFRM_MSG_FLUSHPOLICY, 0, {}, 0, 0));
  mnl_doubles_queue_error(ENOBUFS);
  const auto lost = source->read();
  ASSERT_TRUE(lost) << lost.error().text();
  EXPECT_THAT(lost->events, SizeIs(1));
  EXPECT_TRUE(lost->overrun);

  mnl_doubles_queue_error(EBADF);
  EXPECT_FALSE(source->read());
  mnl_doubles_reset();
}

}  // namespace
}  // namespace gkmpd::xfrm
