#include "tests/vectors/wire_samples.h"

#include <algorithm>

namespace gkmpd::wire::samples {
namespace {

constexpr std::uint64_t kSomeTime = 1'800'000'000;

Header header(MessageType type, SenderRole role, std::uint32_t number) {
  Header header;
  header.type = type;
  header.role = role;
  if (!is_multicast(type)) header.exchange = filled<8>(0xe1);
  header.group = filled<16>(0x60);
  header.message_number = number;
  return header;
}

SocketAddress socket_address(std::string_view ip, std::uint16_t port) {
  return {*IpAddress::parse(ip), port};
}

template <typename M>
M group_creation() {
  M m;
  m.gtek_id = filled<16>(0x11);
  m.gkek_id = filled<16>(0x12);
  m.nonce = filled<32>(0x13);
  m.gtek_creation = to_bytes(filled<32>(0x14));
  m.gkek_creation = to_bytes(filled<32>(0x15));
  m.public_key = Bytes(91, 0x16);
  m.token_hash = filled<32>(0x17);
  m.signature = Bytes(71, 0x18);
  return m;
}

template <typename M>
M session_creation() {
  M m;
  m.skek_id = filled<16>(0x21);
  m.nonce = filled<32>(0x22);
  m.skek_creation = to_bytes(filled<32>(0x23));
  m.public_key = Bytes(44, 0x24);
  m.token_hash = filled<32>(0x25);
  m.signature = Bytes(64, 0x26);
  return m;
}

std::vector<CrlNumber> crl_numbers() { return {{filled<32>(0x31), 7}, {filled<32>(0x32), 1}}; }

Negotiate1 negotiate_1(std::vector<KeyId> key_ids) {
  return {.key_ids = std::move(key_ids),
          .certificates = {Bytes(5, 0x33), Bytes(3, 0x34)},
          .token = Bytes(9, 0x35),
          .crl_numbers = crl_numbers(),
          .signature = Bytes(70, 0x36)};
}

Negotiate2 negotiate_2(std::vector<KeyId> key_ids, std::vector<IpAddress> sources) {
  return {.key_ids = std::move(key_ids),
          .certificates = {Bytes(6, 0x37)},
          .crl_numbers = {},
          .source_addresses = std::move(sources)};
}

DownloadGrpKeys download(std::optional<Bytes> encrypted) {
  return {.statement = encode(statement()),
          .statement_signature = Bytes(72, 0x41),
          .encrypted_grp_keys = std::move(encrypted),
          .sender_table = encode(sender_table()),
          .exclusion_set = encode(exclusion_set())};
}

Heartbeat heartbeat() {
  return {.tuple = {3, 1, 0, 5},
          .epoch_id = filled<16>(0x51),
          .number = 12,
          .time = from_unix(kSomeTime),
          .token_hash = filled<32>(0x52),
          .crl_numbers = crl_numbers(),
          .exclusion_hash = filled<32>(0x53),
          .control_unicast = socket_address("10.9.0.1", 8480),
          .control_multicast = socket_address("ff05::1111", 8480),
          .active = true,
          .signature = Bytes(70, 0x54)};
}

}  // namespace

std::vector<MessageSample> messages() {
  using enum MessageType;
  constexpr auto kController = SenderRole::kController;
  constexpr auto kMember = SenderRole::kMember;
  constexpr auto kCommander = SenderRole::kCommander;
  const std::vector<KeyId> group_ids = {filled<16>(0x11), filled<16>(0x12)};
  const std::vector<KeyId> session_id = {filled<16>(0x21)};
  return {
      {"create-grp-keys-1", header(kCreateGrpKeys1, kController, 1),
       group_creation<CreateGrpKeys1>()},
      {"create-grp-keys-2", header(kCreateGrpKeys2, kMember, 1), group_creation<CreateGrpKeys2>()},
      {"negotiate-grp-keys-1", header(kNegotiateGrpKeys1, kController, 2), negotiate_1(group_ids)},
      {"negotiate-grp-keys-2", header(kNegotiateGrpKeys2, kMember, 2),
       negotiate_2(group_ids, {*IpAddress::parse("10.9.0.2"), *IpAddress::parse("fd09::2")})},
      {"create-session-kek-1", header(kCreateSessionKek1, kController, 1),
       session_creation<CreateSessionKek1>()},
      {"create-session-kek-2", header(kCreateSessionKek2, kMember, 1),
       session_creation<CreateSessionKek2>()},
      {"negotiate-session-keys-1", header(kNegotiateSessionKeys1, kController, 2),
       negotiate_1(session_id)},
      {"negotiate-session-keys-2", header(kNegotiateSessionKeys2, kMember, 2),
       negotiate_2(session_id, {})},
      {"download-grp-keys", header(kDownloadGrpKeys, kController, 3),
       download(Bytes(kEncryptedGrpKeysOctets, 0x42))},
      {"download-grp-keys-first-member", header(kDownloadGrpKeys, kController, 3),
       download(std::nullopt)},
      {"key-download-ack", header(kKeyDownloadAck, kMember, 3),
       KeyDownloadAck{filled<16>(0x51), filled<32>(0x43)}},
      {"rekey-multicast", header(kRekeyMulticast, kController, rekey_statement().tuple.epoch),
       RekeyMulticast{encode(rekey_statement()), Bytes(72, 0x41),
                      Bytes(kEncryptedGrpKeysOctets, 0x42)}},
      {"heartbeat", header(kHeartbeat, kController, 1), heartbeat()},
      {"repair-request", header(kRepairRequest, kMember, 0), RepairRequest{filled<16>(0x64)}},
      {"request-group-join", header(kRequestGroupJoin, kMember, 1),
       RequestGroupJoin{JoinInquiry::kGroupJoin, filled<32>(0xa1), Bytes(44, 0xa2), std::nullopt,
                        Bytes(64, 0xa3)}},
      {"request-group-join-cookie", header(kRequestGroupJoin, kMember, 1),
       RequestGroupJoin{JoinInquiry::kGroupJoin, filled<32>(0xa1), Bytes(44, 0xa2),
                        filled<32>(0xa4), Bytes(64, 0xa5)}},
      {"cookie-demand", header(kCookieDemand, kController, 1), CookieDemand{filled<32>(0xa4)}},
      {"refusal", header(kRefusal, kMember, 2), Refusal{"identity.level-too-low"}},
      {"create-session-kek-1-commander", header(kCreateSessionKek1, kCommander, 1),
       session_creation<CreateSessionKek1>()},
      {"create-session-kek-2-commander", header(kCreateSessionKek2, kController, 1),
       session_creation<CreateSessionKek2>()},
      {"command", header(kCommand, kCommander, 3), Command{Bytes(11, 0x91), Bytes(13, 0x92)}},
      {"command-without-list", header(kCommand, kCommander, 3),
       Command{Bytes(11, 0x93), std::nullopt}},
      {"status-request", header(kStatusRequest, kCommander, 4),
       StatusRequest{StatusInquiry::kStatus, 258}},
      {"report", header(kReport, kController, 4), Report{encode(group_report())}},
  };
}

MessageSample sample_of(MessageType type) {
  const auto all = messages();
  return *std::ranges::find(all, type, [](const auto& sample) { return sample.header.type; });
}

Bytes body_of(std::string_view name) {
  const auto all = messages();
  return encode_body(std::ranges::find(all, name, &MessageSample::name)->message);
}

Statement statement() {
  Statement s;
  s.group = filled<16>(0x60);
  s.tuple = {3, 1, 0, 5};
  s.controller = filled<32>(0x61);
  s.controller_key = filled<32>(0x62);
  s.token_hash = filled<32>(0x63);
  s.previous = filled<16>(0x64);
  s.nonce = filled<16>(0x65);
  s.gtek_id = filled<16>(0x11);
  s.gkek_id = filled<16>(0x12);
  s.commitment = filled<32>(0x66);
  s.sender_table_hash = filled<32>(0x67);
  s.exclusion_hash = filled<32>(0x68);
  s.tree_parts_hash = filled<32>(0x69);
  s.activation_delay_ms = 1000;
  s.deactivation_delay_ms = 5000;
  s.not_before = from_unix(kSomeTime);
  s.not_after = from_unix(kSomeTime + 3900);
  s.crl_numbers = crl_numbers();
  return s;
}

Statement rekey_statement() {
  Statement s = statement();
  s.cause = Cause::kRoutine;
  s.creation = Creation::kAlone;
  return s;
}

SenderTable sender_table() {
  return {.number = 1,
          .entries = {{.host = filled<32>(0x71),
                       .first_id = 1,
                       .count = 2,
                       .sources = {*IpAddress::parse("10.9.0.1")}},
                      {.host = filled<32>(0x70),
                       .first_id = 3,
                       .count = 2,
                       .sources = {*IpAddress::parse("10.9.0.2"), *IpAddress::parse("fd09::2")}}}};
}

GroupReport group_report() {
  GroupReport report;
  report.state = ReportedGroup::kPending;
  report.epoch = {{3, 1, 0, 5}, filled<16>(0x51), from_unix(kSomeTime + 3900)};
  report.sending = true;
  report.install_error = "xfrm.refused";
  report.rekey_ordered = true;
  report.rekey_error = "keys.odd";
  report.listed = 4;
  report.keyed = 1;
  report.failed = 1;
  report.first = 1;
  report.members = {{"b", ReportedMember::kKeyed, ""},
                    {"c.example", ReportedMember::kFailed, "protocol.timeout: no answer"}};
  return report;
}

ExclusionSet exclusion_set() { return {{filled<32>(0x81), filled<32>(0x82)}}; }

}  // namespace gkmpd::wire::samples
