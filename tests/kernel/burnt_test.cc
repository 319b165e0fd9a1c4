// A key serves for output once in its life, whatever crashes (profile S14).
#include <gtest/gtest.h>

#include "agent/daemon/errors.h"
#include "tests/kernel/one_host.h"

namespace gkmpd::test {
namespace {

class Burnt : public OneHost {};

TEST_F(Burnt, AKeyOfAnEarlierRunThatIsGoneIsNotUsedForOutputAgain) {
  start_agent();
  ASSERT_TRUE(install(1));
  EXPECT_EQ(installer_->standing()->sas, 2U);
  ASSERT_TRUE(install(1)) << "asking for what stands burns nothing anew";

  segment_.ip("a", "xfrm state flush");
  start_agent();
  EXPECT_EQ(installer_->standing()->sas, 0U);
  const auto again = install(1);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, daemon::kOutboundBurnt) << again.error().text();
  // The rest stands: the other's SA, guard and inbound policy, and nothing that would protect
  // output.
  EXPECT_EQ(installer_->standing()->sas, 1U);
  EXPECT_EQ(installer_->standing()->policies, kPoliciesListening);

  EXPECT_TRUE(install(2)) << "another epoch has another key";
  EXPECT_EQ(installer_->standing()->sas, 2U);
  EXPECT_EQ(installer_->standing()->recorded, 2 + kPoliciesSending);
}

TEST_F(Burnt, AKeyOfAnEarlierRunThatStandsGoesOn) {
  start_agent();
  ASSERT_TRUE(install(1));
  start_agent();
  const auto again = install(1);
  EXPECT_TRUE(again) << again.error().text();
  EXPECT_EQ(installer_->standing()->sas, 2U);
  EXPECT_EQ(installer_->standing()->policies, kPoliciesSending);
}

}  // namespace
}  // namespace gkmpd::test
