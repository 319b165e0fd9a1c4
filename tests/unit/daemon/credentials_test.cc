#include "agent/daemon/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/daemon/check.h"
#include "agent/daemon/errors.h"
#include "agent/daemon/files.h"
#include "agent/identity/errors.h"
#include "tests/support/pki.h"
#include "tests/unit/daemon/temp_dir.h"

namespace gkmpd::daemon {
namespace {

using test::kDay;
using test::kNow;
using testing::HasSubstr;

class CredentialsTest : public testing::Test {
 protected:
  void SetUp() override {
    config_.certificate = dir_.write("host.pem", host_.certificate.to_pem());
    config_.key = dir_.write("host.key", as_text(host_.key.to_pem().expose()));
    config_.anchor = dir_.write("anchor.pem", pki_.anchor().to_pem());
    config_.crl = dir_.write("crl.pem", pki_.crl().to_pem());
    config_.addresses = {*IpAddress::parse("127.0.0.1")};
    config_.port = 8480;
    config_.interface = "lo";
    config_.socket = dir_.file("control.sock");
    config_.store = dir_.file("state.db");
  }

  void expect_refused(ErrorKind kind, const std::string& words) {
    const auto loaded = load_credentials(config_);
    ASSERT_FALSE(loaded) << words;
    EXPECT_EQ(loaded.error().name(), kind.name());
    EXPECT_THAT(loaded.error().detail, HasSubstr(words));
  }

  TempDir dir_;
  test::TestPki pki_;
  test::TestHost host_ = pki_.host("a");
  Config config_;
};

TEST_F(CredentialsTest, FourFilesMakeAHost) {
  const auto loaded = load_credentials(config_);
  ASSERT_TRUE(loaded) << loaded.error().text();
  EXPECT_EQ(loaded->certificate.name(), "a");
  EXPECT_TRUE(loaded->intermediates.empty());
  EXPECT_EQ(loaded->crl.number(), 1U);
  EXPECT_EQ(loaded->trust.crl(), nullptr);
}

TEST_F(CredentialsTest, TheAnchorInTheChainFileDoesNotTravel) {
  config_.certificate =
      dir_.write("chain.pem", host_.certificate.to_pem() + pki_.anchor().to_pem());
  const auto loaded = load_credentials(config_);
  ASSERT_TRUE(loaded) << loaded.error().text();
  EXPECT_TRUE(loaded->intermediates.empty());
}

TEST_F(CredentialsTest, AnotherHostsKeyIsRefused) {
  config_.key = dir_.write("other.key", as_text(pki_.host("b").key.to_pem().expose()));
  expect_refused(kKeyMismatch, "other.key");
}

TEST_F(CredentialsTest, AKeyThatOthersMayReadIsRefused) {
  config_.key = dir_.write("open.key", as_text(host_.key.to_pem().expose()), 0640);
  expect_refused(kFilePermissions, "chmod 600");
}

TEST_F(CredentialsTest, ErrorsNameTheFile) {
  config_.crl = dir_.file("none.pem");
  expect_refused(kFileUnreadable, "none.pem");
  config_.crl = dir_.write("bad.pem", "nothing");
  const auto loaded = load_credentials(config_);
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().detail, HasSubstr("bad.pem"));
}

TEST_F(CredentialsTest, ANewerFileIsTakenAndSaved) {
  auto trust = *identity::TrustStore::make(pki_.anchor());
  const auto outcome = take_crls(trust, pki_.crl_numbered(4), pki_.crl_numbered(5), kNow);
  ASSERT_TRUE(outcome) << outcome.error().text();
  EXPECT_TRUE(outcome->save);
  EXPECT_FALSE(outcome->rolled_back);
  EXPECT_EQ(trust.crl()->number(), 5U);
}

TEST_F(CredentialsTest, TheFirstListIsSavedAndTheSameListIsNot) {
  auto trust = *identity::TrustStore::make(pki_.anchor());
  EXPECT_TRUE(take_crls(trust, std::nullopt, pki_.crl(), kNow)->save);
  auto again = *identity::TrustStore::make(pki_.anchor());
  EXPECT_FALSE(take_crls(again, pki_.crl(), pki_.crl(), kNow)->save);
}

TEST_F(CredentialsTest, AnOlderFileIsRefusedAndTheStoredListServes) {
  auto trust = *identity::TrustStore::make(pki_.anchor());
  const auto outcome = take_crls(trust, pki_.crl_numbered(5), pki_.crl_numbered(4), kNow);
  ASSERT_TRUE(outcome) << outcome.error().text();
  EXPECT_FALSE(outcome->save);
  ASSERT_TRUE(outcome->rolled_back);
  EXPECT_EQ(outcome->rolled_back->name(), kCrlRolledBack.name());
  EXPECT_EQ(trust.crl()->number(), 5U);
}

TEST_F(CredentialsTest, AListOfAnotherManagerIsRefusedWhateverIsStored) {
  test::TestPki other(99);
  auto trust = *identity::TrustStore::make(pki_.anchor());
  const auto outcome = take_crls(trust, pki_.crl(), other.crl_numbered(7), kNow);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().name(), identity::kCrlUntrusted.name());
}

