// A plan in numbers and words.
#include "xfrm/tally.h"

#include <gtest/gtest.h>

#include "tests/unit/xfrm/specs.h"

namespace gkmpd::xfrm {
namespace {

TEST(Tally, NothingToDoIsNothingToTell) {
  const Tally none = tally({});
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.text(), "");
}

TEST(Tally, TellsWhatIsPutIn) {
  const KernelState wanted = wanted_state(test::demo_group());
  const Tally all = tally(plan({}, wanted));
  EXPECT_EQ(all.sas(), 2U);
  EXPECT_EQ(all.policies(), 6U);
  EXPECT_EQ(
      all.text(),
      "put back: 4 policies of the address, the inbound policy, 1 inbound SA, 1 outbound SA, the "
      "protect policy");
}

TEST(Tally, TellsWhatIsTakenOut) {
  const KernelState standing = wanted_state(test::demo_group());
  EXPECT_EQ(tally(plan(standing, {})).text(), "taken out: 2 SAs, 6 policies");
  KernelState wanted = standing.clone();
  wanted.sas.pop_back();
  wanted.policies.pop_back();
  EXPECT_EQ(tally(plan(standing, wanted)).text(), "taken out: 1 SA, 1 policy");
}

TEST(Tally, TellsBothOfAnSaThatWasAnother) {
  const KernelState wanted = wanted_state(test::demo_group());
  KernelState standing = wanted.clone();
  standing.sas[0].key.expose_for_writing()[0] ^= 1;
  EXPECT_EQ(tally(plan(standing, wanted)).text(), "put back: 1 inbound SA; taken out: 1 SA");
}

}  // namespace
}  // namespace gkmpd::xfrm
