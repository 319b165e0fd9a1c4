#include "agent/ctl/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace gkmpd::ctl {
namespace {

using daemon::Json;
using testing::HasSubstr;
using testing::Not;

protocol::GroupView some_group() {
  protocol::GroupView group;
  group.name = "demo";
  group.role = protocol::GroupRole::kController;
  group.state = protocol::GroupState::kActive;
  group.controller = "a";
  group.data_address = *IpAddress::parse("239.1.1.1");
  group.data_port = 5000;
  group.members = {{"b", IpAddress::parse("10.9.0.2"), protocol::MemberState::kKeyed, ""},
                   {"a-long-name", std::nullopt, protocol::MemberState::kFailed, "no\nanswer"}};
  return group;
}

TEST(Render, TablesAreAlignedWithoutTrailingSpaces) {
  EXPECT_EQ(table({{"A", "BB", "C"}, {"1", "2", ""}, {"333", "4"}}),
            "A    BB  C\n1    2\n333  4\n");
}

TEST(Render, GroupListIsATable) {
  EXPECT_EQ(group_list_text(Json::array({daemon::summary_json(some_group())})),
            "NAME  ROLE        STATE   KEYED  DATA            INSTALLED  SENDING\n"
            "demo  controller  active  1/2    239.1.1.1:5000  no         no\n");
  EXPECT_EQ(group_list_text(Json::array()), "no groups\n");
}

TEST(Render, SasAreATable) {
  daemon::SaView sa{.group = "demo", .sender = "b", .epoch = 2, .current = false, .age_s = 9};
  sa.usage.id = {xfrm::ObjectKind::kSa, *IpAddress::parse("239.1.1.1"), 0x0a010002, 0x47000002};
  sa.usage.source = *IpAddress::parse("10.9.0.2");
  sa.usage.packets = 5;
  EXPECT_EQ(
      sas_text(Json::array({daemon::to_json(sa)})),
      "GROUP  DIR  SPI         SENDER  SOURCE    EPOCH    AGE  PACKETS  OCTETS  REPLAYED  BEHIND"
      "  FORGED\n"
      "demo   in   0x0a010002  b       10.9.0.2  2 (old)  9 s  5        0       0         0     "
      "  0\n");
  EXPECT_EQ(sas_text(Json::array()), "no SAs\n");
}

TEST(Render, GroupShowsARekeyThatIsOrdered) {
  protocol::GroupView group = some_group();
  group.rekey_ordered = true;
  group.rekey_error = "protocol.save-failed";
  const auto text = group_text(daemon::to_json(group));
  EXPECT_THAT(text, HasSubstr("rekey ordered  yes\n"));
  EXPECT_THAT(text, HasSubstr("rekey error    protocol.save-failed\n"));
}

TEST(Render, GroupShowsItsMembers) {
  const auto text = group_text(daemon::to_json(some_group()));
  EXPECT_THAT(text, HasSubstr("group         demo\n"));
  EXPECT_THAT(text, HasSubstr("a-long-name  -         failed  no\\nanswer\n"));
  EXPECT_THAT(text, HasSubstr("b            10.9.0.2  keyed   -\n"));
  // What is not there has no line.
  EXPECT_THAT(text, Not(HasSubstr("epoch")));
  EXPECT_THAT(text, Not(HasSubstr("rekey")));
}

TEST(Render, GroupShowsWhatItsSendersCameTo) {
  Json group = daemon::to_json(some_group());
  EXPECT_THAT(group_text(group), Not(HasSubstr("SENDER")));
  group["senders"] = Json::array(
      {daemon::to_json(daemon::SenderView{"b", *IpAddress::parse("10.9.0.2"), 5, 500, 1, 2, 3}),
       daemon::to_json(daemon::SenderView{"", *IpAddress::parse("10.9.0.3"), 0, 0, 0, 0, 0})});
  EXPECT_THAT(group_text(group),
              HasSubstr("SENDER  ADDRESS   PACKETS  OCTETS  REPLAYED  BEHIND  FORGED\n"
                        "b       10.9.0.2  5        500     1         2       3\n"
                        "-       10.9.0.3  0        0       0         0       0\n"));
}

TEST(Render, StatusShowsGroupsAndCounters) {
  daemon::Status status;
  status.version = "1.2.3";
  status.host = "a";
  status.crl_number = 4;
  status.clock_trusted = false;
  status.groups = {some_group()};
  status.counters = {{"udp.too-long", 12}};
  const auto text = status_text(daemon::to_json(status));
  EXPECT_THAT(text, HasSubstr("1.2.3"));
  EXPECT_THAT(text, HasSubstr("number 4,"));
  EXPECT_THAT(text, HasSubstr("clock is behind"));
  EXPECT_THAT(text, HasSubstr("demo  controller"));
  EXPECT_THAT(text, HasSubstr("udp.too-long  12\n"));
  EXPECT_THAT(text, Not(HasSubstr("hides keys")));
  status.kernel_hides_keys = true;
  EXPECT_THAT(status_text(daemon::to_json(status)), HasSubstr("kernel hides keys"));
}

TEST(Render, ReportsLookAsInTheLog) {
  EXPECT_EQ(report_text(daemon::to_json(
                protocol::Report{protocol::Report::Level::kWarning, "w", "g", "p", "d e"})),
            "warning w group=g peer=p detail=\"d e\"\n");
}

TEST(Render, JsonOfAnotherShapeIsNoCrash) {
  for (const auto& odd :
       {Json(), Json(7), Json::array({1, "x"}), Json{{"members", 7}, {"senders", 7}}}) {
    (void)group_text(odd);
    (void)status_text(odd);
    (void)report_text(odd);
  }
  EXPECT_THAT(group_list_text(Json::array({1, "x"})), HasSubstr("NAME"));
}

}  // namespace
}  // namespace gkmpd::ctl
