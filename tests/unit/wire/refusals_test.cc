// What every decoder of a body refuses.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "agent/wire/errors.h"
#include "agent/wire/messages.h"
#include "tests/unit/wire/raw_items.h"
#include "tests/vectors/wire_samples.h"

namespace gkmpd::wire {
namespace {

using samples::body_of;
using samples::MessageSample;
using samples::sample_of;

constexpr std::uint16_t kSignatureTag = 0xffff;

ErrorKind refusal_of(MessageType type, ByteView body) {
  const auto decoded = decode_body(type, body);
  EXPECT_FALSE(decoded) << to_hex(body);
  return decoded ? ErrorKind("accepted") : decoded.error().kind;
}

/// The error when the sample's item `tag` has another value.
ErrorKind refusal_with(const MessageSample& sample, std::uint16_t tag, const Bytes& value) {
  auto items = take_apart(encode_body(sample.message));
  const auto found = std::ranges::find(items, tag, &RawItem::tag);
  EXPECT_NE(found, items.end()) << sample.name << " has no item " << tag;
  if (found != items.end()) found->value = value;
  return refusal_of(sample.header.type, put_together(items));
}

/// Encrypted group keys of a download, the member list of a command, the cookie of a request to
/// join.
bool is_optional(MessageType type, std::uint16_t tag) {
  return (type == MessageType::kDownloadGrpKeys && tag == 0x8011) ||
         (type == MessageType::kCommand && tag == 0x8036) ||
         (type == MessageType::kRequestGroupJoin && tag == 0x8021);
}

TEST(Refused, EveryTruncationButThatOfAnOptionalItem) {
  for (const MessageSample& sample : samples::messages()) {
    const Bytes body = encode_body(sample.message);
    std::set<std::size_t> ends_of_items = {0};
    std::size_t end = 0;
    const auto items = take_apart(body);
    for (const RawItem& item : items) ends_of_items.insert(end += 4 + item.value.size());
    const std::size_t without_last = body.size() - 4 - items.back().value.size();
    for (std::size_t size = 0; size < body.size(); ++size) {
      if (size == without_last && is_optional(sample.header.type, items.back().tag)) continue;
      EXPECT_EQ(refusal_of(sample.header.type, ByteView(body).first(size)),
                ends_of_items.contains(size) ? kMissingItem : kTruncated)
          << sample.name << " cut to " << size;
    }
  }
}

TEST(Refused, OctetsBehindTheLastItem) {
  for (const MessageSample& sample : samples::messages()) {
    Bytes body = encode_body(sample.message);
    body.push_back(0);
    EXPECT_EQ(refusal_of(sample.header.type, body), kTruncated) << sample.name;
  }
}

TEST(Refused, AnyItemLeftOutButTheOptionalOnes) {
  for (const MessageSample& sample : samples::messages()) {
    const auto items = take_apart(encode_body(sample.message));
    for (std::size_t i = 0; i < items.size(); ++i) {
      auto fewer = items;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
      const auto decoded = decode_body(sample.header.type, put_together(fewer));
      if (is_optional(sample.header.type, items[i].tag)) {
        EXPECT_TRUE(decoded) << sample.name;
        continue;
      }
      ASSERT_FALSE(decoded) << sample.name << " without " << items[i].tag;
      EXPECT_EQ(decoded.error().kind, kMissingItem) << sample.name << " without " << items[i].tag;
    }
  }
}

TEST(Refused, AnyItemTwice) {
  for (const MessageSample& sample : samples::messages()) {
    const auto items = take_apart(encode_body(sample.message));
    for (std::size_t i = 0; i < items.size(); ++i) {
      auto more = items;
      more.insert(more.begin() + static_cast<std::ptrdiff_t>(i), items[i]);
      EXPECT_EQ(refusal_of(sample.header.type, put_together(more)), kRepeatedItem)
          << sample.name << " with two of " << items[i].tag;
    }
  }
}

TEST(Refused, ItemsOutOfOrder) {
  for (const MessageSample& sample : samples::messages()) {
    const auto items = take_apart(encode_body(sample.message));
    for (std::size_t i = 1; i < items.size(); ++i) {
      auto swapped = items;
      std::swap(swapped[i - 1], swapped[i]);
      const auto decoded = decode_body(sample.header.type, put_together(swapped));
      ASSERT_FALSE(decoded) << sample.name;
      // The one that came too early is noticed as one missing before it, or the late one as late.
      EXPECT_TRUE(decoded.error().kind == kItemOrder || decoded.error().kind == kMissingItem)
          << sample.name << ": " << decoded.error().text();
    }
  }
  auto items = take_apart(body_of("key-download-ack"));
  items.push_back({0x8001, {5}});
  EXPECT_EQ(refusal_of(MessageType::kKeyDownloadAck, put_together(items)), kItemOrder);
}

TEST(Refused, UnknownCriticalItemAnywhere) {
  for (const MessageSample& sample : samples::messages()) {
    auto items = take_apart(encode_body(sample.message));
    const bool is_signed = items.back().tag == kSignatureTag;
    items.insert(is_signed ? items.end() - 1 : items.end(), RawItem{0x8000 | 0x1234, {1, 2, 3}});
    EXPECT_EQ(refusal_of(sample.header.type, put_together(items)), kUnknownItem) << sample.name;
  }
  auto items = take_apart(body_of("refusal"));
  items.insert(items.begin(), RawItem{0x8000, {}});
  EXPECT_EQ(refusal_of(MessageType::kRefusal, put_together(items)), kUnknownItem);
}

TEST(Refused, UnknownItemsTwiceOrOutOfOrderEvenIfNotCritical) {
  auto items = take_apart(body_of("refusal"));
  items.push_back({0x1234, {}});
  items.push_back({0x1234, {}});
  EXPECT_EQ(refusal_of(MessageType::kRefusal, put_together(items)), kRepeatedItem);
  items.back().tag = 0x1233;
  EXPECT_EQ(refusal_of(MessageType::kRefusal, put_together(items)), kItemOrder);
  // The bit does not count in the order.
  items.back().tag = 0x8000 | 0x1234;
  EXPECT_EQ(refusal_of(MessageType::kRefusal, put_together(items)), kRepeatedItem);
}

TEST(Refused, KnownItemNotMarkedCritical) {
  for (const MessageSample& sample : samples::messages()) {
    const auto items = take_apart(encode_body(sample.message));
    for (std::size_t i = 0; i < items.size(); ++i) {
      auto unmarked = items;
      unmarked[i].tag &= 0x7fff;
      EXPECT_EQ(refusal_of(sample.header.type, put_together(unmarked)), kBadValue) << sample.name;
    }
  }
}

TEST(Refused, KnownItemOfAnotherMessage) {
  constexpr std::uint16_t kErrorNameTag = 0x8016;
  for (const MessageSample& sample : samples::messages()) {
    auto items = take_apart(encode_body(sample.message));
    const auto place = std::ranges::lower_bound(items, kErrorNameTag, {}, &RawItem::tag);
    if (place != items.end() && place->tag == kErrorNameTag) continue;
    items.insert(place, RawItem{kErrorNameTag, to_bytes(as_bytes("wire.truncated"))});
    EXPECT_EQ(refusal_of(sample.header.type, put_together(items)), kUnexpectedItem) << sample.name;
  }
}

TEST(Refused, BodiesOfOtherMessages) {
  // Create_*_2 lacks the request; a session's ids are not a group's.
  EXPECT_EQ(refusal_of(MessageType::kCreateGrpKeys1, body_of("create-grp-keys-2")), kMissingItem);
  EXPECT_EQ(refusal_of(MessageType::kCreateGrpKeys2, body_of("create-grp-keys-1")),
            kUnexpectedItem);
  EXPECT_EQ(refusal_of(MessageType::kNegotiateGrpKeys1, body_of("negotiate-session-keys-1")),
            kMissingItem);
  EXPECT_EQ(refusal_of(MessageType::kNegotiateSessionKeys1, body_of("negotiate-grp-keys-1")),
            kUnexpectedItem);
}

TEST(Refused, FixedItemsOfAnotherSize) {
  const std::set<std::uint16_t> of_any_size = {0x8009, 0x800b, 0x800c, 0x800d, 0x800e,
                                               0x800f, 0x8010, 0x8012, 0x8013, 0x8016,
                                               0x802e, 0x802f, 0x8036, 0xffff};
  std::set<std::uint16_t> seen;
  for (const MessageSample& sample : samples::messages()) {
    for (const RawItem& item : take_apart(encode_body(sample.message))) {
      if (of_any_size.contains(item.tag)) continue;
      seen.insert(item.tag);
      Bytes longer = item.value;
      longer.push_back(0);
      EXPECT_EQ(refusal_with(sample, item.tag, longer), kBadValue) << item.tag;
      Bytes shorter = item.value;
      shorter.pop_back();
      EXPECT_EQ(refusal_with(sample, item.tag, shorter), kBadValue) << item.tag;
      EXPECT_EQ(refusal_with(sample, item.tag, {}), kBadValue) << item.tag;
    }
  }
  EXPECT_EQ(seen.size(), 22U);
}

TEST(Refused, SharesHaveTheSizesOfTheSuites) {
  for (const MessageSample& sample : samples::messages()) {
    for (const RawItem& item : take_apart(encode_body(sample.message))) {
      if (item.tag < 0x8006 || item.tag > 0x8008) continue;
      for (const std::size_t size : {1U, 31U, 33U, 64U, 66U, 96U, 98U}) {
        EXPECT_EQ(refusal_with(sample, item.tag, Bytes(size, 4)), kBadValue) << size;
      }
      for (const std::size_t size : {32U, 65U, 97U}) {
        Bytes items;
        for (RawItem other : take_apart(encode_body(sample.message))) {
          if (other.tag == item.tag) other.value = Bytes(size, 4);
          append(items, put_together({other}));
        }
        EXPECT_TRUE(decode_body(sample.header.type, items)) << size;
      }
    }
  }
}

TEST(Refused, ValuesThatHaveNoMeaning) {
  const auto create = sample_of(MessageType::kCreateGrpKeys1);
  for (const Bytes& request : {Bytes{0}, Bytes{1}, Bytes{4}, Bytes{6}, Bytes{255}}) {
    EXPECT_EQ(refusal_with(create, 0x8001, request), kBadValue);
  }
  EXPECT_EQ(refusal_with(create, 0xffff, {}), kBadValue);
  EXPECT_EQ(refusal_with(create, 0xffff, Bytes(kMaxSignatureOctets + 1, 1)), kBadValue);

  const auto status = sample_of(MessageType::kStatusRequest);
  for (const Bytes& request : {Bytes{0}, Bytes{5}, Bytes{7}, Bytes{255}}) {
    EXPECT_EQ(refusal_with(status, 0x8001, request), kBadValue);
  }

  const auto heartbeat = sample_of(MessageType::kHeartbeat);
  EXPECT_EQ(refusal_with(heartbeat, 0x801d, {2}), kBadValue);
  EXPECT_EQ(refusal_with(heartbeat, 0x8019, from_hex("0000003afff44180").value()), kBadValue);
  EXPECT_EQ(refusal_with(heartbeat, 0x8019, Bytes(8, 0xff)), kBadValue);
  EXPECT_EQ(refusal_with(heartbeat, 0x801b, from_hex("050a0900012120").value()), kBadValue);
  EXPECT_EQ(refusal_with(heartbeat, 0x801b, from_hex("060a0900012120").value()), kBadValue);
}

TEST(Refused, PaddingOtherThanSoManyZeros) {
  constexpr std::uint16_t kPaddingTag = 0x8038;
  const auto request = sample_of(MessageType::kRepairRequest);
  for (std::size_t at = 0; at < kRepairPaddingOctets; ++at) {
    Bytes padding(kRepairPaddingOctets);
    padding[at] = static_cast<std::uint8_t>(1 << (at % 8));
    EXPECT_EQ(refusal_with(request, kPaddingTag, padding), kBadValue) << at;
  }
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, kRepairPaddingOctets - 1, kRepairPaddingOctets + 1}) {
    EXPECT_EQ(refusal_with(request, kPaddingTag, Bytes(size)), kBadValue) << size;
  }
}

