#include "agent/daemon/control_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "agent/daemon/errors.h"
#include "agent/identity/command.h"

namespace gkmpd::daemon {
namespace {

void expect_refused(const std::string& line, ErrorKind kind = kBadRequest) {
  const auto request = decode_request(line);
  ASSERT_FALSE(request) << line;
  EXPECT_EQ(request.error().name(), kind.name()) << line;
}

TEST(ControlProtocol, EveryRequestComesBack) {
  const Request requests[] = {
      CreateGroupRequest{{0, 1, 255}, "kind = \"x\"\n[[member]]\n"},
      CreateGroupRequest{},
      OrderRequest{{0, 1, 255}, {7}},
      OrderRequest{},
      JoinGroupRequest{"demo", {*IpAddress::parse("10.9.0.1"), 0}},
      JoinGroupRequest{"demo", {*IpAddress::parse("fd09::1"), 8480}},
      ListGroupsRequest{},
      ShowGroupRequest{"demo"},
      StatusRequest{},
      ListSasRequest{},
      ListSasRequest{"demo"},
      WatchRequest{},
      WatchRequest{"demo"},
  };
  for (const auto& request : requests) {
    std::string line = encode_request(request);
    ASSERT_EQ(line.back(), '\n');
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
    line.pop_back();
    const auto again = decode_request(line);
    ASSERT_TRUE(again) << line << again.error().text();
    EXPECT_EQ(*again, request);
  }
}

TEST(ControlProtocol, ALineIsAFlatObjectOfTexts) {
  for (const std::string line :
       {"", " ", "{", "[]", "7", "null", "\"status\"", "{\"request\":\"status\"} {}",
        "{\"request\":[\"status\"]}", "{\"request\":{\"a\":\"b\"}}", "{\"request\":7}",
        "{\"request\":null}", "{\"group\":\"demo\"}", "{\"request\":\"status\",}",
        "{\"request\":\"\xff\"}"}) {
    expect_refused(line);
  }
}

TEST(ControlProtocol, KeysThatDoNotBelongAreRefused) {
  expect_refused(R"({"request":"status","group":"demo"})");
  expect_refused(R"({"request":"status","request":"status"})");
  expect_refused(R"({"request":"group-show"})");
  expect_refused(R"({"request":"group-show","group":"De mo"})");
  expect_refused(R"({"request":"group-show","group":""})");
  expect_refused(R"({"request":"watch","group":""})");
  expect_refused(R"({"request":"sa-list","group":"De mo"})");
  expect_refused(R"({"request":"sa-list","name":"demo"})");
  expect_refused(R"({"request":"group-create","token":"AAAA"})");
  expect_refused(R"({"request":"group-create","members":""})");
  expect_refused(R"({"request":"group-create","token":"A","members":""})");
  expect_refused(R"({"request":"group-order","token":"AAAA"})");
  expect_refused(R"({"request":"group-order","command":"AAAA"})");
  expect_refused(R"({"request":"group-order","token":"AAAA","command":"A"})");
  expect_refused(R"({"request":"group-order","token":"AAAA","command":"AAAA","members":""})");
  expect_refused(R"({"request":"stop"})", kUnknownRequest);
}

TEST(ControlProtocol, LargestTokenAndListFitALine) {
  const Request largest = CreateGroupRequest{Bytes(identity::kMaxTokenSize, 0xff),
                                             std::string(kMaxMemberListSize, '\n')};
  std::string line = encode_request(largest);
  ASSERT_LE(line.size() - 1, kMaxLine);
  line.pop_back();
  EXPECT_TRUE(decode_request(line) == largest);
}

TEST(ControlProtocol, WhatIsTooLargeIsRefused) {
  std::string line = encode_request(CreateGroupRequest{Bytes(identity::kMaxTokenSize + 1, 0), ""});
  line.pop_back();
  expect_refused(line);
  line = encode_request(OrderRequest{{}, Bytes(identity::kMaxCommandSize + 1, 0)});
  line.pop_back();
  expect_refused(line);
  line = encode_request(CreateGroupRequest{{}, std::string(kMaxMemberListSize + 1, 'a')});
  line.pop_back();
  expect_refused(line);
}

TEST(ControlProtocol, AJoinNamesAGroupAndAnAddress) {
  const std::string begin = R"({"request":"group-join","group":"demo","controller":)";
  ASSERT_TRUE(decode_request(begin + R"("10.9.0.1"})"));
  for (const char* rest :
       {R"("b.example"})", R"("10.9.0.1:8480"})", R"(""})", R"("10.9.0.1","port":"0"})",
        R"("10.9.0.1","port":"65536"})", R"("10.9.0.1","port":"84x"})", R"("10.9.0.1","port":""})",
        R"("10.9.0.1","wait":"1"})"}) {
    expect_refused(begin + rest);
  }
  expect_refused(R"({"request":"group-join","group":"demo"})");
  expect_refused(R"({"request":"group-join","controller":"10.9.0.1"})");
  expect_refused(R"({"request":"group-join","group":"a b","controller":"10.9.0.1"})");
}

TEST(ControlProtocol, RepliesSayWhetherAndWhy) {
  EXPECT_EQ(encode_reply("group", Json{{"name", "demo"}}),
            "{\"ok\":true,\"group\":{\"name\":\"demo\"}}\n");
  EXPECT_EQ(encode_refusal({kNoSuchGroup, "demo"}),
            "{\"ok\":false,\"error\":\"control.no-such-group\",\"detail\":\"demo\"}\n");
  EXPECT_EQ(encode_notice("group", 7), "{\"group\":7}\n");
}

TEST(ControlProtocol, OctetsThatAreNoTextDoNotCostTheReply) {
  EXPECT_EQ(encode_refusal({kNoSuchGroup, "\xff"}),
            "{\"ok\":false,\"error\":\"control.no-such-group\",\"detail\":\"\xef\xbf\xbd\"}\n");
}

TEST(LineBuffer, GivesLinesHoweverTheyCome) {
  LineBuffer buffer;
  buffer.add("on");
  EXPECT_EQ(buffer.next(), std::nullopt);
  buffer.add("e\ntwo\nthr");
  EXPECT_EQ(buffer.next(), "one");
  EXPECT_EQ(buffer.next(), "two");
  EXPECT_EQ(buffer.next(), std::nullopt);
  buffer.add("ee\n\n");
  EXPECT_EQ(buffer.next(), "three");
  EXPECT_EQ(buffer.next(), "");
  EXPECT_TRUE(buffer.empty());
  EXPECT_FALSE(buffer.overlong());
}

TEST(LineBuffer, AnswersMayBeLonger) {
  LineBuffer buffer(kMaxAnswer);
  buffer.add(std::string(kMaxAnswer, 'a') + "\n");
  EXPECT_FALSE(buffer.overlong());
  EXPECT_EQ(buffer.next()->size(), kMaxAnswer);
  buffer.add(std::string(kMaxAnswer + 1, 'a'));
  EXPECT_TRUE(buffer.overlong());
}

TEST(LineBuffer, ALineHasItsMaximum) {
  LineBuffer buffer;
  buffer.add(std::string(kMaxLine, 'a'));
  EXPECT_FALSE(buffer.overlong());
  buffer.add("\n");
  EXPECT_FALSE(buffer.overlong());
  EXPECT_EQ(buffer.next()->size(), kMaxLine);

  buffer.add(std::string(kMaxLine + 1, 'a'));
  EXPECT_TRUE(buffer.overlong());
  buffer.add("\n");
  EXPECT_TRUE(buffer.overlong());
  EXPECT_EQ(buffer.next(), std::nullopt);
}

}  // namespace
}  // namespace gkmpd::daemon
