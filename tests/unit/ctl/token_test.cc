// gkmpctl token, seen by gkmpctl and by the openssl program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/ctl/program.h"

namespace gkmpd::ctl {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kMembers = R"(kind = "gkmp-member-list-1"
group = "demo"
[[member]]
name = "a"
[[member]]
name = "b"
address = "10.9.0.2"
)";

class TokenCommandTest : public testing::Test {
 protected:
  void SetUp() override {
    succeeds(place_.init());
    succeeds(place_.issue("chief", "--role commander --group demo"));
    place_.write("demo.toml", kPolicy);
    place_.write("members.toml", kMembers);
  }
  void succeeds(const Outcome& outcome) { ASSERT_EQ(outcome.code, 0) << outcome.output; }
  void refused(const Outcome& outcome, const char* why) {
    EXPECT_EQ(outcome.code, 1) << outcome.output;
    EXPECT_THAT(outcome.output, AllOf(StartsWith("gkmpctl: "), HasSubstr(why)));
    EXPECT_FALSE(place_.has("demo.token"));
  }
  Outcome sign(const std::string& signer = "chief") {
    return place_.gkmpctl("token sign --policy demo.toml --members members.toml --cert " + signer +
                          ".pem --key " + signer + ".key --out demo.token");
  }
  Outcome show() {
    return place_.gkmpctl("token show demo.token --anchor ca/anchor.pem --crl ca/crl.pem");
  }

  Workplace place_;
};

TEST_F(TokenCommandTest, OpenSslVerifiesTheTextWithTheListsHashOnTop) {
  succeeds(sign());
  const Outcome verified = place_.run(
      "openssl cms -verify -binary -inform DER -in demo.token -CAfile ca/anchor.pem -out text");
  EXPECT_EQ(verified.code, 0) << verified.output;
  const Outcome sum = place_.run("sha256sum < members.toml");
  EXPECT_EQ(place_.read("text"),
            "member_list_sha256 = \"" + sum.output.substr(0, 64) + "\"\n" + kPolicy);
  EXPECT_EQ(place_.read("demo.toml"), kPolicy);
}

TEST_F(TokenCommandTest, ShowChecksAndPrintsThePolicy) {
  const Outcome made = sign();
  succeeds(made);
  const Outcome shown = show();
  succeeds(shown);
  EXPECT_THAT(shown.output, AllOf(HasSubstr("group: demo, version 1"), HasSubstr("by: chief"),
                                  HasSubstr(kPolicy)));
  EXPECT_EQ(place_.run("sha256sum < demo.token").output.substr(0, 64),
            field(shown.output, "sha256"));
  EXPECT_THAT(made.output, HasSubstr("sha256 " + field(shown.output, "sha256")));
}

TEST_F(TokenCommandTest, ShowRefusesARevokedCommander) {
  succeeds(sign());
  succeeds(place_.gkmpctl("pki revoke --dir ca --cert chief.pem"));
  const Outcome shown = show();
  EXPECT_EQ(shown.code, 1);
  EXPECT_THAT(shown.output, HasSubstr("identity.revoked"));
}

TEST_F(TokenCommandTest, ShowRefusesAnotherAnchor) {
  succeeds(sign());
  succeeds(place_.gkmpctl("pki init --dir other --name test-ca"));
  const Outcome shown =
      place_.gkmpctl("token show demo.token --anchor other/anchor.pem --crl other/crl.pem");
  EXPECT_EQ(shown.code, 1);
  EXPECT_THAT(shown.output, HasSubstr("crypto.chain-untrusted"));
}

TEST_F(TokenCommandTest, AHashThatStandsThereMustFit) {
  const std::string sum = place_.run("sha256sum < members.toml").output.substr(0, 64);
  const std::string with_hash = "member_list_sha256 = \"" + sum + "\"\n" + kPolicy;
  place_.write("demo.toml", with_hash);
  place_.write("members.toml", std::string(kMembers) + "# changed\n");
  refused(sign(), "identity.member-list-differs");
  place_.write("members.toml", kMembers);
  succeeds(sign());
  EXPECT_THAT(show().output, HasSubstr("\n\n" + with_hash));
}

TEST_F(TokenCommandTest, OnlyACommanderOfTheGroupSigns) {
  succeeds(place_.issue("host", "--role controller --group demo"));
  refused(sign("host"), "identity.not-commander");
  succeeds(place_.issue("other", "--role commander --group others"));
  refused(sign("other"), "identity.commander-scope");
  place_.write("demo.toml", std::string(kPolicy).replace(std::string(kPolicy).find("level = 2"), 9,
                                                         "level = 3"));
  refused(sign(), "level");
}

TEST_F(TokenCommandTest, MistakesAreNamed) {
  succeeds(place_.issue("second", "--role commander --group demo"));
  refused(place_.gkmpctl("token sign --policy demo.toml --members members.toml --cert chief.pem "
                         "--key second.key --out demo.token"),
          "token.key-differs");
  refused(place_.gkmpctl("token sign --policy none.toml --members members.toml --cert chief.pem "
                         "--key chief.key --out demo.token"),
          "none.toml");
  place_.write("demo.toml", std::string(kPolicy) + "colour = 1\n");
  refused(sign(), "control.colour");
  place_.write("demo.toml", "kind = \n");
  refused(sign(), "identity.token-syntax: line 1");
  std::string expired = kPolicy;
  expired.replace(expired.find("2099"), 4, "2026");
  expired.replace(expired.find("2026-01-01T00:00:00Z"), 4, "2020");
  place_.write("demo.toml", expired);
  refused(sign(), "identity.token-expired");
  place_.write("demo.toml", kPolicy);
  place_.write("members.toml", std::string(kMembers).replace(0, 4, "kinds"));
  refused(sign(), "identity.member-list-syntax");
  EXPECT_EQ(place_.gkmpctl("token sign").code, 2);
}

TEST_F(TokenCommandTest, ATokenIsNotReplacedUnasked) {
  succeeds(sign());
  const std::string token = place_.read("demo.token");
  const Outcome again = sign();
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.output, HasSubstr("file.exists"));
  EXPECT_EQ(place_.read("demo.token"), token);
}

}  // namespace
}  // namespace gkmpd::ctl
