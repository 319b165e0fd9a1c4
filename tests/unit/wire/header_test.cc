#include "agent/wire/header.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "agent/wire/errors.h"
#include "tests/unit/wire/raw_items.h"
#include "tests/vectors/wire_samples.h"

namespace gkmpd::wire {
namespace {

// Places of the header's fields, as docs/PROTOCOL.md draws them.
constexpr std::size_t kAtVersion = 2;
constexpr std::size_t kAtSuite = 3;
constexpr std::size_t kAtType = 4;
constexpr std::size_t kAtRole = 5;
constexpr std::size_t kAtFlags = 6;
constexpr std::size_t kAtReserved = 7;
constexpr std::size_t kAtExchange = 8;
constexpr std::size_t kAtIndex = 36;
constexpr std::size_t kAtCount = 37;

Header some_header() {
  Header header;
  header.type = MessageType::kNegotiateGrpKeys1;
  header.role = SenderRole::kController;
  header.exchange = samples::filled<8>(0xe1);
  header.group = samples::filled<16>(0x60);
  header.message_number = 0x01020304;
  header.fragment_index = 2;
  header.fragment_count = 5;
  return header;
}

/// A datagram with a body of `size` octets.
Bytes datagram_of(const Header& header, std::size_t size = 32) {
  Bytes octets = to_bytes(encode_header(header));
  octets.resize(octets.size() + size, 0xbb);
  return octets;
}

ErrorKind refusal_of(ByteView octets) {
  const auto decoded = decode_datagram(octets);
  EXPECT_FALSE(decoded) << to_hex(octets);
  return decoded ? ErrorKind("accepted") : decoded.error().kind;
}

/// The error when octet `at` of a good datagram is `value` instead.
ErrorKind refusal_with(std::size_t at, std::uint8_t value) {
  Bytes octets = datagram_of(some_header());
  octets[at] = value;
  return refusal_of(octets);
}

TEST(Header, HasTheWrittenLayout) {
  EXPECT_EQ(to_hex(encode_header(some_header())),
            "474b"  // magic
            "01"    // version
            "01"    // suite
            "03"    // type
            "01"    // role
            "0000"  // flags, reserved
            "e1e1e1e1e1e1e1e1"
            "60606060606060606060606060606060"
            "01020304"  // message number
            "02"        // fragment index
            "05"        // fragment count
            "0000");    // reserved
}

TEST(Header, RoundTripsAndViewsTheCallersOctets) {
  const Bytes octets = datagram_of(some_header());
  const auto datagram = decode_datagram(octets);
  ASSERT_TRUE(datagram) << datagram.error().text();
  EXPECT_EQ(datagram->header, some_header());
  EXPECT_EQ(datagram->header_octets.data(), octets.data());
  EXPECT_EQ(datagram->header_octets.size(), kHeaderSize);
  EXPECT_EQ(datagram->body.data(), octets.data() + kHeaderSize);
  EXPECT_EQ(datagram->body.size(), 32U);
}

TEST(Header, EveryTruncationIsRefused) {
  const Bytes octets = datagram_of(some_header());
  for (std::size_t size = 0; size < kHeaderSize + kSealOverhead; ++size) {
    EXPECT_EQ(refusal_of(ByteView(octets).first(size)), kTruncated) << size;
  }
}

TEST(Header, SizeIsBounded) {
  EXPECT_TRUE(decode_datagram(datagram_of(some_header(), kMaxBody)));
  EXPECT_EQ(refusal_of(datagram_of(some_header(), kMaxBody + 1)), kTooLong);
}

TEST(Header, EachFieldIsChecked) {
  EXPECT_EQ(refusal_with(0, 0x48), kBadMagic);
  EXPECT_EQ(refusal_with(1, 0x4a), kBadMagic);
  EXPECT_EQ(refusal_with(kAtVersion, 0), kUnknownVersion);
  EXPECT_EQ(refusal_with(kAtVersion, 2), kUnknownVersion);
  EXPECT_EQ(refusal_with(kAtSuite, 0), kUnknownSuite);
  EXPECT_EQ(refusal_with(kAtSuite, 5), kUnknownSuite);
  EXPECT_EQ(refusal_with(kAtSuite, 128), kUnknownSuite);
  EXPECT_EQ(refusal_with(kAtRole, 0), kUnknownRole);
  EXPECT_EQ(refusal_with(kAtRole, 4), kUnknownRole);
  for (int bit = 0; bit < 8; ++bit) {
    const auto value = static_cast<std::uint8_t>(1 << bit);
    EXPECT_EQ(refusal_with(kAtFlags, value), kUnknownFlag);
    EXPECT_EQ(refusal_with(kAtReserved, value), kUnknownFlag);
    EXPECT_EQ(refusal_with(kHeaderSize - 2, value), kUnknownFlag);
    EXPECT_EQ(refusal_with(kHeaderSize - 1, value), kUnknownFlag);
  }
}

const std::set<unsigned> kKnown = {1,  2,  3,  4,  5,  6,  7,  8,  9, 10,
                                   11, 12, 15, 16, 17, 20, 23, 24, 25};

TEST(Header, OnlyTheTypesThatHaveABodyAreKnown) {
  for (unsigned type = 0; type < 256; ++type) {
    Bytes octets = datagram_of(some_header());
    octets[kAtType] = static_cast<std::uint8_t>(type);
    const auto decoded = decode_datagram(octets);
    const bool refused_as_unknown = !decoded && decoded.error().kind == kUnknownType;
    EXPECT_EQ(refused_as_unknown, !kKnown.contains(type)) << type;
  }
}

TEST(Header, RolesFitTypes) {
  // By role: controller, member, commander.
  const std::array<std::set<unsigned>, 3> may_send = {
      {{1, 3, 5, 6, 7, 8, 9, 11, 15, 16, 17, 23}, {2, 4, 6, 8, 10, 12, 16, 20}, {5, 7, 24, 25}}};
  for (const unsigned type : kKnown) {
    for (const unsigned role : {1U, 2U, 3U}) {
      Header header = some_header();
      header.type = static_cast<MessageType>(type);
      header.role = static_cast<SenderRole>(role);
      header.fragment_index = 0;
      header.fragment_count = 1;
      if (is_multicast(header.type)) header.exchange = {};
      const Bytes octets = datagram_of(header);
      if (may_send[role - 1].contains(type)) {
        EXPECT_TRUE(decode_datagram(octets)) << type << " from " << role;
      } else {
        EXPECT_EQ(refusal_of(octets), kWrongRole) << type << " from " << role;
      }
    }
  }
}

TEST(Header, WhatGoesToTheWholeGroupBelongsToNoExchange) {
  std::set<unsigned> multicast;
  for (const samples::MessageSample& sample : samples::messages()) {
    if (!is_multicast(sample.header.type)) continue;
    multicast.insert(static_cast<unsigned>(sample.header.type));
    Bytes octets = datagram_of(sample.header);
    EXPECT_TRUE(decode_datagram(octets)) << sample.name;
    octets[kAtExchange + 7] = 1;
    EXPECT_EQ(refusal_of(octets), kBadValue) << sample.name;
  }
  EXPECT_EQ(multicast, (std::set<unsigned>{11, 15, 20}));
}

TEST(Header, FragmentsAreCounted) {
  EXPECT_EQ(refusal_with(kAtCount, 0), kBadFragment);
  EXPECT_EQ(refusal_with(kAtCount, 2), kBadFragment);  // its index is 2
  EXPECT_EQ(refusal_with(kAtCount, kMaxFragments + 1), kBadFragment);
  EXPECT_EQ(refusal_with(kAtIndex, 5), kBadFragment);
  Bytes last = datagram_of(some_header());
  last[kAtIndex] = kMaxFragments - 1;
  last[kAtCount] = kMaxFragments;
  EXPECT_TRUE(decode_datagram(last));
}

TEST(Header, OnlySealedMessagesHaveFragments) {
  for (const samples::MessageSample& sample : samples::messages()) {
    Header header = sample.header;
    header.fragment_count = 2;
    if (is_sealed(header.type)) {
      EXPECT_TRUE(decode_datagram(datagram_of(header))) << sample.name;
    } else {
      EXPECT_EQ(refusal_of(datagram_of(header)), kBadFragment) << sample.name;
    }
    header.fragment_count = 1;
    EXPECT_TRUE(decode_datagram(datagram_of(header))) << sample.name;
  }
}

TEST(Header, AMessageInClearMayHaveAnyBodySize) {
  Header header = some_header();
  header.type = MessageType::kCreateGrpKeys1;
  header.fragment_index = 0;
  header.fragment_count = 1;
  EXPECT_TRUE(decode_datagram(datagram_of(header, 0)));
}

TEST(Header, TypesAreNamedAsInRfc2093) {
  EXPECT_EQ(to_text(MessageType::kCreateGrpKeys1), "Create_Grp_Keys_1");
  EXPECT_EQ(to_text(MessageType::kCreateSessionKek2), "Create_Session_KEK_2");
  EXPECT_EQ(to_text(MessageType::kNegotiateSessionKeys1), "Negotiate_Session_Keys_1");
  EXPECT_EQ(to_text(MessageType::kKeyDownloadAck), "Key_Download_Ack");
  EXPECT_EQ(to_text(MessageType::kRekeyMulticast), "Rekey_Multicast");
  EXPECT_EQ(to_text(MessageType::kRepairRequest), "Repair_Request");
}

TEST(Header, SealedAreAllButCreationsAndWhatGoesToTheWholeGroup) {
  for (const unsigned type : {3U, 4U, 7U, 8U, 9U, 10U, 16U, 23U, 24U, 25U}) {
    EXPECT_TRUE(is_sealed(static_cast<MessageType>(type))) << type;
  }
  for (const unsigned type : {1U, 2U, 5U, 6U, 11U, 15U, 20U}) {
    EXPECT_FALSE(is_sealed(static_cast<MessageType>(type))) << type;
  }
}

}  // namespace
}  // namespace gkmpd::wire
