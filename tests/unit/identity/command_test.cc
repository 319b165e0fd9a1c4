// Orders from signing to acceptance, and the order in which they are refused.
#include "agent/identity/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/crypto/errors.h"
#include "agent/identity/errors.h"
#include "tests/support/pki.h"

namespace gkmpd::identity {
namespace {

using test::HostOptions;
using test::kNow;
using test::TestHost;
using test::TestPki;
using testing::HasSubstr;

CommandText ordinary() {
  CommandText text;
  text.group = "demo";
  text.controller = "a";
  text.token_hash.fill(0x17);
  text.counter = 1'800'000'000'123;
  text.not_after = kNow + seconds(600);
  return text;
}

TEST(CommandTextTest, IsReadAsItIsWritten) {
  EXPECT_EQ(command_text(ordinary()),
            "kind = \"gkmp-command-1\"\naction = \"create\"\ngroup = \"demo\"\n"
            "controller = \"a\"\ntoken_sha256 = \"" +
                to_hex(ordinary().token_hash) +
                "\"\ncounter = 1800000000123\nnot_after = 2027-01-15T08:10:00Z\n");
  EXPECT_EQ(parse_command(command_text(ordinary())).value(), ordinary());
  CommandText far = ordinary();
  far.counter = 0x7fffffffffffffff;
  far.not_after = from_unix(253'402'300'799);
  EXPECT_EQ(parse_command(command_text(far)).value(), far);
  CommandText rekey = ordinary();
  rekey.action = CommandAction::kRekey;
  EXPECT_EQ(command_text(rekey).find("\naction = \"rekey\"\n"), 23U);
  EXPECT_EQ(parse_command(command_text(rekey)).value(), rekey);
}

/// `text` with the line of `key` replaced, or taken out.
std::string with_line(const std::string& key, const std::string& line) {
  std::string text = command_text(ordinary());
  const std::size_t at = text.find(key + " = ");
  const std::size_t end = text.find('\n', at) + 1;
  return text.replace(at, end - at, line.empty() ? "" : line + "\n");
}

TEST(CommandTextTest, EveryKeyIsWantedAndOfItsForm) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> bad = {
      {"kind", {"", "kind = 1", "kind = \"gkmp-group-token-1\""}},
      {"action",
       {"", "action = \"delete\"", "action = \"Rekey\"", "action = \"create rekey\"",
        "action = \"\"", "action = [\"create\"]"}},
      {"group", {"", "group = \"\"", "group = \"Demo\"", "group = 1"}},
      {"controller", {"", "controller = \"a b\"", "controller = [\"a\"]"}},
      {"token_sha256", {"", "token_sha256 = \"00\"", "token_sha256 = 1"}},
      {"counter", {"", "counter = 0", "counter = -1", "counter = \"1\"", "counter = 1.0"}},
      {"not_after",
       {"", "not_after = 2027-01-15", "not_after = 2027-01-15T08:10:00", "not_after = 1"}},
  };
  for (const auto& [key, lines] : bad) {
    for (const std::string& line : lines) {
      const auto parsed = parse_command(with_line(key, line));
      ASSERT_FALSE(parsed) << line;
      EXPECT_EQ(parsed.error().kind, kCommandField) << line;
      EXPECT_THAT(parsed.error().detail, HasSubstr(key)) << line;
    }
  }
}

TEST(CommandTextTest, NothingElseIsTaken) {
  const std::string text = command_text(ordinary());
  EXPECT_EQ(parse_command(text + "more = 1\n").error().kind, kCommandField);
  EXPECT_EQ(parse_command(text + "counter = 2\n").error().kind, kCommandSyntax);
  EXPECT_EQ(parse_command("x").error().kind, kCommandSyntax);
  EXPECT_EQ(parse_command(text + "#" + std::string(kMaxCommandText, 'x')).error().kind,
            kCommandTooLarge);
}

HostOptions commander_of(std::vector<std::string> groups, std::uint8_t level = 2) {
  return {.level = level,
          .categories = {"blue"},
          .roles = {Role::kCommander},
          .groups = std::move(groups)};
}

class CommandTest : public testing::Test {
 protected:
  Result<Command> check(const Bytes& der) { return check_command(der, {&trust_, &policy_, kNow}); }
  Bytes sign(const TestHost& signer, const CommandText& text = ordinary()) {
    return sign_command(text, signer.certificate, signer.key, {}, kNow).value();
  }
  void expect_refused(const Bytes& der, ErrorKind kind) {
    const auto command = check(der);
    ASSERT_FALSE(command);
    EXPECT_EQ(command.error().kind, kind) << command.error().text();
  }

  TestPki pki_{21};
  TestHost commander_ = pki_.host("chief", commander_of({"demo"}));
  TrustStore trust_ = pki_.trust();
  GroupPolicy policy_ = parse_policy(test::policy_text({})).value();
};

TEST_F(CommandTest, PassesAsItWasSigned) {
  const auto command = check(sign(commander_));
  ASSERT_TRUE(command) << command.error().text();
  EXPECT_EQ(command->text, ordinary());
  EXPECT_EQ(command->commander.name, "chief");
}

TEST_F(CommandTest, SigningRefusesWhatCheckingWould) {
  CommandText nameless = ordinary();
  nameless.controller.clear();
  EXPECT_EQ(sign_command(nameless, commander_.certificate, commander_.key, {}).error().kind,
            kCommandField);
}

TEST_F(CommandTest, SizeComesFirst) {
  expect_refused(Bytes(kMaxCommandSize + 1, 0x30), kCommandTooLarge);
  expect_refused(Bytes(kMaxCommandSize, 0x30), crypto::kBadCms);
}

TEST_F(CommandTest, ATokenIsNoCommand) {
  expect_refused(pki_.token_of_anything(command_text(ordinary()), commander_), crypto::kBadCms);
}

TEST_F(CommandTest, ItsTextIsStrict) {
  expect_refused(pki_.token_of_anything(command_text(ordinary()) + "x = 1\n", commander_,
                                        crypto::oid_command()),
                 kCommandField);
}

TEST_F(CommandTest, AChangedOctetIsNoticed) {
  Bytes der = sign(commander_);
  der[der.size() - 5] ^= 1;  // in the signature
  expect_refused(der, crypto::kBadSignature);
}

TEST_F(CommandTest, TheSignerMustBeACommanderOfTheGroup) {
  TestPki strange(22);
  expect_refused(sign(strange.host("chief", commander_of({"demo"}))), crypto::kChainUntrusted);
  expect_refused(sign(pki_.host("plain")), kNotCommander);
  expect_refused(sign(pki_.host("other", commander_of({"other"}))), kCommanderScope);
  expect_refused(sign(pki_.host("low", commander_of({"demo"}, 1))), kCommanderScope);
  pki_.revoke(commander_.certificate);
  trust_ = pki_.trust();
  expect_refused(sign(commander_), kRevoked);
}

}  // namespace
}  // namespace gkmpd::identity
