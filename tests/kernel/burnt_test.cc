// A key serves for output once in its life, whatever crashes (profile S14): the daemon's installer
// with a real store and a real kernel.
#include <gtest/gtest.h>

#include <optional>

#include "agent/daemon/errors.h"
#include "agent/daemon/installer.h"
#include "tests/kernel/groups.h"
#include "tests/unit/store/scratch.h"

namespace gkmpd::test {
namespace {

constexpr std::uint32_t kOwnSpi = 0x0a000001;
constexpr std::uint32_t kOtherSpi = 0x0a000002;

class Burnt : public ::testing::Test {
 protected:
  /// A run of the agent on host a; the one before it is gone without a word.
  void start_agent() {
    installer_.reset();
    store_.reset();
    store_.emplace(store::open_or_die(scratch_.path()));
    const Inside inside(segment_.host("a"));
    installer_.emplace(std::move(xfrm::Kernel::open().value()), *store_,
                       daemon::KernelPlace::current().value());
    ASSERT_TRUE(installer_->remove_leftovers());
  }

  Result<void> install(std::uint8_t epoch) {
    xfrm::GroupSpec spec = sending("10.9.0.1", kOwnSpi);
    spec.senders.push_back(sender_sa("10.9.0.2", kOtherSpi, 1, false));
    return installer_->install({1, GroupId{1}, EpochId{epoch}, std::move(spec)});
  }

  Segment segment_{{"a"}};
  store::Scratch scratch_;
  std::optional<store::Store> store_;
  std::optional<daemon::Installer> installer_;
};

TEST_F(Burnt, AKeyOfAnEarlierRunIsNotUsedForOutputAgain) {
  start_agent();
  ASSERT_TRUE(install(1));
  EXPECT_EQ(installer_->standing()->sas, 2U);
  ASSERT_TRUE(install(1)) << "asking for what stands burns nothing anew";

  start_agent();
  EXPECT_EQ(installer_->standing()->sas, 0U);
  const auto again = install(1);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, daemon::kOutboundBurnt) << again.error().text();
  // The rest stands: the other's SA, guard and inbound policy, and nothing that would protect
  // output.
  EXPECT_EQ(installer_->standing()->sas, 1U);
  EXPECT_EQ(installer_->standing()->policies, 2U);

  EXPECT_TRUE(install(2)) << "another epoch has another key";
  EXPECT_EQ(installer_->standing()->sas, 2U);
}

}  // namespace
}  // namespace gkmpd::test