TEST(Refused, RekeysWithLongerOrMissingParts) {
  const auto rekey = sample_of(MessageType::kRekeyMulticast);
  EXPECT_EQ(refusal_with(rekey, 0x800f, {}), kBadValue);
  EXPECT_EQ(refusal_with(rekey, 0x800f, Bytes(kMaxStatementOctets + 1)), kBadValue);
  EXPECT_EQ(refusal_with(rekey, 0x8010, {}), kBadValue);
  EXPECT_EQ(refusal_with(rekey, 0x8010, Bytes(kMaxSignatureOctets + 1)), kBadValue);
}

TEST(Refused, NamesThatAreNoErrorNames) {
  const auto refusal = sample_of(MessageType::kRefusal);
  for (const std::string& name : {std::string(), std::string("Upper"), std::string("a b"),
                                  std::string("a_b"), std::string("a\n"), std::string("a\0b", 3),
                                  std::string("\xc3\xa9"), std::string(65, 'a')}) {
    EXPECT_EQ(refusal_with(refusal, 0x8016, to_bytes(as_bytes(name))), kBadValue) << name;
  }
  EXPECT_TRUE(decode_body(MessageType::kRefusal, encode_body(Refusal{std::string(64, 'a')})));
}

TEST(Refused, ListsThatAreNotAscendingOrTooLong) {
  const auto negotiate = sample_of(MessageType::kNegotiateGrpKeys2);
  const std::string one = repeat("31", 32) + "0000000000000007";
  const std::string two = repeat("32", 32) + "0000000000000001";
  const auto crl = [&](const std::string& hex) {
    return refusal_with(negotiate, 0x800d, from_hex(hex).value());
  };
  EXPECT_EQ(crl(two + one), kBadValue);
  EXPECT_EQ(crl(one + one), kBadValue);
  EXPECT_EQ(crl(one + two.substr(2)), kBadValue);
  std::string nine;
  for (int i = 0; i < 9; ++i) nine += repeat("3" + std::to_string(i), 32) + repeat("00", 8);
  EXPECT_EQ(crl(nine), kBadValue);

  const auto sources = [&](const std::string& hex) {
    return refusal_with(negotiate, 0x800e, from_hex(hex).value());
  };
  EXPECT_EQ(sources("040a090002040a090001"), kBadValue);
  EXPECT_EQ(sources("040a090001040a090001"), kBadValue);
  EXPECT_EQ(sources("06fd090000000000000000000000000002040a090001"), kBadValue);
  EXPECT_EQ(sources("040a0900"), kBadValue);
  std::string nine_sources;
  for (int i = 0; i < 9; ++i) nine_sources += "040a09000" + std::to_string(i);
  EXPECT_EQ(sources(nine_sources), kBadValue);
}

