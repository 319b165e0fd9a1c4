#include "agent/identity/limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/identity/errors.h"
#include "tests/support/pki.h"

namespace gkmpd::identity {
namespace {

using testing::HasSubstr;

GroupPolicy policy() { return parse_policy(test::policy_text({})).value(); }

std::vector<LocalLimits::Prefix> prefixes(std::initializer_list<const char*> texts) {
  std::vector<LocalLimits::Prefix> out;
  for (const char* text : texts) out.push_back(parse_prefix(text).value());
  return out;
}

void expect_beyond(const LocalLimits& limits, const char* what) {
  const auto checked = check_limits(policy(), limits);
  ASSERT_FALSE(checked) << what;
  EXPECT_EQ(checked.error().kind, kTokenLimits);
  EXPECT_THAT(checked.error().detail, HasSubstr(what));
}

TEST(Prefix, IsReadStrictly) {
  const auto prefix = parse_prefix("239.1.0.0/16");
  ASSERT_TRUE(prefix);
  EXPECT_EQ(prefix->address, IpAddress::parse("239.1.0.0"));
  EXPECT_EQ(prefix->length, 16);
  for (const char* good : {"0.0.0.0/0", "239.1.1.1/32", "ff05::/16", "::/0"}) {
    EXPECT_TRUE(parse_prefix(good)) << good;
  }
  for (const char* bad : {"", "239.0.0.0", "239.0.0.0/", "239.0.0.0/33", "239.0.0.0/-1",
                          "239.0.0.0/8 ", "239.0.0.1/8", "ff05::/129", "x/8", "239.0.0.0/+8"}) {
    EXPECT_FALSE(parse_prefix(bad)) << bad;
  }
}

TEST(Limits, EmptyOnesAcceptAny) { EXPECT_TRUE(check_limits(policy(), {})); }

TEST(Limits, EachIsChecked) {
  LocalLimits limits;
  limits.groups = {"other"};
  expect_beyond(limits, "groups");
  limits = {};
  limits.controllers = {"b"};
  expect_beyond(limits, "controller \"a\"");
  limits = {};
  limits.data_addresses = prefixes({"239.1.1.0/32", "ef01:101::/32"});
  expect_beyond(limits, "data_addresses");
  limits = {};
  limits.control_addresses = prefixes({"239.1.1.4/30"});
  expect_beyond(limits, "control_addresses");
  limits = {};
  limits.data_ports = {0, 5001};
  expect_beyond(limits, "data_ports");
  limits = {};
  limits.data_protocols = {6, 136};
  expect_beyond(limits, "data protocol 17");
  limits = {};
  limits.suites = {xfrm::EspSuite::kAesGcm256};
  expect_beyond(limits, "suite aes-gcm-128");
  limits = {};
  limits.max_rekey_interval_s = 3599;
  expect_beyond(limits, "max_rekey_interval_s");
}

TEST(Limits, WhatIsWithinPasses) {
  LocalLimits limits;
  limits.groups = {"other", "demo"};
  limits.controllers = {"b", "a"};
  limits.data_addresses = prefixes({"232.0.0.0/8", "239.1.1.0/30"});
  limits.control_addresses = prefixes({"239.1.1.2/32"});
  limits.data_ports = {0, 5000};
  limits.suites = {xfrm::EspSuite::kAesGcm256, xfrm::EspSuite::kAesGcm128};
  limits.max_rekey_interval_s = 3600;
  EXPECT_TRUE(check_limits(policy(), limits));
}

}  // namespace
}  // namespace gkmpd::identity
