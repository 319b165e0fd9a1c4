// What others do to a group's SAs and policies is put right, and what is theirs is left alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <filesystem>

#include "agent/daemon/errors.h"
#include "tests/kernel/following_agent.h"
#include "tests/kernel/independent_reader.h"

namespace gkmpd::test {
namespace {

using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::SizeIs;

constexpr std::uint32_t kStandbySpi = 0x0a000010;
constexpr char kDeleteInbound[] =
    "xfrm state delete src 10.9.0.2 dst 239.1.1.1 proto esp spi 0x0a000002";
constexpr char kDeleteGuard[] = "xfrm policy delete src 0.0.0.0/0 dst 239.1.1.1/32 dir out";
constexpr char kDeleteInGuard[] = "xfrm policy delete src 0.0.0.0/0 dst 239.1.1.1/32 dir in";
constexpr char kDeleteQueries[] =
    "xfrm policy delete src 0.0.0.0/0 dst 239.1.1.1/32 proto 2 dir in";
constexpr char kDeleteIn[] =
    "xfrm policy delete src 0.0.0.0/0 dst 239.1.1.1/32 proto 17 dport 5000 dir in";
constexpr char kDeleteProtect[] =
    "xfrm policy delete src 10.9.0.1/32 dst 239.1.1.1/32 proto 17 dport 5000 dir out";

/// The agent on a sends, with a run of two ids, and hears 10.9.0.2, which is b.
class Repair : public OneHost {
 protected:
  using Texts = std::set<std::string>;

  Repair() : OneHost({"a", "b"}) {
    start_agent();
    EXPECT_TRUE(installer_->install(wanted()));
  }
  static protocol::InstallGroup wanted() {
    auto group = epoch(1);
    group.standby.push_back(sender_sa("10.9.0.1", kStandbySpi, 1, true));
    return group;
  }
  void follow(std::function<protocol::InstallGroup()> what = wanted) {
    const Inside inside(segment_.host("a"));
    agent_.emplace(*installer_, std::move(what));
  }
  [[nodiscard]] std::pair<Texts, Texts> kernel() const {
    return {read_sas(segment_, "a"), read_policies(segment_, "a")};
  }
  /// False if it does not come to it in a long time.
  static bool until(const std::function<bool()>& reached) {
    for (int i = 0; i < 4000; ++i) {
      if (reached()) return true;
      std::this_thread::sleep_for(milliseconds(5));
    }
    return false;
  }

  std::optional<FollowingAgent> agent_;
};

TEST_F(Repair, AnUnchangedKernelCostsOneReadingAndNothingOnDisk) {
  const auto wal = std::filesystem::file_size(scratch_.path() + "-wal");
  const auto before = kernel();
  xfrm::Tally done;
  ASSERT_TRUE(installer_->install(wanted(), &done));
  EXPECT_TRUE(done.empty()) << done.text();
  EXPECT_EQ(kernel(), before);
  EXPECT_EQ(std::filesystem::file_size(scratch_.path() + "-wal"), wal);
}

// Nobody else could tell: with the SA the kernel has forgotten what had come.
TEST_F(Repair, AnInboundSaThatIsPutBackGoesOnFromWhereItWasLastSeen) {
  Agent b(segment_, "b");
  b.apply(sending("10.9.0.2", kOtherSpi));
  const Listener at_a(segment_, "a", kGroup, kPort);
  const Sender from_b(segment_, "b", "10.9.0.2");
  const auto pass = [&](int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(from_b.send(kGroup, kPort, std::to_string(i)), 0);
      ASSERT_EQ(at_a.next(), std::to_string(i));
    }
  };
  const auto received = [&] {
    const Inside inside(segment_.host("a"));
    auto reader = xfrm::Kernel::open();
    xfrm::GroupSpec spec = std::move(wanted().spec);
    spec.slot = 0;  // the first that the store gives
    spec.address_slot = 0;
    const auto state = reader->read(xfrm::objects_of(spec));
    for (const xfrm::SaState& sa : state->sas) {
      if (sa.spi == kOtherSpi) return sa.last_received;
    }
    return std::uint64_t{0};
  };
  pass(20);
  ASSERT_TRUE(installer_->install(wanted()));
  pass(5);
  segment_.ip("a", "xfrm state flush");
  ASSERT_TRUE(installer_->install(wanted()));
  EXPECT_EQ(received(), 20U);
  pass(3);
  EXPECT_EQ(received(), 28U);

