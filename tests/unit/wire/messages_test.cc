// Bodies of messages: layout by hand, round trips, signed parts.
#include "agent/wire/messages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "agent/wire/errors.h"
#include "tests/unit/wire/raw_items.h"
#include "tests/vectors/wire_samples.h"

namespace gkmpd::wire {
namespace {

using samples::body_of;
using samples::filled;
using samples::MessageSample;
using samples::sample_of;

constexpr std::uint16_t kSignatureTag = 0xffff;

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

TEST(MessageLayout, CommandStatusRequestAndReport) {
  EXPECT_EQ(to_hex(body_of("command")),
            "802e000b" + repeat("91", 11) + "8036000d" + repeat("92", 13));
  EXPECT_EQ(to_hex(body_of("command-without-list")), "802e000b" + repeat("93", 11));
  EXPECT_EQ(to_hex(body_of("status-request")),
            "8001000106"
            "803700020102");
  EXPECT_EQ(to_hex(body_of("report")), "802f0075" + to_hex(encode(samples::group_report())));
}

TEST(MessageLayout, RekeyAndRepair) {
  EXPECT_EQ(to_hex(body_of("rekey-multicast")),
            "800f01a9" + to_hex(encode(samples::rekey_statement())) + "80100048" +
                repeat("41", 72) + "80110050" + repeat("42", 80));
  EXPECT_EQ(to_hex(body_of("repair-request")),
            "80140010" + repeat("64", 16) + "80380345" + repeat("00", 837));
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
                                "Negotiate_Session_Keys_1", "Heartbeat", "Request_Group_Join"}));
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
  const auto with_list = [](std::size_t size) { return Command{{0x03}, Bytes(size, 0x04)}; };
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
      check(MessageType::kCommand, with_list(size), size >= 1);
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

  const RekeyMulticast rekey{Bytes(kMaxStatementOctets, 4), Bytes(kMaxSignatureOctets, 5),
                             Bytes(kEncryptedGrpKeysOctets, 6)};
  EXPECT_EQ(decode_body(MessageType::kRekeyMulticast, encode_body(rekey)).value(), Message(rekey));
  EXPECT_LE(encode_body(rekey).size(), kMaxBody) << "it has no fragments";

  const Command command{Bytes(kMaxCommandOctets, 9), Bytes(kMaxMemberListOctets, 10)};
  EXPECT_EQ(decode_body(MessageType::kCommand, encode_body(command)).value(), Message(command));
  const Report report{Bytes(kMaxReportOctets, 11)};
  EXPECT_EQ(decode_body(MessageType::kReport, encode_body(report)).value(), Message(report));
}

TEST(Messages, CreationsFitOneDatagramWithTheLargestKeyAndSignature) {
  CreateGrpKeys1 create = std::get<CreateGrpKeys1>(sample_of(MessageType::kCreateGrpKeys1).message);
  create.public_key = Bytes(kMaxPublicKeyOctets, 1);
  create.signature = Bytes(kMaxSignatureOctets, 1);
  EXPECT_LE(encode_body(create).size(), kMaxBody);
}

/// Who asks in another's name makes the group send no more than he sent himself (profile S23).
TEST(Messages, ARepairRequestIsAsLargeAsTheLargestRekey) {
  constexpr std::size_t kLongestP384Signature = 104;
  const RekeyMulticast rekey{Bytes(kMaxStatementOctets, 4), Bytes(kLongestP384Signature, 5),
                             Bytes(kEncryptedGrpKeysOctets, 6)};
  EXPECT_EQ(encode_body(RepairRequest{}).size(), encode_body(rekey).size());
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
