#include "agent/wire/header.h"

#include "agent/wire/codec.h"
#include "agent/wire/values.h"

namespace gkmpd::wire {
namespace {

void get(Reader& in, MessageType& type) {
  using enum MessageType;
  get_enum(in, type,
           {kCreateGrpKeys1, kCreateGrpKeys2, kNegotiateGrpKeys1, kNegotiateGrpKeys2,
            kCreateSessionKek1, kCreateSessionKek2, kNegotiateSessionKeys1, kNegotiateSessionKeys2,
            kDownloadGrpKeys, kKeyDownloadAck, kRekeyMulticast, kRequestGroupJoin, kHeartbeat,
            kRefusal, kCookieDemand, kRepairRequest, kReport, kCommand, kStatusRequest},
           "message type", kUnknownType);
}

void get(Reader& in, SenderRole& role) {
  using enum SenderRole;
  get_enum(in, role, {kController, kMember, kCommander}, "role", kUnknownRole);
}

/// May a host in `role` send a message of `type`? Figure 2's first four messages serve commanders
/// too, who open their sessions with a controller by them.
bool may_send(SenderRole role, MessageType type) {
  using enum SenderRole;
  switch (type) {
    case MessageType::kCreateGrpKeys1:
    case MessageType::kNegotiateGrpKeys1:
    case MessageType::kDownloadGrpKeys:
    case MessageType::kRekeyMulticast:
    case MessageType::kHeartbeat:
    case MessageType::kCookieDemand:
    case MessageType::kReport:
      return role == kController;
    case MessageType::kCreateGrpKeys2:
    case MessageType::kNegotiateGrpKeys2:
    case MessageType::kKeyDownloadAck:
    case MessageType::kRequestGroupJoin:
    case MessageType::kRepairRequest:
      return role == kMember;
    case MessageType::kCommand:
    case MessageType::kStatusRequest:
      return role == kCommander;
    case MessageType::kCreateSessionKek1:
    case MessageType::kNegotiateSessionKeys1:
      return role == kController || role == kCommander;
    case MessageType::kCreateSessionKek2:
    case MessageType::kNegotiateSessionKeys2:
    case MessageType::kRefusal:
      return role == kController || role == kMember;
  }
  return false;
}

/// Fields that must be zero: flags, and what is reserved.
void get_zero(Reader& in, std::size_t octets) {
  for (const std::uint8_t octet : in.octets(octets)) {
    if (octet != 0) in.fail(kUnknownFlag, "a reserved octet or flag is set");
  }
}

void check_fragment(Reader& in, const Header& header) {
  const bool in_range = header.fragment_count >= 1 && header.fragment_count <= kMaxFragments &&
                        header.fragment_index < header.fragment_count;
  if (!in_range || (header.fragment_count > 1 && !is_sealed(header.type))) {
    in.fail(kBadFragment, "fragment " + std::to_string(header.fragment_index) + " of " +
                              std::to_string(header.fragment_count));
  }
}

Header read_header(Reader& in) {
  Header header;
  if (in.number<std::uint16_t>() != kMagic) in.fail(kBadMagic, "not GKMP");
  if (const auto version = in.number<std::uint8_t>(); version != kVersion) {
    in.fail(kUnknownVersion, "version " + std::to_string(version));
  }
  get(in, header.suite);
  get(in, header.type);
  get(in, header.role);
  get_zero(in, 2);  // flags, reserved
  if (!may_send(header.role, header.type)) {
    in.fail(kWrongRole, std::string(to_text(header.type)) + " from the wrong side");
  }
  get(in, header.exchange);
  get(in, header.group);
  get(in, header.message_number);
  get(in, header.fragment_index);
  get(in, header.fragment_count);
  get_zero(in, 2);  // reserved
  check_fragment(in, header);
  if (in.ok() && is_multicast(header.type) && header.exchange != ExchangeId{}) {
    in.fail(kBadValue, std::string(to_text(header.type)) + " with an exchange id");
  }
  return header;
}

}  // namespace

std::string_view to_text(MessageType type) {
  switch (type) {
    case MessageType::kCreateGrpKeys1:
      return "Create_Grp_Keys_1";
    case MessageType::kCreateGrpKeys2:
      return "Create_Grp_Keys_2";
    case MessageType::kNegotiateGrpKeys1:
      return "Negotiate_Grp_Keys_1";
    case MessageType::kNegotiateGrpKeys2:
      return "Negotiate_Grp_Keys_2";
    case MessageType::kCreateSessionKek1:
      return "Create_Session_KEK_1";
    case MessageType::kCreateSessionKek2:
      return "Create_Session_KEK_2";
    case MessageType::kNegotiateSessionKeys1:
      return "Negotiate_Session_Keys_1";
    case MessageType::kNegotiateSessionKeys2:
      return "Negotiate_Session_Keys_2";
    case MessageType::kDownloadGrpKeys:
      return "Download_Grp_Keys";
    case MessageType::kKeyDownloadAck:
      return "Key_Download_Ack";
    case MessageType::kRekeyMulticast:
      return "Rekey_Multicast";
    case MessageType::kRequestGroupJoin:
      return "Request_Group_Join";
    case MessageType::kHeartbeat:
      return "Heartbeat";
    case MessageType::kRefusal:
      return "Refusal";
    case MessageType::kCookieDemand:
      return "Cookie_Demand";
    case MessageType::kRepairRequest:
      return "Repair_Request";
    case MessageType::kReport:
      return "Report";
    case MessageType::kCommand:
      return "Command";
    case MessageType::kStatusRequest:
      return "Status_Request";
  }
  return "unknown";
}

bool is_sealed(MessageType type) {
  switch (type) {
    case MessageType::kNegotiateGrpKeys1:
    case MessageType::kNegotiateGrpKeys2:
    case MessageType::kNegotiateSessionKeys1:
    case MessageType::kNegotiateSessionKeys2:
    case MessageType::kDownloadGrpKeys:
    case MessageType::kKeyDownloadAck:
    case MessageType::kRefusal:
    case MessageType::kReport:
    case MessageType::kCommand:
    case MessageType::kStatusRequest:
      return true;
    case MessageType::kCreateGrpKeys1:
    case MessageType::kCreateGrpKeys2:
    case MessageType::kCreateSessionKek1:
    case MessageType::kCreateSessionKek2:
    case MessageType::kRekeyMulticast:
    case MessageType::kRequestGroupJoin:
    case MessageType::kHeartbeat:
    case MessageType::kCookieDemand:
    case MessageType::kRepairRequest:
      return false;
  }
  return false;
}

bool is_multicast(MessageType type) {
  return type == MessageType::kRekeyMulticast || type == MessageType::kHeartbeat ||
         type == MessageType::kRepairRequest;
}

ByteArray<kHeaderSize> encode_header(const Header& header) {
  Writer out;
  put(out, kMagic);
  put(out, kVersion);
  put(out, header.suite);
  put(out, static_cast<std::uint8_t>(header.type));
  put(out, static_cast<std::uint8_t>(header.role));
  put(out, std::uint16_t{0});  // flags, reserved
  put(out, header.exchange);
  put(out, header.group);
  put(out, header.message_number);
  put(out, header.fragment_index);
  put(out, header.fragment_count);
  put(out, std::uint16_t{0});  // reserved
  ByteArray<kHeaderSize> octets{};
  std::ranges::copy(out.take(), octets.begin());
  return octets;
}

Result<Datagram> decode_datagram(ByteView octets) {
  if (octets.size() > kMaxDatagram) {
    return fail(kTooLong, "a datagram of " + std::to_string(octets.size()) + " octets");
  }
  Reader in(octets);
  Datagram datagram;
  datagram.header_octets = in.octets(kHeaderSize);
  Reader header(datagram.header_octets);
  if (in.ok()) datagram.header = read_header(header);
  datagram.body = in.rest();
  if (in.ok() && header.ok() && is_sealed(datagram.header.type) &&
      datagram.body.size() < kSealOverhead) {
    in.fail(kTruncated, "a sealed body without room for its tag");
  }
  if (const auto end = header.finish(); in.ok() && !end) {
    return tl::unexpected<Error>(end.error());
  }
  if (!in.ok()) return tl::unexpected<Error>(in.error());
  return datagram;
}

}  // namespace gkmpd::wire
