#include "agent/ctl/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace gkmpd::ctl {
namespace {

using daemon::Json;
using testing::ElementsAre;
using testing::IsEmpty;
using enum identity::CommandAction;

Json member(const std::string& name, const std::string& state, const std::string& why = "") {
  return Json{{"name", name}, {"address", nullptr}, {"state", state}, {"why", why}};
}

Json group(const std::string& state, bool installed, const std::vector<Json>& members) {
  return Json{{"name", "demo"},         {"state", state},      {"why", ""},
              {"installed", installed}, {"install_error", ""}, {"sending", false},
              {"members", members}};
}

TEST(Progress, TellsWhatIsNew) {
  const Json before = group("creating", false, {member("b", "asked"), member("c", "waiting")});
  const Json now = group("pending", true, {member("b", "keyed"), member("c", "failed", "x: y")});
  EXPECT_THAT(progress_lines(before, now),
              ElementsAre("demo: b keyed (1 of 2)", "demo: c failed: x: y", "demo: pending",
                          "demo: installed in this host's kernel"));
  EXPECT_THAT(progress_lines(now, now), IsEmpty());
}

TEST(Progress, TheFirstLookTellsEverything) {
  EXPECT_THAT(progress_lines(Json(), group("creating", false, {member("b", "waiting")})),
              ElementsAre("demo: b waiting", "demo: creating"));
}

TEST(Progress, KernelAndSendingAreTold) {
  const Json before = group("active", false, {});
  Json now = before;
  now["install_error"] = "xfrm.refused";
  now["sending"] = true;
  EXPECT_THAT(progress_lines(before, now),
              ElementsAre("demo: not installed: xfrm.refused",
                          "demo: this host sends under the group's key"));
}

TEST(Progress, ARekeyIsTold) {
  Json before = group("active", true, {});
  before["tuple"] = "1.1.0.1";
  before["rekey_ordered"] = false;
  Json now = before;
  now["rekey_ordered"] = true;
  now["rekey_error"] = "protocol.save-failed";
  EXPECT_THAT(progress_lines(before, now),
              ElementsAre("demo: to be rekeyed", "demo: not rekeyed: protocol.save-failed"));
  Json done = before;
  done["tuple"] = "1.1.0.2";
  done["rekey_error"] = "";
  EXPECT_THAT(progress_lines(now, done), ElementsAre("demo: epoch 1.1.0.2"));
}

TEST(Progress, ACommanderElsewhereIsToldWhoseKernelItIs) {
  Json before = group("active", false, {});
  before["role"] = "controller";
  before["controller_address"] = "10.9.0.1:8480";
  Json now = before;
  now["installed"] = true;
  now["sending"] = true;
  EXPECT_THAT(progress_lines(before, now),
              ElementsAre("demo: installed in the controller's kernel",
                          "demo: the controller sends under the group's key"));
  EXPECT_THAT(reasons(kCreate, before),
              ElementsAre("the controller's kernel does not hold the group"));
}

TEST(Progress, TextOfOthersCannotSteerATerminal) {
  const Json now = group("active", false, {member("b\x1b[2J", "failed", "a\nb")});
  EXPECT_THAT(progress_lines(group("active", false, {}), now),
              ElementsAre("demo: b\\x1b[2J failed: a\\nb"));
}

TEST(Verdict, DoneWhenAllAreKeyedAndInstalled) {
  const auto keyed = member("b", "keyed");
  EXPECT_EQ(verdict_on(kCreate, group("active", true, {keyed, keyed})), Verdict::kDone);
  EXPECT_EQ(verdict_on(kCreate, group("active", false, {keyed})), Verdict::kGoing);
  EXPECT_EQ(verdict_on(kCreate, group("active", true, {keyed, member("c", "asked")})),
            Verdict::kGoing);
}

TEST(Verdict, FailedWhenNothingWillChangeIt) {
  const auto keyed = member("b", "keyed");
  const auto refused = member("c", "failed", "identity.revoked");
  EXPECT_EQ(verdict_on(kCreate, group("failed", false, {})), Verdict::kFailed);
  EXPECT_EQ(verdict_on(kCreate, group("pending", true, {keyed, refused})), Verdict::kFailed);
  // Somebody is still on the way: the operator sees the whole outcome.
  EXPECT_EQ(verdict_on(kCreate, group("pending", true, {member("d", "asked"), refused})),
            Verdict::kGoing);
  // The agent asks silent members again.
  EXPECT_EQ(verdict_on(kCreate,
                       group("pending", true, {keyed, member("c", "failed", "protocol.timeout")})),
            Verdict::kGoing);
  Json not_installed = group("active", false, {keyed});
  not_installed["install_error"] = "daemon.outbound-burnt";
  EXPECT_EQ(verdict_on(kCreate, not_installed), Verdict::kFailed);
}

TEST(Verdict, OfARekeyIsAboutTheNewEpoch) {
  Json now = group("active", true, {member("b", "failed", "identity.revoked")});
  now["rekey_ordered"] = true;
  now["rekey_error"] = "protocol.save-failed";
  EXPECT_EQ(verdict_on(kRekey, now), Verdict::kGoing) << "it is made again";
  EXPECT_THAT(reasons(kRekey, now),
              ElementsAre("the new epoch is not there yet: protocol.save-failed"));
  now["rekey_ordered"] = false;
  EXPECT_EQ(verdict_on(kRekey, now), Verdict::kDone);
  EXPECT_THAT(reasons(kRekey, now), IsEmpty());
  now["installed"] = false;
  EXPECT_EQ(verdict_on(kRekey, now), Verdict::kGoing);
  now["install_error"] = "xfrm.refused";
  EXPECT_EQ(verdict_on(kRekey, now), Verdict::kFailed);
  now["state"] = "expired";
  now["rekey_ordered"] = true;
  EXPECT_EQ(verdict_on(kRekey, now), Verdict::kFailed);
}

TEST(Verdict, OfAJoinIsAboutThisHost) {
  EXPECT_EQ(verdict_on_join(group("joining", false, {})), Verdict::kGoing);
  EXPECT_EQ(verdict_on_join(group("adopted", true, {})), Verdict::kGoing);
  EXPECT_EQ(verdict_on_join(group("pending", false, {})), Verdict::kGoing);
  EXPECT_EQ(verdict_on_join(group("pending", true, {})), Verdict::kDone);
  EXPECT_EQ(verdict_on_join(group("active", true, {})), Verdict::kDone);
  EXPECT_EQ(verdict_on_join(group("failed", false, {})), Verdict::kFailed);
  Json refused_by_kernel = group("pending", false, {});
  refused_by_kernel["install_error"] = "xfrm.refused";
  EXPECT_EQ(verdict_on_join(refused_by_kernel), Verdict::kFailed);
}

TEST(Reasons, NameEverythingThatIsMissing) {
  EXPECT_THAT(reasons(kCreate, group("active", true, {member("b", "keyed")})), IsEmpty());
  Json bad = group("failed", false, {member("b", "keyed"), member("c", "failed", "x")});
  bad["why"] = "protocol.no-member-answered";
  bad["install_error"] = "xfrm.refused";
  EXPECT_THAT(
      reasons(kCreate, bad),
      ElementsAre("the group failed: protocol.no-member-answered", "c is not keyed (failed): x",
                  "this host's kernel does not hold the group: xfrm.refused"));
}

TEST(Progress, JsonOfAnotherShapeIsNoCrash) {
  for (const auto& odd : {Json(), Json(7), Json::array(), Json{{"members", 7}},
                          Json{{"members", {1, "x", nullptr}}, {"name", 3}}}) {
    (void)progress_lines(odd, odd);
    EXPECT_NE(verdict_on(kCreate, odd), Verdict::kDone);
    EXPECT_FALSE(reasons(kCreate, odd).empty());
  }
}

}  // namespace
}  // namespace gkmpd::ctl