TEST_F(CredentialsTest, AnOlderFileWithNothingStoredIsJustTheFirst) {
  auto trust = *identity::TrustStore::make(pki_.anchor());
  const auto outcome = take_crls(trust, std::nullopt, pki_.crl_numbered(1, kNow + kDay), kNow);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().name(), identity::kCrlFromFuture.name());
}

TEST(Clock, TheFloorHoldsAgainstAClockThatIsBehind) {
  EXPECT_EQ(trusted_wall(kNow, std::nullopt), kNow);
  EXPECT_EQ(trusted_wall(kNow, kNow - kDay), kNow);
  EXPECT_EQ(trusted_wall(kNow, kNow + kDay), kNow + kDay);
  EXPECT_TRUE(is_clock_trusted(kNow, std::nullopt));
  EXPECT_TRUE(is_clock_trusted(kNow, kNow + identity::kClockSkew));
  EXPECT_FALSE(is_clock_trusted(kNow, kNow + identity::kClockSkew + seconds(1)));
}

TEST_F(CredentialsTest, CheckFindsNothingWrong) {
  const auto findings = check_config(config_, kNow);
  EXPECT_TRUE(all_good(findings)) << findings_text(findings);
  EXPECT_THAT(findings_text(findings), HasSubstr("host a, level 2, categories [blue]"));
  // Looking must not make anything.
  EXPECT_FALSE(std::filesystem::exists(config_.store));
  EXPECT_FALSE(std::filesystem::exists(config_.socket));
}

TEST_F(CredentialsTest, CheckFindsEverythingThatIsWrong) {
  pki_.revoke(host_.certificate);
  config_.crl = dir_.write("crl.pem", pki_.crl().to_pem());
  config_.addresses = {*IpAddress::parse("10.255.255.1")};
  config_.store = "/nonexistent/state.db";
  config_.socket = "/nonexistent/control.sock";
  const auto text = findings_text(check_config(config_, kNow));
  EXPECT_THAT(text, HasSubstr("BAD certificate: identity.revoked"));
  EXPECT_THAT(text, HasSubstr("BAD interface: daemon.address-not-on-interface"));
  EXPECT_THAT(text, HasSubstr("BAD store"));
  EXPECT_THAT(text, HasSubstr("BAD control socket"));
  config_.interface = "no-such-if";
  EXPECT_THAT(findings_text(check_config(config_, kNow)), HasSubstr("daemon.no-interface"));
}

TEST_F(CredentialsTest, AKernelThatOffersNothingIsWrongAndOneThatOffersSomethingIsNot) {
  using Lacks = std::vector<xfrm::KernelLack>;
  EXPECT_TRUE(kernel_finding(Lacks{}).good);
  Lacks lacks;
  for (const auto suite : xfrm::kEspSuites) {
    for (const auto family : {IpFamily::kV4, IpFamily::kV6}) {
      lacks.push_back({suite, family, false, "modprobe it"});
    }
  }
  EXPECT_FALSE(kernel_finding(lacks).good);
  lacks.back().only_esn = true;
  EXPECT_TRUE(kernel_finding(lacks).good);
  EXPECT_NE(kernel_finding(lacks).text.find("modprobe it"), std::string::npos);
  EXPECT_FALSE(kernel_finding(fail(ErrorKind{"netlink.open-failed"})).good);
}

TEST_F(CredentialsTest, CheckSaysWhatGroupsAreBoundTo) {
  config_.groups["demo"] = {.interface = "lo", .mark = 0x2a, .mark_mask = 0xff};
  config_.groups["clear"] = {.interface = "lo", .if_id = 7};
  config_.groups["late"] = {.interface = "late0"};
  config_.groups["none"] = {};
  const auto text = findings_text(check_config(config_, kNow));
  EXPECT_THAT(text, HasSubstr("ok  group demo: is bound to interface lo, mark 0x2a/0xff"));
  EXPECT_THAT(text,
              HasSubstr("BAD group clear: daemon.no-interface: groups.clear.interface: lo is no "
                        "XFRM interface with if_id 7"));
  EXPECT_THAT(text, HasSubstr("ok  group late: daemon.no-interface: groups.late.interface: "));
  EXPECT_THAT(text, HasSubstr("no interface late0"));
  EXPECT_THAT(text, HasSubstr("ok  group none: is bound to nothing"));
}

TEST_F(CredentialsTest, CheckSaysWhatTheAgentWouldDo) {
  config_.limits.groups = {"demo"};
  const auto text = explain(config_);
  EXPECT_THAT(text, HasSubstr("127.0.0.1:8480 (UDP) on lo"));
  EXPECT_THAT(text, HasSubstr("groups: demo; of controllers: any"));
}

TEST(Files, OnlyRegularFilesUpToTheLimit) {
  const TempDir dir;
  EXPECT_EQ(*read_text_file(dir.write("a", "12345"), 5), "12345");
  EXPECT_EQ(read_text_file(dir.file("a"), 4).error().name(), kFileTooLarge.name());
  EXPECT_EQ(read_text_file(dir.file("."), 4).error().name(), kFileUnreadable.name());
  EXPECT_EQ(*read_text_file(dir.write("empty", ""), 5), "");
}

}  // namespace
}  // namespace gkmpd::daemon
