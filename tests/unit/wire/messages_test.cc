// Bodies of messages: layout by hand, and what every decoder refuses.
#include "agent/wire/messages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "agent/wire/errors.h"
#include "tests/unit/wire/raw_items.h"
#include "tests/vectors/wire_samples.h"

namespace gkmpd::wire {
namespace {

using samples::filled;
using samples::MessageSample;

constexpr std::uint16_t kSignatureTag = 0xffff;

Bytes body_of(std::string_view name) {
  for (const MessageSample& sample : samples::messages()) {
    if (sample.name == name) return encode_body(sample.message);
  }
  ADD_FAILURE() << "no sample " << name;
  return {};
}

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

MessageSample sample_of(MessageType type) {
  const auto all = samples::messages();
  return *std::ranges::find(all, type, [](const auto& sample) { return sample.header.type; });
}

// --- Layout ------------------------------------------------------------------------------------

std::string group_creation_items() {
  return "80020010" + repeat("11", 16) + "80030010" + repeat("12", 16) + "80050020" +
         repeat("13", 32) + "80060020" + repeat("14", 32) + "80070020" + repeat("15", 32) +
         "8009005b" + repeat("16", 91) + "800a0020" + repeat("17", 32) + "ffff0047" +
         repeat("18", 71);
}

std::string session_creation_items() {
  return "80040010" + repeat("21", 16) + "80050020" + repeat("22", 32) + "80080020" +
         repeat("23", 32) + "8009002c" + repeat("24", 44) + "800a0020" + repeat("25", 32) +
         "ffff0040" + repeat("26", 64);
}

std::string crl_items() {
  return "800d0050" + repeat("31", 32) + "0000000000000007" + repeat("32", 32) + "0000000000000001";
}

std::string negotiate_1_items() {
  return "800b0009" + repeat("35", 9) + "800c000c" + "0005" + repeat("33", 5) + "0003" +
         repeat("34", 3) + crl_items() + "ffff0046" + repeat("36", 70);
}

const std::string kGroupIds = "80020010" + repeat("11", 16) + "80030010" + repeat("12", 16);
const std::string kSessionId = "80040010" + repeat("21", 16);

TEST(MessageLayout, Creations) {
  EXPECT_EQ(to_hex(body_of("create-grp-keys-1")), "8001000105" + group_creation_items());
  EXPECT_EQ(to_hex(body_of("create-grp-keys-2")), group_creation_items());
  EXPECT_EQ(to_hex(body_of("create-session-kek-1")), "8001000105" + session_creation_items());
  EXPECT_EQ(to_hex(body_of("create-session-kek-2")), session_creation_items());
}

TEST(MessageLayout, Negotiations) {
  EXPECT_EQ(to_hex(body_of("negotiate-grp-keys-1")), kGroupIds + negotiate_1_items());
  EXPECT_EQ(to_hex(body_of("negotiate-session-keys-1")), kSessionId + negotiate_1_items());
  EXPECT_EQ(to_hex(body_of("negotiate-grp-keys-2")), kGroupIds + "800c00080006" + repeat("37", 6) +
                                                         "800d0000" + "800e0016" + "040a090002" +
                                                         "06fd090000000000000000000000000002");
  EXPECT_EQ(to_hex(body_of("negotiate-session-keys-2")),
            kSessionId + "800c00080006" + repeat("37", 6) + "800d0000" + "800e0000");
}

TEST(MessageLayout, DownloadAckAndRefusal) {
  const std::string statement =
      "800f01a9" + to_hex(encode(samples::statement())) + "80100048" + repeat("41", 72);
  const std::string tables =
      "8012"
      "006b" +
      to_hex(encode(samples::sender_table())) +
      "8013"
      "0042" +
      to_hex(encode(samples::exclusion_set()));
  EXPECT_EQ(to_hex(body_of("download-grp-keys")),
            statement + "80110050" + repeat("42", 80) + tables);
  EXPECT_EQ(to_hex(body_of("download-grp-keys-first-member")), statement + tables);
  EXPECT_EQ(to_hex(body_of("key-download-ack")),
            "80140010" + repeat("51", 16) + "80150020" + repeat("43", 32));
  EXPECT_EQ(to_hex(body_of("refusal")), "80160016" + to_hex(as_bytes("identity.level-too-low")));
}

TEST(MessageLayout, Heartbeat) {
  EXPECT_EQ(to_hex(body_of("heartbeat")),
            "800a0020" + repeat("52", 32) + crl_items() + "80140010" + repeat("51", 16) +
                "8017000d" + "00000003" + "00000001" + "00" + "00000005" +  // tuple
                "80180008" + "000000000000000c" +                           // number
                "80190008" + "000000006b49d200" +                           // time
                "801a0020" + repeat("53", 32) +                             // exclusion hash
                "801b0007" + "040a090001" + "2120" +                        // 10.9.0.1:8480
                "801c0013" + "06ff050000000000000000000000001111" + "2120" + "801d0001" + "01" +
                "ffff0046" + repeat("54", 70));
}

// --- Round trips and signed parts --------------------------------------------------------------

TEST(Messages, RoundTrip) {
  for (const MessageSample& sample : samples::messages()) {
    const auto decoded = decode_body(sample.header.type, encode_body(sample.message));
    ASSERT_TRUE(decoded) << sample.name << ": " << decoded.error().text();
    EXPECT_EQ(*decoded, sample.message) << sample.name;
  }
}

TEST(Messages, UnsignedPartIsAllBeforeTheSignature) {
  std::set<std::string_view> with_signature;
  for (const MessageSample& sample : samples::messages()) {
    const Bytes body = encode_body(sample.message);
    const auto items = take_apart(body);
    const bool is_signed = items.back().tag == kSignatureTag;
    if (is_signed) with_signature.insert(to_text(sample.header.type));
    const std::size_t size = body.size() - (is_signed ? 4 + items.back().value.size() : 0);
    EXPECT_EQ(unsigned_size(body), size) << sample.name;
    EXPECT_EQ(encode_unsigned(sample.message), to_bytes(ByteView(body).first(size))) << sample.name;
  }
  EXPECT_EQ(with_signature, (std::set<std::string_view>{
                                "Create_Grp_Keys_1", "Create_Grp_Keys_2", "Create_Session_KEK_1",
                                "Create_Session_KEK_2", "Negotiate_Grp_Keys_1",
                                "Negotiate_Session_Keys_1", "Heartbeat"}));
}

TEST(Messages, VariableItemsTakeEveryLengthToTheirLimit) {
  const auto with_key = [](std::size_t size) {
    CreateSessionKek2 m =
        std::get<CreateSessionKek2>(sample_of(MessageType::kCreateSessionKek2).message);
    m.public_key = Bytes(size, 0x01);
    return m;
  };
  const auto with_token = [](std::size_t size) {
    Negotiate1 m = std::get<Negotiate1>(sample_of(MessageType::kNegotiateSessionKeys1).message);
    m.token = Bytes(size, 0x02);
    return m;
  };
  const auto check = [](MessageType type, const Message& message, bool good) {
    const auto decoded = decode_body(type, encode_body(message));
    ASSERT_EQ(decoded.has_value(), good);
    if (good) {
      EXPECT_EQ(*decoded, message);
    } else {
      EXPECT_EQ(decoded.error().kind, kBadValue);
    }
  };
  for (std::size_t power = 1; power <= kMaxTokenOctets; power *= 2) {
    for (const std::size_t size : {power - 1, power, power + 1}) {
      check(MessageType::kNegotiateSessionKeys1, with_token(size),
            size >= 1 && size <= kMaxTokenOctets);
      if (size <= 2 * kMaxPublicKeyOctets) {
        check(MessageType::kCreateSessionKek2, with_key(size),
              size >= 1 && size <= kMaxPublicKeyOctets);
      }
    }
  }
}

TEST(Messages, TheLargestOfEachFitsAMessage) {
  Negotiate1 negotiate = std::get<Negotiate1>(sample_of(MessageType::kNegotiateGrpKeys1).message);
  negotiate.token = Bytes(kMaxTokenOctets, 1);
  negotiate.certificates.assign(kMaxCertificates, Bytes(kMaxCertificateOctets, 2));
  negotiate.crl_numbers.clear();
  for (std::size_t i = 0; i < kMaxCrlNumbers; ++i) {
    negotiate.crl_numbers.push_back({filled<32>(static_cast<std::uint8_t>(i)), i});
  }
  negotiate.signature = Bytes(kMaxSignatureOctets, 3);
  EXPECT_EQ(decode_body(MessageType::kNegotiateGrpKeys1, encode_body(negotiate)).value(),
            Message(negotiate));

  DownloadGrpKeys download;
  download.statement = Bytes(kMaxStatementOctets, 4);
  download.statement_signature = Bytes(kMaxSignatureOctets, 5);
  download.encrypted_grp_keys = Bytes(kEncryptedGrpKeysOctets, 6);
  download.sender_table = Bytes(kMaxSenderTableOctets, 7);
  download.exclusion_set = Bytes(kMaxExclusionSetOctets, 8);
  EXPECT_EQ(decode_body(MessageType::kDownloadGrpKeys, encode_body(download)).value(),
            Message(download));
}

TEST(Messages, CreationsFitOneDatagramWithTheLargestKeyAndSignature) {
  CreateGrpKeys1 create = std::get<CreateGrpKeys1>(sample_of(MessageType::kCreateGrpKeys1).message);
  create.public_key = Bytes(kMaxPublicKeyOctets, 1);
  create.signature = Bytes(kMaxSignatureOctets, 1);
  EXPECT_LE(encode_body(create).size(), kMaxBody);
}

// --- What is refused ---------------------------------------------------------------------------

TEST(Refused, EveryTruncation) {
  for (const MessageSample& sample : samples::messages()) {
    const Bytes body = encode_body(sample.message);
    std::set<std::size_t> ends_of_items = {0};
    std::size_t end = 0;
    for (const RawItem& item : take_apart(body)) {
      ends_of_items.insert(end += 4 + item.value.size());
    }
    for (std::size_t size = 0; size < body.size(); ++size) {
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

TEST(Refused, AnyItemLeftOutButTheOptionalOne) {
  constexpr std::uint16_t kEncryptedGrpKeysTag = 0x8011;
  for (const MessageSample& sample : samples::messages()) {
    const auto items = take_apart(encode_body(sample.message));
    for (std::size_t i = 0; i < items.size(); ++i) {
      auto fewer = items;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
      const auto decoded = decode_body(sample.header.type, put_together(fewer));
      if (items[i].tag == kEncryptedGrpKeysTag) {
        EXPECT_TRUE(decoded);
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

TEST(Messages, UnknownItemThatIsNotCriticalIsSkippedAndStaysSigned) {
  for (const MessageSample& sample : samples::messages()) {
    auto items = take_apart(encode_body(sample.message));
    const bool is_signed = items.back().tag == kSignatureTag;
    items.insert(is_signed ? items.end() - 1 : items.end(), RawItem{0x1234, {1, 2, 3}});
    items.insert(items.begin(), RawItem{0, {}});
    const Bytes body = put_together(items);
    const auto decoded = decode_body(sample.header.type, body);
    ASSERT_TRUE(decoded) << sample.name << ": " << decoded.error().text();
    EXPECT_EQ(*decoded, sample.message) << sample.name;
    EXPECT_EQ(unsigned_size(body), encode_unsigned(sample.message).size() + 4 + 4 + 3)
        << sample.name;
  }
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
  const std::set<std::uint16_t> of_any_size = {0x8009, 0x800b, 0x800c, 0x800d, 0x800e, 0x800f,
                                               0x8010, 0x8012, 0x8013, 0x8016, 0xffff};
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
  EXPECT_EQ(seen.size(), 19U);
}

TEST(Refused, ValuesThatHaveNoMeaning) {
  const auto create = sample_of(MessageType::kCreateGrpKeys1);
  for (const Bytes& request : {Bytes{0}, Bytes{1}, Bytes{4}, Bytes{6}, Bytes{255}}) {
    EXPECT_EQ(refusal_with(create, 0x8001, request), kBadValue);
  }
  EXPECT_EQ(refusal_with(create, 0xffff, {}), kBadValue);
  EXPECT_EQ(refusal_with(create, 0xffff, Bytes(kMaxSignatureOctets + 1, 1)), kBadValue);

  const auto heartbeat = sample_of(MessageType::kHeartbeat);
  EXPECT_EQ(refusal_with(heartbeat, 0x801d, {2}), kBadValue);
  EXPECT_EQ(refusal_with(heartbeat, 0x8019, from_hex("0000003afff44180").value()), kBadValue);
  EXPECT_EQ(refusal_with(heartbeat, 0x8019, Bytes(8, 0xff)), kBadValue);
  EXPECT_EQ(refusal_with(heartbeat, 0x801b, from_hex("050a0900012120").value()), kBadValue);
  EXPECT_EQ(refusal_with(heartbeat, 0x801b, from_hex("060a0900012120").value()), kBadValue);
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

TEST(Messages, WhatIsAcceptedHasOneEncoding) {
  for (const MessageSample& sample : samples::messages()) {
    const Bytes body = encode_body(sample.message);
    for (std::size_t at = 0; at < body.size(); ++at) {
      for (int bit = 0; bit < 8; ++bit) {
        Bytes changed = body;
        changed[at] ^= static_cast<std::uint8_t>(1 << bit);
        const auto decoded = decode_body(sample.header.type, changed);
        if (decoded) {
          ASSERT_EQ(encode_body(*decoded), changed) << sample.name << " octet " << at;
        }
      }
    }
  }
}

}  // namespace
}  // namespace gkmpd::wire
