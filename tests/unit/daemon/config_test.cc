#include "agent/daemon/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/daemon/errors.h"

namespace gkmpd::daemon {
namespace {

using testing::HasSubstr;

constexpr std::string_view kSmall = R"([identity]
certificate = "host.pem"
key = "host.key"
anchor = "/pki/anchor.pem"
crl = "../crl.pem"
[control]
address = "10.9.0.1"
interface = "eth0"
)";

Result<Config> parse(const std::string& text) { return parse_config(text, "/etc/gkmpd/a.toml"); }

/// Appends to the smallest configuration, whose last table is [control].
Result<Config> with(const std::string& more) { return parse(std::string(kSmall) + more); }

void expect_refused(const Result<Config>& config, ErrorKind kind, const std::string& words) {
  ASSERT_FALSE(config) << "taken, but should name: " << words;
  EXPECT_EQ(config.error().name(), kind.name()) << config.error().detail;
  EXPECT_THAT(config.error().detail, HasSubstr(words));
}

TEST(Config, SmallestOneHasDefaults) {
  const auto config = parse(std::string(kSmall));
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->certificate, "/etc/gkmpd/host.pem");
  EXPECT_EQ(config->key, "/etc/gkmpd/host.key");
  EXPECT_EQ(config->anchor, "/pki/anchor.pem");
  EXPECT_EQ(config->crl, "/etc/crl.pem");
  EXPECT_EQ(config->control_text(), "10.9.0.1:8480");
  EXPECT_EQ(config->interface, "eth0");
  EXPECT_EQ(config->socket, kDefaultSocket);
  EXPECT_EQ(config->store, kDefaultStore);
  EXPECT_EQ(config->log_level, LogLevel::kInfo);
  EXPECT_FALSE(config->core_dumps);
  EXPECT_TRUE(config->limits.groups.empty());
  EXPECT_TRUE(config->limits.data_addresses.empty());
  EXPECT_EQ(config->limits.max_rekey_interval_s, 2592000U);
  EXPECT_TRUE(config->hosts.empty());
}

TEST(Config, EveryKeyIsRead) {
  const auto config = with(R"(port = 9000
socket = "c.sock"
[store]
path = "s.db"
[log]
level = "debug"
[process]
core_dumps = true
[limits]
groups = ["demo", "two"]
controllers = ["a"]
data_addresses = ["239.0.0.0/8"]
control_addresses = ["239.1.0.0/16", "239.2.0.0/16"]
data_ports = [0, 5000]
data_protocols = [17, 132]
suites = ["aes-gcm-128", "aes-gcm-256"]
max_rekey_interval_s = 3600
[hosts]
b = "10.9.0.2"
"c.example" = ["fd09::3", "10.9.0.3"]
[groups.demo]
interface = "ipsec7"
if_id = 7
mark = 0x2a
mark_mask = 0xff
[groups.two]
mark = 1
[groups.three]
)");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->port, 9000);
  EXPECT_EQ(config->socket, "/etc/gkmpd/c.sock");
  EXPECT_EQ(config->store, "/etc/gkmpd/s.db");
  EXPECT_EQ(config->log_level, LogLevel::kDebug);
  EXPECT_TRUE(config->core_dumps);
  EXPECT_THAT(config->limits.groups, testing::ElementsAre("demo", "two"));
  EXPECT_THAT(config->limits.controllers, testing::ElementsAre("a"));
  ASSERT_EQ(config->limits.data_addresses.size(), 1U);
  EXPECT_EQ(config->limits.data_addresses[0].length, 8);
  EXPECT_EQ(config->limits.control_addresses.size(), 2U);
  EXPECT_EQ(config->limits.max_rekey_interval_s, 3600U);
  ASSERT_EQ(config->hosts.size(), 2U);
  EXPECT_THAT(config->hosts.at("b"), testing::ElementsAre(*IpAddress::parse("10.9.0.2")));
  EXPECT_THAT(config->hosts.at("c.example"),
              testing::ElementsAre(*IpAddress::parse("10.9.0.3"), *IpAddress::parse("fd09::3")));
  EXPECT_THAT(config->limits.data_ports, testing::ElementsAre(0, 5000));
  EXPECT_THAT(config->limits.data_protocols, testing::ElementsAre(17, 132));
  ASSERT_EQ(config->groups.size(), 3U);
  EXPECT_EQ(config->groups.at("demo"),
            (GroupSettings{.interface = "ipsec7", .if_id = 7, .mark = 0x2a, .mark_mask = 0xff}));
  EXPECT_EQ(config->groups.at("two").mark_mask, 0xffffffff) << "the whole mark";
  EXPECT_EQ(config->groups.at("three"), GroupSettings{});
  EXPECT_THAT(config->limits.suites,
              testing::ElementsAre(xfrm::EspSuite::kAesGcm128, xfrm::EspSuite::kAesGcm256));
}

TEST(Config, UnknownKeyIsNamedWithItsLineAndWhatIsKnown) {
  const auto config = with("prot = 9000\n");
  expect_refused(config, kConfigUnknownKey, "/etc/gkmpd/a.toml:9: key control.prot");
  EXPECT_THAT(config.error().detail, HasSubstr("port"));
  expect_refused(with("[controll]\naddress = \"10.9.0.1\"\n"), kConfigUnknownKey, "controll");
  expect_refused(with("[limits]\nmodes = []\n"), kConfigUnknownKey, "limits.modes");
  expect_refused(with("[groups.demo]\nifid = 7\n"), kConfigUnknownKey, "groups.demo.ifid");
}

