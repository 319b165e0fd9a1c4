// The policy text: what each key may hold, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "agent/crypto/hash.h"
#include "agent/identity/errors.h"
#include "agent/identity/token.h"
#include "tests/support/pki.h"

namespace gkmpd::identity {
namespace {

using test::policy_text;
using test::PolicyOptions;
using testing::ElementsAre;
using testing::HasSubstr;

/// `text` with the first line of `key` behind the head of `table` replaced by `line`; an empty
/// `line` takes it away.
std::string with(std::string text, const std::string& key, const std::string& line,
                 const std::string& table = "") {
  text.insert(0, "\n");
  const std::size_t from = table.empty() ? 0 : text.find("\n[" + table + "]\n");
  const std::size_t start = text.find("\n" + key + " = ", from) + 1;
  EXPECT_NE(start, 0U) << key;
  const std::size_t end = text.find('\n', start);
  text.replace(start, end + 1 - start, line.empty() ? "" : line + "\n");
  return text.substr(1);
}

std::string ordinary() { return policy_text(PolicyOptions{}); }

void expect_refused(const std::string& text, ErrorKind kind, const char* what) {
  const auto policy = parse_policy(text);
  ASSERT_FALSE(policy) << text;
  EXPECT_EQ(policy.error().kind, kind) << policy.error().text();
  EXPECT_THAT(policy.error().detail, HasSubstr(what));
}

TEST(Policy, SaysWhatItsTextSays) {
  PolicyOptions options;
  options.version = 4294967295;
  options.controllers = {"b", "a"};
  options.actions = {"rekey", "create"};
  options.level = 255;
  options.categories = {"blue", "red"};
  options.senders = {"c", "a"};
  options.port = 65535;
  options.replay_window = 4096;
  options.spi_prefix = 255;
  options.member_list_text = "x";
  const auto policy = parse_policy(policy_text(options));
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_EQ(policy->kind, kTokenKind);
  EXPECT_EQ(policy->version, 4294967295);
  EXPECT_EQ(policy->group, "demo");
  EXPECT_EQ(policy->not_before, options.not_before);
  EXPECT_EQ(policy->not_after, options.not_after);
  EXPECT_THAT(policy->controllers, ElementsAre("b", "a"));
  EXPECT_THAT(policy->actions, ElementsAre(Action::kCreate, Action::kRekey));
  EXPECT_EQ(policy->classification, (Classification{255, {"blue", "red"}}));
  EXPECT_EQ(policy->rekey_interval_s, 3600U);
  EXPECT_EQ(policy->token_grace_s, 300U);
  EXPECT_EQ(policy->member_list_hash, crypto::sha256({as_bytes("x")}));
  EXPECT_THAT(policy->senders, ElementsAre("c", "a"));
  EXPECT_EQ(policy->address.text(), "239.1.1.1");
  EXPECT_EQ(policy->port, 65535);
  EXPECT_EQ(policy->suite, xfrm::EspSuite::kAesGcm128);
  EXPECT_EQ(policy->mode, xfrm::IpsecMode::kTransport);
  EXPECT_EQ(policy->sender_mode, xfrm::SenderMode::kPerSender);
  EXPECT_EQ(policy->on_stop, StopPolicy::kKeep);
  EXPECT_EQ(policy->control_suite, Suite::kX25519Sha256);
  EXPECT_EQ(policy->replay_window, 4096U);
  EXPECT_EQ(policy->spi_prefix, 255);
  EXPECT_EQ(policy->activation_delay_ms, 1000U);
  EXPECT_EQ(policy->deactivation_delay_ms, 5000U);
  EXPECT_EQ(policy->control_address.text(), "239.1.1.2");
  EXPECT_EQ(policy->control_port, 8480);
  EXPECT_EQ(policy->heartbeat_interval_ms, 1000U);
  EXPECT_EQ(policy->rekey_repeats, 3U);
}

TEST(Policy, OptionalKeysHaveTheirDefaults) {
  std::string text = ordinary();
  for (const char* key : {"token_grace_s", "port", "suite", "mode", "sender_mode", "replay_window",
                          "activation_delay_ms", "deactivation_delay_ms", "on_stop",
                          "heartbeat_interval_ms", "rekey_repeats"}) {
    text = with(text, key, "");
  }
  const auto policy = parse_policy(text);
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_EQ(policy->token_grace_s, 300U);
  EXPECT_EQ(policy->protocol, 17);
  EXPECT_EQ(policy->port, 0);
  EXPECT_EQ(policy->replay_window, xfrm::kDefaultReplayWindow);
  EXPECT_EQ(policy->activation_delay_ms, 1000U);
  EXPECT_EQ(policy->deactivation_delay_ms, 5000U);
  EXPECT_EQ(policy->heartbeat_interval_ms, 5000U);
  EXPECT_EQ(policy->rekey_repeats, 3U);
  EXPECT_EQ(policy->on_stop, StopPolicy::kKeep);
}

TEST(Policy, EveryOtherKeyIsRequired) {
  for (const char* key :
       {"kind", "version", "group", "not_before", "not_after", "controllers", "actions", "level",
        "categories", "rekey_interval_s", "member_list_sha256", "senders"}) {
    expect_refused(with(ordinary(), key, ""), kTokenField, key);
  }
  expect_refused(with(ordinary(), "address", "", "ipsec"), kTokenField, "ipsec.address");
  expect_refused(with(ordinary(), "spi_prefix", ""), kTokenField, "ipsec.spi_prefix");
  expect_refused(with(ordinary(), "address", "", "control"), kTokenField, "control.address");
  expect_refused(with(ordinary(), "port", "", "control"), kTokenField, "control.port");
  const std::string text = ordinary();
  expect_refused(text.substr(0, text.find("[control]")), kTokenField, "control");
}

TEST(Policy, UnknownKeysAreRefused) {
  expect_refused("colour = 1\n" + ordinary(), kTokenField, "colour: is not a key");
  expect_refused(ordinary() + "colour = 1\n", kTokenField, "control.colour: is not a key");
  expect_refused(with(ordinary(), "spi_prefix", "spi_prefix = 1\nspi = 2"), kTokenField,
                 "ipsec.spi: is not a key");
  expect_refused(ordinary() + "[more]\n", kTokenField, "more: is not a key");
  // A hostile name cannot write lines of its own into a log.
  expect_refused("\"a\\nb\" = 1\n" + ordinary(), kTokenField, "a?b: is not a key");
}

TEST(Policy, RepeatedKeysAndOtherBadTomlAreSyntaxErrorsWithTheirPlace) {
  expect_refused("version = 1\n" + ordinary(), kTokenSyntax, "line 3");
  expect_refused(ordinary() + "[control]\n", kTokenSyntax, "line");
  expect_refused("kind = \n", kTokenSyntax, "line 1");
  expect_refused("\xff", kTokenSyntax, "line 1");
  expect_refused(std::string("a = 1\0", 6), kTokenSyntax, "line 1");
}

TEST(Policy, TypesAreExact) {
  expect_refused(with(ordinary(), "version", "version = 1.0"), kTokenField, "version");
  expect_refused(with(ordinary(), "version", "version = \"1\""), kTokenField, "version");
  expect_refused(with(ordinary(), "group", "group = 1"), kTokenField, "group");
  expect_refused(with(ordinary(), "controllers", "controllers = \"a\""), kTokenField,
                 "controllers");
  expect_refused(with(ordinary(), "controllers", "controllers = [\"a\", 1]"), kTokenField,
                 "controllers");
  expect_refused(with(ordinary(), "suite", "suite = 1"), kTokenField, "ipsec.suite");
  expect_refused(with(ordinary(), "not_before", "not_before = \"2026-01-01T00:00:00Z\""),
                 kTokenField, "not_before");
  const std::string text = ordinary();
  expect_refused("ipsec = 1\n" + text.substr(0, text.find("[ipsec]")), kTokenField, "ipsec");
}

TEST(Policy, TimesAreWholeSecondsWithOffset) {
  const auto text_of = [](const char* time) {
    return with(ordinary(), "not_before", std::string("not_before = ") + time);
  };
  const auto offset = parse_policy(text_of("2026-01-01T02:00:00+02:00"));
  ASSERT_TRUE(offset) << offset.error().text();
  EXPECT_EQ(to_unix(offset->not_before), 1767225600U);
  for (const char* time :
       {"2026-01-01T00:00:00", "2026-01-01", "2026-01-01T00:00:00.5Z", "1969-12-31T23:59:59Z"}) {
    expect_refused(text_of(time), kTokenField, "not_before");
  }
  EXPECT_TRUE(parse_policy(text_of("1970-01-01T00:00:00Z")));
  expect_refused(with(ordinary(), "not_after", "not_after = 2027-01-14T08:00:00Z"), kTokenField,
                 "later than not_before");
}

struct Edge {
  const char* table;
  const char* key;
  const char* good;
  const char* bad;
};

TEST(Policy, NumbersHaveLimits) {
  const Edge edges[] = {
      {"", "version", "1", "0"},
      {"", "version", "4294967295", "4294967296"},
      {"", "level", "0", "-1"},
      {"", "level", "255", "256"},
      {"", "rekey_interval_s", "60", "59"},
      {"", "rekey_interval_s", "2592000", "2592001"},
      {"", "token_grace_s", "0", "-1"},
      {"", "token_grace_s", "86400", "86401"},
      {"ipsec", "port", "0", "-1"},
      {"ipsec", "port", "65535", "65536"},
      {"ipsec", "replay_window", "32", "31"},
      {"ipsec", "replay_window", "4096", "4097"},
      {"ipsec", "spi_prefix", "1", "0"},
      {"ipsec", "spi_prefix", "255", "256"},
      {"ipsec", "activation_delay_ms", "4999", "5000"},
      {"ipsec", "deactivation_delay_ms", "3599999", "3600000"},
      {"control", "port", "1", "0"},
      {"control", "heartbeat_interval_ms", "200", "199"},
      {"control", "heartbeat_interval_ms", "600000", "600001"},
      {"control", "rekey_repeats", "1", "0"},
      {"control", "rekey_repeats", "10", "11"},
  };
  for (const Edge& edge : edges) {
    const std::string key = edge.key;
    const auto good = parse_policy(with(ordinary(), key, key + " = " + edge.good, edge.table));
    EXPECT_TRUE(good) << key << " " << good.error().text();
    const auto bad = parse_policy(with(ordinary(), key, key + " = " + edge.bad, edge.table));
    EXPECT_FALSE(bad) << key << " = " << edge.bad;
  }
}

TEST(Policy, OneProtocolIsProtectedWithAPortIfItHasPorts) {
  const std::string any_port = with(ordinary(), "port", "", "ipsec");
  const auto of_protocol = [](const std::string& text, int number) {
    return with(text, "spi_prefix", "spi_prefix = 10\nprotocol = " + std::to_string(number));
  };
  for (const int number : {1, 6, 17, 33, 89, 103, 132, 136, 255}) {
    const auto policy = parse_policy(of_protocol(any_port, number));
    ASSERT_TRUE(policy) << policy.error().text();
    EXPECT_EQ(policy->protocol, number);
  }
  for (const int number : {0, 2, 50, 51, 58, 256})
    expect_refused(of_protocol(any_port, number), kTokenField, "ipsec.protocol");
  for (const int number : {6, 17, 33, 132, 136})
    EXPECT_TRUE(parse_policy(of_protocol(ordinary(), number))) << number;
  expect_refused(of_protocol(ordinary(), 89), kTokenField, "ipsec.port");
}

TEST(Policy, ListsHaveLimitsAndNoRepetition) {
  expect_refused(with(ordinary(), "controllers", "controllers = []"), kTokenField, "controllers");
  expect_refused(with(ordinary(), "controllers", R"(controllers = ["a", "b", "a"])"), kTokenField,
                 "twice");
  expect_refused(with(ordinary(), "controllers", R"(controllers = ["A"])"), kTokenField,
                 "controllers");
  expect_refused(with(ordinary(), "actions", R"(actions = ["create", "fly"])"), kTokenField,
                 "actions");
  EXPECT_TRUE(parse_policy(with(ordinary(), "senders", "senders = []")));
  EXPECT_TRUE(parse_policy(with(ordinary(), "categories", "categories = []")));
  PolicyOptions options;
  options.controllers.clear();
  for (std::size_t i = 0; i < kMaxControllers; ++i) {
    options.controllers.push_back("c" + std::to_string(i));
  }
  EXPECT_TRUE(parse_policy(policy_text(options)));
  options.controllers.push_back("one-more");
  expect_refused(policy_text(options), kTokenField, "controllers");
}

TEST(Policy, WhatThisVersionLacksIsNamed) {
  PolicyOptions options;
  options.suite = "aes-ccm-128";
  expect_refused(
      policy_text(options), kTokenUnsupported,
      R"(ipsec.suite: this version knows "aes-gcm-128", "aes-gcm-192", "aes-gcm-256", )");
  options = {};
  options.mode = "beet";
  expect_refused(policy_text(options), kTokenUnsupported, "ipsec.mode");
  options = {};
  options.sender_mode = "anycast";
  expect_refused(policy_text(options), kTokenUnsupported, "ipsec.sender_mode");
  expect_refused(with(ordinary(), "on_stop", "on_stop = \"burn\""), kTokenUnsupported,
                 "ipsec.on_stop");
  expect_refused(ordinary() + "suite = \"rsa\"\n", kTokenUnsupported, "control.suite");
  expect_refused(ordinary() + "suite = \"\"\n", kTokenUnsupported, "control.suite");
  expect_refused(with(ordinary(), "kind", "kind = \"gkmp-group-token-2\""), kTokenUnsupported,
                 "kind");
}

TEST(Policy, AddressesAreMulticastAndApart) {
  const auto refused = [](const char* address, const char* control, const char* what) {
    PolicyOptions options;
    options.address = address;
    options.control_address = control;
    expect_refused(policy_text(options), kTokenField, what);
  };
  refused("10.1.1.1", "239.1.1.2", "multicast");
  refused("224.0.0.9", "239.1.1.2", "link scope");
  refused("239.1.1.1", "239.1.1.1", "control.address: must be another one");
  refused("239.1.1.1", "10.0.0.1", "control.address");
  refused("239.1.1.1", "224.0.0.251", "control.address");
  refused("239.1.1", "239.1.1.2", "ipsec.address");
  refused("239.1.1.1 ", "239.1.1.2", "ipsec.address");
}

TEST(Policy, EveryChoiceIsRead) {
  PolicyOptions options;
  options.suite = "aes-cbc-128-hmac-sha-256";
  auto policy = parse_policy(policy_text(options));
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_EQ(policy->suite, xfrm::EspSuite::kAesCbc128HmacSha256);
  EXPECT_EQ(policy->replay_window, 1024U);
  options.suite = "aes-gcm-256";
  policy = parse_policy(policy_text(options));
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_EQ(policy->suite, xfrm::EspSuite::kAesGcm256);
  options.mode = "tunnel";
  policy = parse_policy(policy_text(options));
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_EQ(policy->mode, xfrm::IpsecMode::kTunnel);
  policy = parse_policy(with(ordinary(), "on_stop", "on_stop = \"remove\""));
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_EQ(policy->on_stop, StopPolicy::kRemove);
  const std::pair<const char*, Suite> suites[] = {{"x25519-sha256", Suite::kX25519Sha256},
                                                  {"p256-sha256", Suite::kP256Sha256},
                                                  {"p384-sha384", Suite::kP384Sha384},
                                                  {"x25519-sha384", Suite::kX25519Sha384}};
  for (const auto& [name, suite] : suites) {
    policy = parse_policy(ordinary() + "suite = \"" + name + "\"\n");
    ASSERT_TRUE(policy) << policy.error().text();
    EXPECT_EQ(policy->control_suite, suite);
  }
}

TEST(Policy, SendersShareAKeyOnlyWhereThatIsSafe) {
  PolicyOptions options;
  options.sender_mode = "shared";
  for (const char* suite : {"aes-gcm-128", "aes-gcm-192", "aes-gcm-256", "chacha20-poly1305",
                            "aes-gmac-128", "aes-gmac-256"}) {
    options.suite = suite;
    expect_refused(policy_text(options), kTokenUnsafe, "RFC 6054");
  }
  options.suite = "aes-cbc-128-hmac-sha-256";
  expect_refused(policy_text(options), kTokenField, "ipsec.replay_window");
  options.replay_window = 0;
  const auto policy = parse_policy(policy_text(options));
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_EQ(policy->sender_mode, xfrm::SenderMode::kShared);
  options.mode = "tunnel";
  expect_refused(policy_text(options), kTokenUnsupported, "address for the outside of a tunnel");
  options.mode = "transport";
  const auto without = parse_policy(with(policy_text(options), "replay_window", ""));
  ASSERT_TRUE(without) << without.error().text();
  EXPECT_EQ(without->replay_window, 0U);
  options.suite = "null-hmac-sha-256";
  EXPECT_TRUE(parse_policy(policy_text(options)));
}

TEST(Policy, EverySuiteHasOneName) {
  std::set<std::string_view> names;
  for (const xfrm::EspSuite suite : xfrm::kEspSuites) {
    PolicyOptions options;
    options.suite = std::string(to_text(suite));
    names.insert(to_text(suite));
    const auto policy = parse_policy(policy_text(options));
    ASSERT_TRUE(policy) << options.suite << ": " << policy.error().text();
    EXPECT_EQ(policy->suite, suite);
    EXPECT_EQ(esp_suite_from_text(to_text(suite)), suite);
  }
  EXPECT_EQ(names.size(), 12U);
  EXPECT_EQ(to_text(xfrm::EspSuite::kAesCbc256HmacSha384), "aes-cbc-256-hmac-sha-384");
  EXPECT_EQ(to_text(xfrm::EspSuite::kNullHmacSha512), "null-hmac-sha-512");
}

TEST(Policy, ExtendedSequenceNumbersAreAChoiceOfEachSender) {
  EXPECT_FALSE(parse_policy(ordinary())->esn);
  EXPECT_FALSE(parse_policy(with(ordinary(), "esn", ""))->esn);
  const auto policy = parse_policy(with(ordinary(), "esn", "esn = true"));
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_TRUE(policy->esn);
  for (const char* other : {"esn = 1", "esn = \"true\""})
    expect_refused(with(ordinary(), "esn", other), kTokenField, "ipsec.esn: must be true or false");
  PolicyOptions options;
  options.suite = "aes-cbc-128-hmac-sha-256";
  options.sender_mode = "shared";
  options.replay_window = 0;
  ASSERT_TRUE(parse_policy(policy_text(options)));
  options.esn = true;
  expect_refused(policy_text(options), kTokenUnsafe, "ipsec.esn: ");
}

TEST(Policy, TheControlSuiteIsAsStrongAsTheSuite) {
  for (const char* suite : {"aes-gcm-192", "aes-gcm-256", "chacha20-poly1305", "aes-gmac-256",
                            "aes-cbc-256-hmac-sha-384", "aes-cbc-256-hmac-sha-512",
                            "null-hmac-sha-384", "null-hmac-sha-512"}) {
    PolicyOptions options;
    options.suite = suite;
    const std::string text = policy_text(options);
    const auto policy = parse_policy(text);
    ASSERT_TRUE(policy) << policy.error().text();
    EXPECT_EQ(policy->control_suite, Suite::kX25519Sha384) << suite;
    for (const char* weak : {"x25519-sha256", "p256-sha256"}) {
      expect_refused(text + "suite = \"" + weak + "\"\n", kTokenUnsafe, "control.suite");
    }
    for (const char* strong : {"x25519-sha384", "p384-sha384"}) {
      EXPECT_TRUE(parse_policy(text + "suite = \"" + strong + "\"\n")) << strong;
    }
  }
  for (const char* suite :
       {"aes-gcm-128", "aes-cbc-128-hmac-sha-256", "aes-gmac-128", "null-hmac-sha-256"}) {
    PolicyOptions options;
    options.suite = suite;
    EXPECT_EQ(parse_policy(policy_text(options))->control_suite, Suite::kX25519Sha256) << suite;
  }
}

TEST(Policy, ControlAndDataAreOfOneFamily) {
  PolicyOptions options;
  options.address = "ff15::1:1";
  expect_refused(policy_text(options), kTokenField, "control.address: must be of the same family");
  options.control_address = "ff15::1:2";
  const auto policy = parse_policy(policy_text(options));
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_EQ(policy->family(), IpFamily::kV6);
  for (const char* narrow : {"ff02::1:2", "ff01::1:2", "ff11::1", "ff12::1"}) {
    options.control_address = narrow;
    expect_refused(policy_text(options), kTokenField, "link scope");
  }
}

TEST(Policy, MemberListHashIsCanonicalHexadecimal) {
  const auto text_of = [](const std::string& digits) {
    return with(ordinary(), "member_list_sha256", "member_list_sha256 = \"" + digits + "\"");
  };
  EXPECT_TRUE(parse_policy(text_of(std::string(64, 'a'))));
  expect_refused(text_of(std::string(64, 'A')), kTokenField, "member_list_sha256");
  expect_refused(text_of(std::string(62, 'a')), kTokenField, "member_list_sha256");
  expect_refused(text_of(std::string(64, 'g')), kTokenField, "member_list_sha256");
}

TEST(Policy, SizeIsBounded) {
  std::string text = ordinary();
  text += "#" + std::string(kMaxPolicySize - text.size() - 1, 'x');
  EXPECT_TRUE(parse_policy(text));
  expect_refused(text + "x", kTokenTooLarge, "octets");
}

}  // namespace
}  // namespace gkmpd::identity
