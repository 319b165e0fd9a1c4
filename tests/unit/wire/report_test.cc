// The report that a commander gets: layout by hand, what is refused, and what an encoder leaves
// out.
#include "agent/wire/report.h"

#include <gtest/gtest.h>

#include "agent/wire/errors.h"
#include "tests/unit/wire/raw_items.h"
#include "tests/vectors/wire_samples.h"

namespace gkmpd::wire {
namespace {

using samples::group_report;

ErrorKind refusal_of(ByteView octets) {
  const auto decoded = decode_group_report(octets);
  EXPECT_FALSE(decoded) << to_hex(octets);
  return decoded ? ErrorKind("accepted") : decoded.error().kind;
}

std::string text_hex(std::string_view text) {
  return to_hex(Bytes{static_cast<std::uint8_t>(text.size())}) + to_hex(as_bytes(text));
}

TEST(GroupReport, HasTheWrittenLayout) {
  EXPECT_EQ(to_hex(encode(group_report())),
            "0102"                          // version, pending
            "00"                            // no reason
            "01"                            // an epoch
            "00000003000000010000000005" +  // its tuple
                repeat("51", 16) +          //
                "000000006b49e13c"          // not after
                "0001" +                    // not installed, sending
                text_hex("xfrm.refused") +  //
                "01" +                      // a rekey is ordered
                text_hex("keys.odd") +      // and has failed once
                "0004"
                "0001"
                "0001"
                "0001" +  // listed, keyed, failed, first
                text_hex("b") +
                "0500" + text_hex("c.example") + "06" + text_hex("protocol.timeout: no answer"));
}

TEST(GroupReport, RoundTripsWithAndWithoutAnEpoch) {
  GroupReport report = group_report();
  EXPECT_EQ(decode_group_report(encode(report)).value(), report);
  report.epoch.reset();
  report.state = ReportedGroup::kFailed;
  report.why = "protocol.no-member-answered";
  EXPECT_EQ(decode_group_report(encode(report)).value(), report);
}

TEST(GroupReport, EveryTruncationButThatOfWholeMembersIsRefused) {
  const Bytes octets = encode(group_report());
  const std::size_t last = 1 + 9 + 1 + 1 + 27;
  const std::size_t both = last + 1 + 1 + 1 + 1;
  for (std::size_t size = 0; size < octets.size(); ++size) {
    const auto decoded = decode_group_report(ByteView(octets).first(size));
    const bool whole = size == octets.size() - last || size == octets.size() - both;
    EXPECT_EQ(decoded.has_value(), whole) << size;
  }
}

TEST(GroupReport, WhatIsAcceptedHasOneEncoding) {
  const Bytes octets = encode(group_report());
  for (std::size_t at = 0; at < octets.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes changed = octets;
      changed[at] ^= static_cast<std::uint8_t>(1 << bit);
      const auto decoded = decode_group_report(changed);
      if (decoded) {
        ASSERT_EQ(encode(*decoded), changed) << "octet " << at;
      }
    }
  }
}

TEST(GroupReport, ValuesThatHaveNoMeaningAreRefused) {
  const auto with = [](auto change) {
    GroupReport report = group_report();
    change(report);
    return refusal_of(encode(report));
  };
  EXPECT_EQ(with([](GroupReport& r) { r.state = static_cast<ReportedGroup>(6); }), kBadValue);
  EXPECT_EQ(with([](GroupReport& r) { r.state = static_cast<ReportedGroup>(0); }), kBadValue);
  EXPECT_EQ(with([](GroupReport& r) { r.members[0].state = static_cast<ReportedMember>(7); }),
            kBadValue);
  EXPECT_EQ(with([](GroupReport& r) { r.members[0].name.clear(); }), kBadValue);
  EXPECT_EQ(with([](GroupReport& r) { r.keyed = 4; }), kBadValue);
  EXPECT_EQ(with([](GroupReport& r) { r.first = 3; }), kBadValue);
  Bytes octets = encode(group_report());
  octets[0] = 2;
  EXPECT_EQ(refusal_of(octets), kUnknownVersion);
  octets[0] = 1;
  octets[2] = 1;  // a reason of one octet, which is the epoch's 01
  EXPECT_EQ(refusal_of(octets), kBadValue);
}

TEST(GroupReport, ReasonsAreBroughtIntoForm) {
  GroupReport report = group_report();
  report.install_error = "a\n\x1b[2Jb" + std::string(300, 'x');
  const auto decoded = decode_group_report(encode(report));
  ASSERT_TRUE(decoded) << decoded.error().text();
  EXPECT_EQ(decoded->install_error, "a??[2Jb" + std::string(kMaxReasonOctets - 7, 'x'));
}

TEST(GroupReport, TakesAsManyMembersAsFit) {
  GroupReport report = group_report();
  report.listed = 4096;
  report.members.assign(4000, {std::string(kMaxNameOctets, 'n'), ReportedMember::kFailed,
                               std::string(kMaxReasonOctets, 'w')});
  const Bytes octets = encode(report);
  EXPECT_LE(octets.size(), kMaxReportOctets);
  EXPECT_GT(octets.size(), kMaxReportOctets - 400);
  const auto decoded = decode_group_report(octets);
  ASSERT_TRUE(decoded) << decoded.error().text();
  EXPECT_GT(decoded->members.size(), 40U);
}

}  // namespace
}  // namespace gkmpd::wire