TEST(Refused, CertificateLists) {
  const auto negotiate = sample_of(MessageType::kNegotiateGrpKeys2);
  const auto refused = [&](const Bytes& value) { return refusal_with(negotiate, 0x800c, value); };
  EXPECT_EQ(refused({}), kBadValue);
  EXPECT_EQ(refused({0, 0}), kBadValue);
  EXPECT_EQ(refused({0, 1}), kBadValue);
  EXPECT_EQ(refused({0, 1, 7, 0}), kBadValue);
  EXPECT_EQ(refused(from_hex(repeat("000107", kMaxCertificates + 1)).value()), kBadValue);
  Bytes large;
  append_u16(large, kMaxCertificateOctets + 1);
  large.resize(large.size() + kMaxCertificateOctets + 1);
  EXPECT_EQ(refused(large), kBadValue);
}

TEST(Refused, BodiesLongerThanAMessage) {
  auto items = take_apart(body_of("refusal"));
  items.push_back({0x1000, Bytes(0xffff, 0)});
  items.push_back({0x1001, {}});
  const std::size_t room = kMaxMessage - put_together(items).size();
  items.back().value.resize(room);
  EXPECT_TRUE(decode_body(MessageType::kRefusal, put_together(items)));
  items.back().value.resize(room + 1);
  EXPECT_EQ(refusal_of(MessageType::kRefusal, put_together(items)), kTooLong);
}

TEST(Refused, TypesThatAreNone) {
  EXPECT_EQ(refusal_of(static_cast<MessageType>(0), {}), kUnknownType);
}

}  // namespace
}  // namespace gkmpd::wire
