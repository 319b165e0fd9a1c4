#include "agent/daemon/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gkmpd::daemon {
namespace {

using protocol::Report;
using testing::Contains;
using testing::ElementsAre;
using testing::Not;
using testing::StartsWith;

TEST(Log, LineHasLevelWhatAndFields) {
  EXPECT_EQ(log_line({Report::Level::kInfo, "member-keyed", "demo", "b", "2 of 3"}),
            "info member-keyed group=demo peer=b detail=\"2 of 3\"");
  EXPECT_EQ(log_line({Report::Level::kError, "started", "", "", ""}), "error started");
}

TEST(Log, NobodyCanForgeALineOrSteerATerminal) {
  const std::string line = log_line(
      {Report::Level::kWarning, "refused", "a b", "x\" peer=y", "one\ninfo started\x1b[2J\x9b\\"});
  EXPECT_EQ(line,
            "warning refused group=\"a b\" peer=\"x\\\" peer=y\" "
            "detail=\"one\\ninfo started\\x1b[2J\\x9b\\\\\"");
  for (const char c : line) EXPECT_TRUE(c >= ' ' && c <= '~');
}

TEST(Log, ValuesWithAnEqualSignAreQuoted) {
  EXPECT_EQ(log_line({Report::Level::kDebug, "w", "a=b", "", ""}), "debug w group=\"a=b\"");
}

TEST(Log, JournalFieldsAreOurOwn) {
  EXPECT_THAT(journal_fields({Report::Level::kWarning, "refused", "demo", "b", "no\nway"}),
              ElementsAre("MESSAGE=refused group=demo peer=b: no\\nway", "PRIORITY=4",
                          "SYSLOG_IDENTIFIER=gkmpd", "GKMPD_WHAT=refused", "GKMPD_GROUP=demo",
                          "GKMPD_PEER=b", "GKMPD_DETAIL=no\\nway"));
  const auto few = journal_fields({Report::Level::kError, "x", "", "", ""});
  EXPECT_THAT(few, Contains("PRIORITY=3"));
  EXPECT_THAT(few, Not(Contains(StartsWith("GKMPD_GROUP"))));
}

TEST(Log, RecordsBelowTheLevelAreDropped) {
  const Log log(LogLevel::kWarning, Log::Sink::kStderr);
  testing::internal::CaptureStderr();
  log.write({Report::Level::kInfo, "quiet", "", "", ""});
  log.write({Report::Level::kWarning, "loud", "", "", ""});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "warning loud\n");
}

}  // namespace
}  // namespace gkmpd::daemon