  // Another epoch with the same SPI and another key begins anew.
  ASSERT_TRUE(installer_->install(wanted()));
  auto other = wanted();
  other.epoch_id = EpochId{9};
  for (xfrm::SenderSa& sa : other.spec.senders) {
    if (!sa.outbound) sa.key = Secret(sa.key.size());
  }
  ASSERT_TRUE(installer_->install(std::move(other)));
  EXPECT_EQ(received(), 0U);
}

TEST_F(Repair, EachObjectThatIsTakenOutIsPutBackAndNothingElseTouched) {
  add_foreign();
  const auto before = kernel();
  follow();
  const std::pair<const char*, const char*> cases[] = {
      {kDeleteInbound, "put back: 1 inbound SA"},
      {kDeleteGuard, "put back: 1 policy of the address"},
      {kDeleteInGuard, "put back: 1 policy of the address"},
      {kDeleteQueries, "put back: 1 policy of the address"},
      {kDeleteIn, "put back: the inbound policy"},
      {kDeleteProtect, "put back: the protect policy"},
  };
  for (const auto& [command, told] : cases) {
    const std::size_t repairs = agent_->repairs();
    segment_.ip("a", command);
    ASSERT_TRUE(until([&] { return agent_->repairs() > repairs; })) << command;
    EXPECT_EQ(agent_->last(), told);
    EXPECT_EQ(kernel(), before) << command;
  }
}

TEST_F(Repair, SomebodyElsesSaInOurPlaceIsNotTouched) {
  follow();
  agent_->pause();
  segment_.ip("a", kDeleteInbound);
  segment_.ip("a",
              "xfrm state add src 10.9.0.2 dst 239.1.1.1 proto esp spi 0x0a000002 reqid 9 mode "
              "transport aead rfc4106(gcm(aes)) 0x000102030405060708090a0b0c0d0e0f10111213 128");
  const Texts theirs = read_sas(segment_, "a");
  agent_->resume();
  ASSERT_TRUE(until([&] { return agent_->last().ends_with("xfrm.foreign-sa"); })) << agent_->last();
  EXPECT_EQ(read_sas(segment_, "a"), theirs);
}

TEST_F(Repair, AChangedPolicyIsChangedBack) {
  const auto before = kernel();
  follow();
  segment_.ip(
      "a", "xfrm policy update src 0.0.0.0/0 dst 239.1.1.1/32 dir out priority 2000 action allow");
  ASSERT_TRUE(until([&] { return agent_->repairs() > 0; }));
  ASSERT_TRUE(until([&] { return kernel() == before; }));
}

TEST_F(Repair, AfterAFlushSendingGoesOnUnderTheNextKeyAndThenNotAtAll) {
  const auto policies = read_policies(segment_, "a");
  follow();
  segment_.ip("a", "xfrm state flush");
  ASSERT_TRUE(until([&] { return agent_->repairs() == 1; }));
  EXPECT_THAT(read_sas(segment_, "a"), SizeIs(2));
  EXPECT_EQ(read_policies(segment_, "a"), policies);
  EXPECT_THAT(agent_->last(), ::testing::StartsWith("put back: 1 inbound SA, 1 outbound SA"));
  EXPECT_EQ(store_->burn({GroupId{1}, EpochId{1}, kStandbySpi, ""}).error().kind,
            store::kIntentTaken);

  segment_.ip("a", "xfrm state flush");
  ASSERT_TRUE(until([&] { return agent_->repairs() == 2; }));
  EXPECT_THAT(read_sas(segment_, "a"), SizeIs(1)) << "the other sender is heard";
  EXPECT_THAT(read_policies(segment_, "a"), SizeIs(kPoliciesListening)) << "the guard blocks";
  EXPECT_THAT(agent_->last(), ::testing::EndsWith("daemon.outbound-burnt"));
  const Sender sender(segment_, "a", "10.9.0.1");
  EXPECT_EQ(sender.send(kGroup, kPort, "in clear?"), EPERM);
}

TEST_F(Repair, TheNextKeyGoesOnAfterARestart) {
  segment_.ip("a", "xfrm state flush");
  ASSERT_TRUE(installer_->install(wanted()));
  const auto before = kernel();
  start_agent();
  xfrm::Tally done;
  ASSERT_TRUE(installer_->install(wanted(), &done));
  EXPECT_TRUE(done.empty()) << done.text();
  EXPECT_EQ(kernel(), before);
}

TEST_F(Repair, AFlushOfPoliciesIsRepaired) {
  const auto before = kernel();
  follow();
  segment_.ip("a", "xfrm policy flush");
  ASSERT_TRUE(until([&] { return agent_->repairs() > 0; }));
  EXPECT_EQ(kernel(), before);
}

/// All that happens while the agent does not look is more than its socket holds.
TEST_F(Repair, AfterLostEventsEverythingIsCompared) {
  const auto before = kernel();
  follow();
  const int tiny = 1;
  ASSERT_EQ(::setsockopt(agent_->events_fd(), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof tiny), 0);
  agent_->pause();
  for (int i = 0; i < 20; ++i) {
    segment_.ip("a", "xfrm policy add src 10.9.0.9/32 dst 239.9.9." + std::to_string(i) +
                         "/32 dir out action block");
  }
  segment_.ip("a", kDeleteGuard);
  agent_->resume();
  ASSERT_TRUE(until([&] { return agent_->repairs() > 0; }));
  EXPECT_TRUE(agent_->reported("kernel-events-lost"));
  EXPECT_EQ(kernel().first, before.first);
  EXPECT_THAT(kernel().second, IsSupersetOf(before.second));
}

TEST_F(Repair, TwoManagersDoNotFightAtFullSpeed) {
  follow();
  const auto whole = read_sas(segment_, "a").size();
  const auto end = std::chrono::steady_clock::now() + seconds(3);
  std::size_t deleted = 0;
  while (std::chrono::steady_clock::now() < end) {
    if (read_sas(segment_, "a").size() == whole) {
      segment_.ip("a", kDeleteInbound);
      ++deleted;
    }
    std::this_thread::sleep_for(milliseconds(1));
  }
  // 10 ms, then after 100, 200, 400, 800 and 1600 ms.
  EXPECT_GE(deleted, 4U);
  EXPECT_LE(deleted, 7U);
  EXPECT_LE(agent_->repairs(), 6U);
  EXPECT_TRUE(agent_->reported("repair-held-back"));
}

TEST_F(Repair, AFlushOfTwoThousandSasIsOneRepair) {
  constexpr std::uint32_t kSenders = 2000;
  const auto many = [] {
    auto group = wanted();
    for (std::uint32_t i = 0; i < kSenders; ++i) {
      group.spec.senders.push_back(
          sender_sa("10.9." + std::to_string(1 + i / 200) + "." + std::to_string(1 + i % 200),
                    0x0a001000 + i, 1, false));
    }
    return group;
  };
  ASSERT_TRUE(installer_->install(many()));
  follow(many);
  const auto comparisons = agent_->comparisons();
  const auto start = std::chrono::steady_clock::now();
  segment_.ip("a", "xfrm state flush");
  ASSERT_TRUE(until([&] { return agent_->repairs() > 0; }));
  const auto took = std::chrono::steady_clock::now() - start;
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_EQ(agent_->comparisons(), comparisons + 1);
  EXPECT_EQ(agent_->last(),
            "put back: 2001 inbound SAs, 1 outbound SA, the protect policy; taken out: 1 policy");
  EXPECT_THAT(read_sas(segment_, "a"), SizeIs(kSenders + 2));
  std::printf("  %u SAs stood again after %lld ms\n", kSenders + 2,
              static_cast<long long>(std::chrono::ceil<milliseconds>(took).count()));
}

/// b sends all the time; a's SAs are flushed three times.
TEST_F(Repair, UnderTrafficAFlushCostsFewPackets) {
  Agent b(segment_, "b");
  b.apply(sending("10.9.0.2", kOtherSpi));
  follow();
  const Sender sender(segment_, "b", "10.9.0.2");
  const Listener listener(segment_, "a", kGroup, kPort);
  std::size_t received = 0;
  std::thread hearing([&] {
    for (auto got = listener.next(); got && *got != "end"; got = listener.next()) ++received;
  });
  std::atomic<bool> enough = false;
  std::size_t sent = 0;
  std::thread talking([&] {
    for (; !enough; ++sent) {
      EXPECT_EQ(sender.send(kGroup, kPort, std::to_string(sent)), 0);
      std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
  });
  std::size_t flushed_at[3] = {};
  for (std::size_t& at : flushed_at) {
    std::this_thread::sleep_for(milliseconds(1000));
    const std::size_t repairs = agent_->repairs();
    segment_.ip("a", "xfrm state flush");
    at = sent;
    EXPECT_TRUE(until([&] { return agent_->repairs() > repairs; }));
  }
  std::this_thread::sleep_for(milliseconds(500));
  enough = true;
  talking.join();
  EXPECT_EQ(sender.send(kGroup, kPort, "end"), 0);
  hearing.join();
  std::printf("  %zu packets sent, %zu lost over 3 flushes of all SAs\n", sent, sent - received);
  EXPECT_GT(sent, 1000U);
  EXPECT_GT(received, sent / 2);
  EXPECT_EQ(segment_.xfrm_counter("a", "XfrmInTmplMismatch"), 0U) << "nothing came in clear";
}

/// What an agent without keys keeps of an adopted group.
class KeepAdopted : public Repair {
 protected:
  protocol::Kept keep(protocol::Keep what, const char* told) {
    xfrm::Tally done;
    const auto kept = installer_->keep(GroupId{1}, what, kInstalledAt, &done);
    EXPECT_TRUE(kept) << kept.error().text();
    EXPECT_EQ(done.text(), told);
    return kept.value_or(protocol::Kept{});
  }
};

TEST_F(KeepAdopted, PoliciesArePutBackAndNothingElseIsTouched) {
  add_foreign();
  const auto before = kernel();
  start_agent();
  EXPECT_TRUE(keep(protocol::Keep::kNewest, "").sending);
  for (const char* command : {kDeleteGuard, kDeleteIn, kDeleteProtect}) segment_.ip("a", command);
  const auto kept = keep(protocol::Keep::kNewest,
                         "put back: 1 policy of the address, the inbound policy, the protect "
                         "policy");
  EXPECT_TRUE(kept.sending);
  EXPECT_EQ(kept.missing, "");
  EXPECT_EQ(kernel(), before);
}

TEST_F(KeepAdopted, LostSasAreToldAndNothingGoesOutInClear) {
  start_agent();
  segment_.ip("a", "xfrm state flush");
  const auto kept = keep(protocol::Keep::kNewest, "taken out: 1 policy");
  EXPECT_FALSE(kept.sending);
  EXPECT_EQ(kept.missing, "not in the kernel: the protect policy, 2 of 2 SAs");
  EXPECT_EQ(Sender(segment_, "a", "10.9.0.1").send(kGroup, kPort, "in clear?"), EPERM);
}

TEST_F(KeepAdopted, TheEpochBeforeGoesWhenItIsDoneWith) {
  auto waiting = epoch(2);
  waiting.spec.active_generation.reset();
  waiting.spec.earlier = xfrm::Earlier::kKeep;
  ASSERT_TRUE(installer_->install(std::move(waiting)));
  const auto both = kernel();
  start_agent();
  keep(protocol::Keep::kBoth, "");
  EXPECT_EQ(kernel(), both);
  EXPECT_TRUE(
      keep(protocol::Keep::kNewest, "put back: the protect policy; taken out: 2 SAs").sending);
  EXPECT_THAT(read_sas(segment_, "a"), SizeIs(2));
  EXPECT_EQ(installer_->standing()->recorded, 2 + kPoliciesSending);
  keep(protocol::Keep::kNewest, "");
}

TEST_F(KeepAdopted, AtItsEndOnlyGuardAndInboundPolicyStay) {
  start_agent();
  EXPECT_FALSE(keep(protocol::Keep::kClosed, "taken out: 2 SAs, 1 policy").sending);
  EXPECT_THAT(read_sas(segment_, "a"), IsEmpty());
  EXPECT_THAT(read_policies(segment_, "a"), SizeIs(kPoliciesListening));
  EXPECT_EQ(installer_->standing()->recorded, kPoliciesListening);
}

TEST_F(KeepAdopted, WhatIsNotRecordedIsNotKept) {
  const auto kept = installer_->keep(GroupId{9}, protocol::Keep::kBoth, kInstalledAt);
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().kind, daemon::kNotInstalled);
}

}  // namespace
}  // namespace gkmpd::test
