#include "agent/daemon/views.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "agent/ctl/render.h"

namespace gkmpd::daemon {
namespace {

constexpr WallTime kTime{seconds{1800000000}};

protocol::GroupView controlled_group() {
  protocol::GroupView group;
  group.id = {0xab};
  group.name = "demo";
  group.role = protocol::GroupRole::kController;
  group.state = protocol::GroupState::kPending;
  group.controller = "a";
  group.tuple = EpochTuple{1, 2, 0, 3};
  group.epoch_id = EpochId{0xcd};
  group.data_address = *IpAddress::parse("239.1.1.1");
  group.data_port = 5000;
  group.control_multicast = {*IpAddress::parse("239.1.1.2"), 8480};
  group.not_after = kTime;
  group.installed = true;
  group.rekey_ordered = true;
  group.rekey_error = "keys.odd";
  group.members = {
      {"b", IpAddress::parse("10.9.0.2"), protocol::MemberState::kKeyed, ""},
      {"c", std::nullopt, protocol::MemberState::kFailed, "protocol.timeout"},
  };
  return group;
}

// The whole text: the shape is a promise (docs/OPERATING.md).
TEST(Views, GroupHasItsPromisedShape) {
  EXPECT_EQ(
      to_json(controlled_group()).dump(),
      "{\"name\":\"demo\",\"id\":\"ab000000000000000000000000000000\",\"role\":\"controller\","
      "\"state\":\"pending\",\"why\":\"\",\"controller\":\"a\",\"controller_address\":null,"
      "\"tuple\":\"1.2.0.3\","
      "\"epoch_id\":\"cd000000000000000000000000000000\",\"data_address\":\"239.1.1.1\","
      "\"data_port\":5000,\"control_multicast\":\"239.1.1.2:8480\","
      "\"not_after\":\"2027-01-15T08:00:00Z\",\"rekey_at\":null,\"sending\":false,"
      "\"installed\":true,\"install_error\":\"\",\"outbound_burnt\":false,"
      "\"rekey_ordered\":true,\"rekey_error\":\"keys.odd\",\"members\":[{\"name\":\"b\","
      "\"address\":"
      "\"10.9.0.2\","
      "\"state\":\"keyed\",\"why\":\"\"},{\"name\":\"c\",\"address\":null,"
      "\"state\":\"failed\",\"why\":\"protocol.timeout\"}]}");
}

TEST(Views, SaHasItsPromisedShape) {
  SaView sa{.group = "demo", .sender = "a", .epoch = 3, .age_s = 60};
  sa.usage.id = {xfrm::ObjectKind::kSa, *IpAddress::parse("239.1.1.1"), 0x0a010001, 0x47000003};
  sa.usage.source = *IpAddress::parse("10.9.0.1");
  sa.usage.packets = 7;
  sa.usage.octets = 700;
  sa.usage.used_at_s = 1800000000;
  sa.usage.replayed = 1;
  sa.usage.behind_window = 2;
  sa.usage.forged = 3;
  EXPECT_EQ(to_json(sa).dump(),
            "{\"group\":\"demo\",\"direction\":\"out\",\"spi\":\"0x0a010001\","
            "\"source\":\"10.9.0.1\",\"destination\":\"239.1.1.1\",\"sender\":\"a\",\"epoch\":3,"
            "\"current\":true,\"suite\":\"aes-gcm-128\",\"age_s\":60,\"used\":true,\"packets\":7,"
            "\"octets\":700,\"replayed\":1,\"behind_window\":2,\"forged\":3}");
  sa.usage.id.reqid = 0x47000002;
  sa.usage.used_at_s = 0;
  EXPECT_EQ(to_json(sa)["direction"], "in");
  EXPECT_EQ(to_json(sa)["used"], false);
}

TEST(Views, SenderHasItsPromisedShape) {
  EXPECT_EQ(to_json(SenderView{"a", *IpAddress::parse("10.9.0.1"), 7, 700, 1, 2, 3}).dump(),
            "{\"name\":\"a\",\"address\":\"10.9.0.1\",\"packets\":7,\"octets\":700,"
            "\"replayed\":1,\"behind_window\":2,\"forged\":3}");
}

TEST(Views, AGroupWithoutEpochSaysNull) {
  protocol::GroupView group;
  EXPECT_TRUE(to_json(group)["tuple"].is_null());
  EXPECT_TRUE(to_json(group)["not_after"].is_null());
  EXPECT_TRUE(to_json(group)["epoch_id"].is_null());
}

TEST(Views, AnEpochThatIsRekeyedSaysWhen) {
  protocol::GroupView group = controlled_group();
  group.rekey_at = kTime - seconds(300);
  EXPECT_EQ(to_json(group)["rekey_at"], "2027-01-15T07:55:00Z");
}

TEST(Views, SummaryCountsMembers) {
  const Json summary = summary_json(controlled_group());
  EXPECT_EQ(summary["members"], 2);
  EXPECT_EQ(summary["keyed"], 1);
  EXPECT_EQ(summary["failed"], 1);
}

TEST(Views, ReportKeepsItsFields) {
  EXPECT_EQ(
      to_json(protocol::Report{protocol::Report::Level::kWarning, "w", "g", "p", "d"}).dump(),
      "{\"level\":\"warning\",\"what\":\"w\",\"group\":\"g\",\"peer\":\"p\",\"detail\":\"d\"}");
}

TEST(Views, StatusTellsAgeOfTheList) {
  Status status;
  status.now = kTime;
  status.crl_number = 7;
  status.crl_this_update = kTime - seconds(90);
  status.counters = {{"udp.too-long", 3}};
  Json json = to_json(status);
  EXPECT_EQ(json["crl"]["number"], 7);
  EXPECT_EQ(json["crl"]["age_s"], 90);
  EXPECT_TRUE(json["crl"]["next_update"].is_null());
  EXPECT_EQ(json["counters"]["udp.too-long"], 3);
  // A list dated within the forgiven clock error is not of a negative age.
  status.crl_this_update = kTime + seconds(90);
  EXPECT_EQ(to_json(status)["crl"]["age_s"], 0);
}

const std::vector<xfrm::KernelLack> kLacks = {
    {xfrm::EspSuite::kChaCha20Poly1305, IpFamily::kV4, false, "modprobe one"},
    {xfrm::EspSuite::kNullHmacSha256, IpFamily::kV4, true, "modprobe two"},
    {xfrm::EspSuite::kChaCha20Poly1305, IpFamily::kV6, false, "modprobe one"}};

TEST(Views, WhatTheKernelLacksIsOneLineByCause) {
  EXPECT_EQ(lacks_text(kLacks),
            "chacha20-poly1305 over IPv4 and IPv6: modprobe one; "
            "null-hmac-sha-256 with esn over IPv4: modprobe two");
  std::vector<xfrm::KernelLack> more = kLacks;
  more.push_back({xfrm::EspSuite::kAesGcm128, IpFamily::kV4, true, "modprobe two"});
  more.push_back({xfrm::EspSuite::kAesGcm256, IpFamily::kV6, false, "modprobe two"});
  EXPECT_EQ(lacks_text(more),
            "chacha20-poly1305 over IPv4 and IPv6: modprobe one; "
            "null-hmac-sha-256 with esn, aes-gcm-128 with esn over IPv4: modprobe two; "
            "aes-gcm-256 over IPv6: modprobe two");
  EXPECT_EQ(lacks_text({}), "");
}

TEST(Views, StatusTellsWhatTheKernelLacks) {
  Status status;
  EXPECT_EQ(to_json(status)["kernel"]["lacks"].dump(), "[]");
  EXPECT_EQ(ctl::status_text(to_json(status)).find("kernel lacks"), std::string::npos);
  EXPECT_EQ(to_json(status)["kernel"]["hides_keys"], false);
  status.kernel_hides_keys = true;
  EXPECT_EQ(to_json(status)["kernel"]["hides_keys"], true);
  status.kernel_hides_keys = false;
  status.kernel_lacks = kLacks;
  EXPECT_EQ(to_json(status)["kernel"]["lacks"][1].dump(),
            "{\"suite\":\"null-hmac-sha-256\",\"family\":\"IPv4\",\"only_esn\":true,"
            "\"remedy\":\"modprobe two\"}");
  const std::string text = ctl::status_text(to_json(status));
  EXPECT_NE(text.find("kernel lacks     chacha20-poly1305 over IPv6: modprobe one\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("kernel lacks     null-hmac-sha-256 with esn over IPv4: modprobe two\n"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace gkmpd::daemon
