// gkmpctl pki, seen by gkmpctl and by the openssl program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/ctl/program.h"

namespace gkmpd::ctl {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kVerify =
    "openssl verify -crl_check -CAfile ca/anchor.pem -CRLfile ca/crl.pem ";

class PkiTest : public testing::Test {
 protected:
  void succeeds(const Outcome& outcome) { ASSERT_EQ(outcome.code, 0) << outcome.output; }
  void refused(const Outcome& outcome, const char* why) {
    EXPECT_EQ(outcome.code, 1) << outcome.output;
    EXPECT_THAT(outcome.output, AllOf(StartsWith("gkmpctl: "), HasSubstr(why)));
  }

  Workplace place_;
};

class OpenSslTest : public PkiTest, public testing::WithParamInterface<const char*> {};

TEST_P(OpenSslTest, VerifiesWhatIsIssuedAndSeesWhatIsRevoked) {
  succeeds(place_.init(GetParam()));
  succeeds(place_.issue("a", "--role member --role sender --address 10.9.0.1", GetParam()));
  succeeds(place_.run("openssl req -in a.csr -noout -verify"));
  const Outcome text = place_.run("openssl x509 -in a.pem -noout -text");
  EXPECT_THAT(text.output, AllOf(HasSubstr("CN = a\n"), HasSubstr("DNS:a, IP Address:10.9.0.1"),
                                 HasSubstr("CA:FALSE"), HasSubstr("Digital Signature")));
  succeeds(place_.run(std::string(kVerify) + "a.pem"));
  succeeds(place_.run("openssl crl -in ca/crl.pem -noout -CAfile ca/anchor.pem"));
  EXPECT_THAT(place_.run("openssl crl -in ca/crl.pem -noout -crlnumber").output,
              HasSubstr("crlNumber=0x01\n"));

  succeeds(place_.gkmpctl("pki revoke --dir ca --cert a.pem"));
  const Outcome revoked = place_.run(std::string(kVerify) + "a.pem");
  EXPECT_NE(revoked.code, 0);
  EXPECT_THAT(revoked.output, HasSubstr("certificate revoked"));
  EXPECT_THAT(place_.run("openssl crl -in ca/crl.pem -noout -crlnumber").output,
              HasSubstr("crlNumber=0x02\n"));
}

INSTANTIATE_TEST_SUITE_P(KeyTypes, OpenSslTest, testing::Values("p256", "p384", "ed25519"),
                         [](const auto& type) { return std::string(type.param); });

TEST_F(PkiTest, PermissionsAreDerThatOpenSslParses) {
  succeeds(place_.init());
  succeeds(place_.issue("a", "--role controller --group demo"));
  const Outcome parsed = place_.run(
      "openssl x509 -in a.pem -outform DER | openssl asn1parse -inform DER | "
      "grep -A1 ':2\\.25\\.[0-9]*\\.1$' | grep 'HEX DUMP'");
  // version 1, level 2, category blue, role controller, group demo
  EXPECT_THAT(parsed.output, HasSubstr("[HEX DUMP]:301A02010102010231060C04626C756503020520"
                                       "30060C0464656D6F"));
}

TEST_F(PkiTest, FingerprintIsThatOfTheRequest) {
  succeeds(place_.init());
  const std::string fingerprint = place_.request("a");
  const Outcome sum = place_.run("openssl req -in a.csr -outform DER | sha256sum");
  EXPECT_THAT(sum.output, StartsWith(fingerprint + " "));
  EXPECT_EQ(field(place_.gkmpctl("pki show a.csr").output, "fingerprint"), fingerprint);
}

TEST_F(PkiTest, PrivateKeysAreForTheirOwnerOnly) {
  const std::string open = "umask 000 && " + Workplace::program() + " pki ";
  succeeds(place_.run(open + "init --dir ca --name test-ca"));
  succeeds(place_.run(open + "csr --name a --key a.key --out a.csr"));
  EXPECT_EQ(place_.mode("ca/anchor.key"), 0600U);
  EXPECT_EQ(place_.mode("a.key"), 0600U);
  EXPECT_EQ(place_.mode("ca/record.jsonl"), 0600U);
  EXPECT_EQ(place_.mode("ca"), 0700U);
  EXPECT_EQ(place_.mode("ca/anchor.pem"), 0644U);
}

TEST_F(PkiTest, NothingIsIssuedWithoutTheRightFingerprint) {
  succeeds(place_.init());
  const std::string fingerprint = place_.request("a");
  const std::string record = place_.read("ca/record.jsonl");
  const std::string issue = "pki issue --dir ca --csr a.csr --level 1 --out a.pem ";
  EXPECT_EQ(place_.gkmpctl(issue).code, 2);
  std::string wrong = fingerprint;
  wrong[0] = wrong[0] == '0' ? '1' : '0';
  const Outcome refusal = place_.gkmpctl(issue + "--fingerprint " + wrong);
  refused(refusal, "pki.not-confirmed");
  EXPECT_THAT(refusal.output, Not(HasSubstr(fingerprint)));
  EXPECT_FALSE(place_.has("a.pem"));
  EXPECT_EQ(place_.read("ca/record.jsonl"), record);

  std::string spoken = fingerprint;
  std::ranges::transform(spoken, spoken.begin(), [](unsigned char c) { return std::toupper(c); });
  spoken.insert(2, ":");
  succeeds(place_.gkmpctl(issue + "--fingerprint " + spoken));
}

TEST_F(PkiTest, FilesAreNeverReplacedUnasked) {
  succeeds(place_.init());
  succeeds(place_.issue("a", ""));
  const std::string anchor = place_.read("ca/anchor.pem");
  const std::string key = place_.read("a.key");
  const std::string certificate = place_.read("a.pem");
  const std::string record = place_.read("ca/record.jsonl");

  refused(place_.init(), "file.exists");
  const std::string csr = "pki csr --name a --key a.key --out a2.csr";
  refused(place_.gkmpctl(csr), "file.exists");
  EXPECT_FALSE(place_.has("a2.csr"));
  const std::string issue = "pki issue --dir ca --csr a.csr --level 1 --out a.pem --fingerprint " +
                            field(place_.gkmpctl("pki show a.csr").output, "fingerprint");
  refused(place_.gkmpctl(issue), "file.exists");
  refused(place_.gkmpctl("pki crl --dir ca --out a.pem"), "file.exists");
  EXPECT_EQ(place_.read("ca/anchor.pem"), anchor);
  EXPECT_EQ(place_.read("a.key"), key);
  EXPECT_EQ(place_.read("a.pem"), certificate);
  EXPECT_EQ(place_.read("ca/record.jsonl"), record);

  succeeds(place_.gkmpctl(issue + " --force"));
  EXPECT_NE(place_.read("a.pem"), certificate);
  succeeds(place_.gkmpctl(csr + " --force"));
  EXPECT_NE(place_.read("a.key"), key);
  EXPECT_EQ(place_.mode("a.key"), 0600U);
}

TEST_F(PkiTest, IssueSaysAndRecordsWhatItGranted) {
  succeeds(place_.init());
  const Outcome issued = place_.issue("a", "--role controller --group demo --address 10.9.0.1");
  succeeds(issued);
  EXPECT_THAT(issued.output,
              AllOf(HasSubstr("host: a\n"), HasSubstr("level: 2\n"),
                    HasSubstr("categories: blue\n"), HasSubstr("roles: controller\n"),
                    HasSubstr("groups: demo\n"), HasSubstr("addresses: 10.9.0.1\n")));
  EXPECT_EQ(place_.gkmpctl("pki show a.pem").output, issued.output);
  const std::string record = place_.read("ca/record.jsonl");
  EXPECT_THAT(record, AllOf(HasSubstr("\"name\":\"a\""),
                            HasSubstr("\"serial\":\"" + field(issued.output, "serial") + "\""),
                            HasSubstr("\"roles\":[\"controller\"]"),
                            HasSubstr("\"request_fingerprint\":\"")));
}

TEST_F(PkiTest, RoleIsMemberUnlessSaid) {
  succeeds(place_.init());
  EXPECT_THAT(place_.issue("a", "").output, HasSubstr("roles: member\n"));
  EXPECT_THAT(place_.issue("b", "--role sender").output, HasSubstr("roles: sender\n"));
}

TEST_F(PkiTest, RevokingTakesSerialsAsPeopleWriteThem) {
  succeeds(place_.init());
  std::string serial = field(place_.issue("a", "").output, "serial");
  std::ranges::transform(serial, serial.begin(), [](unsigned char c) { return std::tolower(c); });
  serial.insert(2, ":");
  const Outcome revoked = place_.gkmpctl("pki revoke --dir ca --serial " + serial);
  succeeds(revoked);
  EXPECT_EQ(field(revoked.output, "revoked certificates"), "1");
  refused(place_.gkmpctl("pki revoke --dir ca --serial " + serial), "pki.already-revoked");
  refused(place_.gkmpctl("pki revoke --dir ca --serial 0123"), "pki.not-issued-here");
  EXPECT_EQ(place_.gkmpctl("pki revoke --dir ca").code, 2);
  // A fresh list still has the entry, and the next number.
  const Outcome fresh = place_.gkmpctl("pki crl --dir ca --days 7 --out list.pem");
  succeeds(fresh);
  EXPECT_EQ(field(fresh.output, "revocation list"), "3");
  EXPECT_EQ(field(fresh.output, "revoked certificates"), "1");
  EXPECT_EQ(place_.read("list.pem"), place_.read("ca/crl.pem"));
  EXPECT_EQ(place_.gkmpctl("pki show list.pem").output, fresh.output);
}

TEST_F(PkiTest, ListsMadeAtOnceHaveDifferentNumbers) {
  succeeds(place_.init());
  std::string line;
  for (int i = 0; i < 6; ++i) {
    line += Workplace::program() + " pki crl --dir ca --out list" + std::to_string(i) + ".pem & ";
  }
  succeeds(place_.run(line + "wait"));
  std::vector<std::string> numbers;
  for (int i = 0; i < 6; ++i) {
    const std::string file = "list" + std::to_string(i) + ".pem";
    numbers.push_back(field(place_.gkmpctl("pki show " + file).output, "revocation list"));
  }
  EXPECT_THAT(numbers, testing::UnorderedElementsAre("2", "3", "4", "5", "6", "7"));
}

TEST_F(PkiTest, ADamagedRecordStopsEverything) {
  succeeds(place_.init());
  succeeds(place_.issue("a", ""));
  const std::string record = place_.read("ca/record.jsonl");
  place_.write("ca/record.jsonl", record + "{\"event\":\"rev");
  refused(place_.gkmpctl("pki crl --dir ca"), "pki.bad-record: ca/record.jsonl, line 3");
  place_.write("ca/record.jsonl", "{}\n" + record);
  refused(place_.gkmpctl("pki revoke --dir ca --cert a.pem"),
          "pki.bad-record: ca/record.jsonl, line 1");
}

TEST_F(PkiTest, BadOrdersAreRefusedWithTheReason) {
  refused(place_.gkmpctl("pki crl --dir nowhere"), "nowhere");
  refused(place_.gkmpctl("pki init --dir ca --name x --key-type rsa"), "p256");
  succeeds(place_.init());
  refused(place_.gkmpctl("pki csr --name 'A B' --key x --out y"), "pki.bad-name");
  refused(place_.issue("a", "--role king"), "roles are member");
  refused(place_.gkmpctl("pki csr --name a --key a.key --out a.csr"), "file.exists");
  refused(place_.issue("b", "--category Blue"), "pki.bad-permissions");
  refused(place_.issue("c", "--group '*' --group demo"), "pki.bad-permissions");
  refused(place_.issue("d", "--address 10.9"), "not an IP address");
  refused(place_.issue("e", "--days 36500"), "pki.validity-too-long");
  refused(place_.issue("f", "--role commander --group demo", "ed25519"), "--key-type p256");
  refused(place_.gkmpctl("pki show ca/record.jsonl"), "pki.unknown-file");
  EXPECT_EQ(place_.issue("g", "--days 0").code, 2);
  EXPECT_EQ(place_.gkmpctl("pki issue").code, 2);
  EXPECT_EQ(place_.gkmpctl("pki").code, 2);
  EXPECT_EQ(place_.gkmpctl("").code, 2);
  EXPECT_EQ(place_.gkmpctl("pki --help").code, 0);
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g"}) {
    EXPECT_FALSE(place_.has(std::string(name) + ".pem")) << name;
  }
}

}  // namespace
}  // namespace gkmpd::ctl