TEST(Config, MissingKeysAreNamed) {
  for (const std::string key : {"certificate", "key", "anchor", "crl", "address", "interface"}) {
    std::string text(kSmall);
    const auto at = text.find("\n" + key + " = ") + 1;
    text.erase(at, text.find('\n', at) + 1 - at);
    expect_refused(parse(text), kConfigMissingKey, "." + key);
  }
  expect_refused(parse(""), kConfigMissingKey, "identity.certificate");
  expect_refused(with("[groups.demo]\nif_id = 7\n"), kConfigMissingKey, "groups.demo.interface");
  expect_refused(with("[groups.demo]\nmark_mask = 7\n"), kConfigMissingKey, "groups.demo.mark");
}

TEST(Config, WrongTypesAndValuesAreRefused) {
  const auto bad = [](const std::string& more, const std::string& words) {
    expect_refused(with(more), kConfigBadValue, words);
  };
  bad("port = \"8480\"\n", "control.port");
  bad("port = 0\n", "1 to 65535");
  bad("port = 65536\n", "1 to 65535");
  bad("socket = \"\"\n", "control.socket");
  bad("socket = \"" + std::string(108, 's') + "\"\n", "control.socket");
  bad("[store]\npath = 7\n", "store.path");
  bad("[store]\npath = \"a\\u0000b\"\n", "store.path");
  bad("[log]\nlevel = \"loud\"\n", "debug, info, warning, error");
  bad("[process]\ncore_dumps = \"yes\"\n", "true or false");
  bad("[limits]\ngroups = \"demo\"\n", "limits.groups");
  bad("[limits]\ngroups = [\"demo\", 7]\n", "limits.groups");
  bad("[limits]\ngroups = [\"De mo\"]\n", "De mo");
  bad("[limits]\ndata_addresses = [\"239.0.0.0/33\"]\n", "239.0.0.0/33");
  bad("[limits]\nsuites = [\"rot13\"]\n", "rot13");
  bad("[limits]\ndata_ports = [65536]\n", "limits.data_ports");
  bad("[limits]\ndata_ports = 5000\n", "limits.data_ports");
  bad("[limits]\ndata_protocols = [256]\n", "limits.data_protocols");
  bad("[limits]\nmax_rekey_interval_s = 59\n", "60 to 2592000");
  bad("[hosts]\nb = \"b.example\"\n", "hosts.b");
  bad("[hosts]\nb = \"239.1.1.1\"\n", "hosts.b");
  bad("[hosts]\n\"B!\" = \"10.9.0.2\"\n", "host name");
  bad("[groups]\ndemo = 7\n", "groups.demo is a table");
  bad("[groups.\"De mo\"]\n", "no group name");
  bad("[groups.demo]\ninterface = \"an-interface-with-a-long-name\"\n", "15 letters");
  bad("[groups.demo]\ninterface = \"eth0\"\nif_id = 0\n", "1 to 4294967295");
  bad("[groups.demo]\nmark = -1\n", "groups.demo.mark");
  bad("[groups.demo]\nmark = 0x100\nmark_mask = 0xff\n", "0xff, has not");
  bad("[[log]]\nlevel = \"info\"\n", "log is a table");
}

TEST(Config, AddressesThatCannotBeOursAreRefused) {
  for (const std::string address :
       {"10.9.0", "fe80::1", "febf::1", "239.1.1.1", "ff15::1", "0.0.0.0", "::", "eth0"}) {
    std::string text(kSmall);
    text.replace(text.find("10.9.0.1"), 8, address);
    expect_refused(parse(text), kConfigBadValue, "control.address");
  }
  std::string text(kSmall);
  text.replace(text.find("eth0"), 4, "an-interface-with-a-long-name");
  expect_refused(parse(text), kConfigBadValue, "control.interface");
}

TEST(Config, OneAddressOfEachFamily) {
  const auto with_address = [](const std::string& address) {
    std::string text(kSmall);
    text.replace(text.find("\"10.9.0.1\""), 10, address);
    return parse(text);
  };
  const auto both = with_address("[\"fd09::1\", \"10.9.0.1\"]");
  ASSERT_TRUE(both) << both.error().text();
  EXPECT_EQ(both->control_text(), "10.9.0.1:8480, [fd09::1]:8480");
  const auto six = with_address("\"fd09::1\"");
  ASSERT_TRUE(six) << six.error().text();
  EXPECT_EQ(six->control_text(), "[fd09::1]:8480");
  expect_refused(with_address("[\"10.9.0.1\", \"10.9.0.2\"]"), kConfigBadValue, "one IPv4");
  expect_refused(with_address("[]"), kConfigMissingKey, "control.address");
  expect_refused(with_address("7"), kConfigBadValue, "control.address");
}

TEST(Config, SyntaxErrorsNameTheLine) {
  expect_refused(with("port = \n"), kConfigSyntax, "a.toml:9");
  expect_refused(with("port = 1\nport = 2\n"), kConfigSyntax, "a.toml:10");
  expect_refused(parse(std::string("key = \"\xff\"\n")), kConfigSyntax, "a.toml:1");
  expect_refused(parse(std::string(kMaxConfigSize + 1, '#')), kConfigSyntax, "octets");
}

TEST(Config, RelativePathsOfAFileWithoutDirectory) {
  const auto config = parse_config(kSmall, "a.toml");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->key, "host.key");
}

TEST(Config, AnUnreadableFileIsNamed) {
  const auto config = load_config("/nonexistent/gkmpd.toml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().name(), kConfigUnreadable.name());
  EXPECT_THAT(config.error().detail, HasSubstr("/nonexistent/gkmpd.toml"));
}

TEST(Config, LogLevelsHaveOneTextEach) {
  for (auto level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    EXPECT_EQ(*log_level_from_text(to_text(level)), level);
  }
  EXPECT_FALSE(log_level_from_text("INFO"));
}

}  // namespace
}  // namespace gkmpd::daemon
