// What the core asks for when others change the kernel, and when a sending key is lost.
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/protocol/errors.h"
#include "agent/protocol/limits.h"
#include "tests/unit/protocol/hosts.h"

namespace gkmpd::test {
namespace {

class Repair : public KeyedPair {
 protected:
  Repair() : KeyedPair(/*token_grace_s=*/0) {}

  void change(const std::string& name, const IpAddress& address) {
    net_.node(name).endpoint->handle_kernel_change(net_.now(), address);
    net_.settle();
  }
  std::size_t reports(const std::string& name, const char* what) {
    return static_cast<std::size_t>(
        std::ranges::count(net_.node(name).reports, what, &protocol::Report::what));
  }
};

TEST_F(Repair, TheWholeGroupIsAskedForAsItIs) {
  for (const char* name : {"a", "b"}) {
    TestNode& node = net_.node(name);
    const auto before = *std::exchange(node.kernel, std::nullopt);
    change(name, *IpAddress::parse("239.7.7.7"));
    EXPECT_FALSE(node.kernel) << "another group's address";
    change(name, view(name).data_address);
    ASSERT_TRUE(node.kernel) << name;
    EXPECT_EQ(node.repairs, 1U);
    EXPECT_EQ(node.kernel->active_generation, before.active_generation);
    ASSERT_EQ(node.kernel->senders.size(), before.senders.size());
    for (std::size_t i = 0; i < before.senders.size(); ++i) {
      EXPECT_EQ(node.kernel->senders[i].spi, before.senders[i].spi);
      EXPECT_EQ(node.kernel->senders[i].outbound, before.senders[i].outbound);
      EXPECT_TRUE(node.kernel->senders[i].key.equals(before.senders[i].key));
      EXPECT_LE(node.kernel->senders[i].hard_lifetime_s, before.senders[i].hard_lifetime_s);
    }
    EXPECT_EQ(node.standby.size(), protocol::kSenderRun - 1U);
  }
}

TEST_F(Repair, AnEndedGroupStaysClosed) {
  net_.pass(seconds(120));
  for (const char* name : {"a", "b"}) {
    ASSERT_EQ(view(name).state, protocol::GroupState::kExpired);
    net_.node(name).kernel.reset();
    change(name, view(name).data_address);
    ASSERT_TRUE(net_.node(name).kernel) << name;
    EXPECT_TRUE(net_.node(name).kernel->senders.empty());
    EXPECT_TRUE(net_.node(name).standby.empty());
  }
}

TEST_F(Repair, WithoutAKeyLeftItSaysSoOnceAndDoesNotTryAgain) {
  TestNode& b = net_.node("b");
  b.install_outcome = fail(protocol::kOutboundBurnt, "create the group again");
  change("b", view("b").data_address);
  EXPECT_TRUE(view("b").outbound_burnt);
  EXPECT_FALSE(view("b").sending);
  EXPECT_EQ(view("b").install_error, "daemon.outbound-burnt: create the group again");
  const auto repairs = b.repairs;
  net_.pass(seconds(30));
  EXPECT_EQ(b.repairs, repairs);
  change("b", view("b").data_address);
  EXPECT_EQ(reports("b", "outbound-burnt"), 1U);
  EXPECT_EQ(reports("b", "install-failed"), 0U);
  EXPECT_EQ(b.count(protocol::kOutboundBurnt), 1U);

  b.install_outcome = {};
  net_.pass(seconds(120));
  EXPECT_FALSE(view("b").outbound_burnt) << "the epoch is over, and its keys with it";
  ASSERT_TRUE(net_.create("a", group_));
  net_.pass(seconds(5));
  EXPECT_TRUE(view("b").sending) << "the next epoch has other keys";
}

TEST_F(Repair, OneThatFailsIsTriedAgain) {
  TestNode& b = net_.node("b");
  b.install_outcome = fail("xfrm.foreign-sa", "somebody else's");
  change("b", view("b").data_address);
  EXPECT_FALSE(view("b").installed);
  b.install_outcome = {};
  net_.pass(protocol::kRetryInstallFirst + milliseconds(1));
  EXPECT_TRUE(view("b").installed);
}

}  // namespace
}  // namespace gkmpd::test
