#include "agent/wire/messages.h"

#include <concepts>

#include "agent/wire/items.h"

namespace gkmpd::wire {
namespace {

// Each message's items, once for both directions: `items` is an ItemWriter beside a const message,
// or an ItemReader beside one to be filled. Items ascend by number.

template <typename M, typename Struct>
concept Is = std::same_as<std::remove_const_t<M>, Struct>;

/// 4.3 wants of the member what 4.2 has of the controller, less the request.
void group_creation(auto& items, auto& m) {
  items.item(Item::kGtekId, m.gtek_id);
  items.item(Item::kGkekId, m.gkek_id);
  items.item(Item::kNonce, m.nonce);
  items.share(Item::kGtekCreation, m.gtek_creation);
  items.share(Item::kGkekCreation, m.gkek_creation);
  items.octets(Item::kPublicKey, m.public_key, kMaxPublicKeyOctets);
  items.item(Item::kTokenHash, m.token_hash);
  items.signature(m.signature);
}

/// 4.6 and 4.7.
void session_creation(auto& items, auto& m) {
  items.item(Item::kSkekId, m.skek_id);
  items.item(Item::kNonce, m.nonce);
  items.share(Item::kSkekCreation, m.skek_creation);
  items.octets(Item::kPublicKey, m.public_key, kMaxPublicKeyOctets);
  items.item(Item::kTokenHash, m.token_hash);
  items.signature(m.signature);
}

/// Two ids are those of group keys, one is a session's: the caller of the reader has sized the
/// vector by the message's type.
void key_ids(auto& items, auto& ids) {
  if (ids.size() == kGroupKeyIds) {
    items.item(Item::kGtekId, ids[0]);
    items.item(Item::kGkekId, ids[1]);
  } else {
    items.item(Item::kSkekId, ids.at(0));
  }
}

void fields(auto& items, Is<CreateGrpKeys1> auto& m) {
  items.item(Item::kRequest, m.request);
  group_creation(items, m);
}

void fields(auto& items, Is<CreateGrpKeys2> auto& m) { group_creation(items, m); }

void fields(auto& items, Is<CreateSessionKek1> auto& m) {
  items.item(Item::kRequest, m.request);
  session_creation(items, m);
}

void fields(auto& items, Is<CreateSessionKek2> auto& m) { session_creation(items, m); }

void fields(auto& items, Is<Negotiate1> auto& m) {
  key_ids(items, m.key_ids);
  items.octets(Item::kToken, m.token, kMaxTokenOctets);
  items.item(Item::kCertificates, m.certificates);
  items.item(Item::kCrlNumbers, m.crl_numbers);
  items.signature(m.signature);
}

void fields(auto& items, Is<Negotiate2> auto& m) {
  key_ids(items, m.key_ids);
  items.item(Item::kCertificates, m.certificates);
  items.item(Item::kCrlNumbers, m.crl_numbers);
  items.item(Item::kSourceAddresses, m.source_addresses);
}

void fields(auto& items, Is<DownloadGrpKeys> auto& m) {
  items.octets(Item::kStatement, m.statement, kMaxStatementOctets);
  items.octets(Item::kStatementSignature, m.statement_signature, kMaxSignatureOctets);
  items.optional_fixed_octets(Item::kEncryptedGrpKeys, m.encrypted_grp_keys,
                              kEncryptedGrpKeysOctets);
  items.octets(Item::kSenderTable, m.sender_table, kMaxSenderTableOctets);
  items.octets(Item::kExclusionSet, m.exclusion_set, kMaxExclusionSetOctets);
}

void fields(auto& items, Is<KeyDownloadAck> auto& m) {
  items.item(Item::kEpochId, m.epoch_id);
  items.item(Item::kConfirmation, m.confirmation);
}

void fields(auto& items, Is<RekeyMulticast> auto& m) {
  items.octets(Item::kStatement, m.statement, kMaxStatementOctets);
  items.octets(Item::kStatementSignature, m.statement_signature, kMaxSignatureOctets);
  items.fixed_octets(Item::kEncryptedGrpKeys, m.encrypted_grp_keys, kEncryptedGrpKeysOctets);
}

void fields(auto& items, Is<RepairRequest> auto& m) {
  items.item(Item::kEpochId, m.held);
  items.padding(kRepairPaddingOctets);
}

void fields(auto& items, Is<RequestGroupJoin> auto& m) {
  items.item(Item::kRequest, m.request);
  items.item(Item::kNonce, m.nonce);
  items.octets(Item::kPublicKey, m.public_key, kMaxPublicKeyOctets);
  items.optional_item(Item::kCookie, m.cookie);
  items.signature(m.signature);
}

void fields(auto& items, Is<CookieDemand> auto& m) { items.item(Item::kCookie, m.cookie); }

void fields(auto& items, Is<Refusal> auto& m) { items.item(Item::kErrorName, m.error_name); }

void fields(auto& items, Is<Heartbeat> auto& m) {
  items.item(Item::kTokenHash, m.token_hash);
  items.item(Item::kCrlNumbers, m.crl_numbers);
  items.item(Item::kEpochId, m.epoch_id);
  items.item(Item::kTuple, m.tuple);
  items.item(Item::kHeartbeatNumber, m.number);
  items.item(Item::kTime, m.time);
  items.item(Item::kExclusionHash, m.exclusion_hash);
  items.item(Item::kControlUnicast, m.control_unicast);
  items.item(Item::kControlMulticast, m.control_multicast);
  items.item(Item::kActive, m.active);
  items.signature(m.signature);
}

// Two items of the largest size, each behind its tag and length.
static_assert(kMaxCommandOctets + kMaxMemberListOctets + std::size_t{2} * 4 <= kMaxMessage);

void fields(auto& items, Is<Command> auto& m) {
  items.octets(Item::kCommand, m.command, kMaxCommandOctets);
  items.optional_octets(Item::kMemberList, m.member_list, kMaxMemberListOctets);
}

void fields(auto& items, Is<StatusRequest> auto& m) {
  items.item(Item::kRequest, m.request);
  items.item(Item::kFirstMember, m.first);
}

void fields(auto& items, Is<Report> auto& m) {
  items.octets(Item::kReport, m.report, kMaxReportOctets);
}

Bytes write(const Message& message, ItemWriter::Signature signature) {
  ItemWriter items(signature);
  std::visit([&items](const auto& m) { fields(items, m); }, message);
  return items.take();
}

template <typename M>
Result<Message> read(ByteView body, M message = {}) {
  ItemReader items(body);
  fields(items, message);
  if (auto end = items.finish(); !end) return pass_on(end);
  return Message(std::move(message));
}

/// A Negotiate whose key ids are to be filled in.
template <typename M>
M with_key_ids(std::size_t count) {
  M message;
  message.key_ids.resize(count);
  return message;
}

}  // namespace

Bytes encode_body(const Message& message) { return write(message, ItemWriter::Signature::kWith); }

Bytes encode_unsigned(const Message& message) {
  return write(message, ItemWriter::Signature::kWithout);
}

Result<Message> decode_body(MessageType type, ByteView body) {
  switch (type) {
    case MessageType::kCreateGrpKeys1:
      return read<CreateGrpKeys1>(body);
    case MessageType::kCreateGrpKeys2:
      return read<CreateGrpKeys2>(body);
    case MessageType::kNegotiateGrpKeys1:
      return read(body, with_key_ids<Negotiate1>(kGroupKeyIds));
    case MessageType::kNegotiateGrpKeys2:
      return read(body, with_key_ids<Negotiate2>(kGroupKeyIds));
    case MessageType::kCreateSessionKek1:
      return read<CreateSessionKek1>(body);
    case MessageType::kCreateSessionKek2:
      return read<CreateSessionKek2>(body);
    case MessageType::kNegotiateSessionKeys1:
      return read(body, with_key_ids<Negotiate1>(kSessionKeyIds));
    case MessageType::kNegotiateSessionKeys2:
      return read(body, with_key_ids<Negotiate2>(kSessionKeyIds));
    case MessageType::kDownloadGrpKeys:
      return read<DownloadGrpKeys>(body);
    case MessageType::kKeyDownloadAck:
      return read<KeyDownloadAck>(body);
    case MessageType::kRekeyMulticast:
      return read<RekeyMulticast>(body);
    case MessageType::kRepairRequest:
      return read<RepairRequest>(body);
    case MessageType::kRequestGroupJoin:
      return read<RequestGroupJoin>(body);
    case MessageType::kCookieDemand:
      return read<CookieDemand>(body);
    case MessageType::kHeartbeat:
      return read<Heartbeat>(body);
    case MessageType::kRefusal:
      return read<Refusal>(body);
    case MessageType::kReport:
      return read<Report>(body);
    case MessageType::kCommand:
      return read<Command>(body);
    case MessageType::kStatusRequest:
      return read<StatusRequest>(body);
  }
  return fail(kUnknownType, std::to_string(static_cast<unsigned>(type)));
}

std::size_t unsigned_size(ByteView body) {
  Reader in(body);
  while (!in.at_end()) {
    const std::size_t before = body.size() - in.left();
    const auto tag = in.number<std::uint16_t>();
    in.octets(in.number<std::uint16_t>());
    const auto number = static_cast<std::uint16_t>(tag & ~kCriticalBit);
    if (in.ok() && number == static_cast<std::uint16_t>(Item::kSignature)) return before;
  }
  return body.size();
}

}  // namespace gkmpd::wire
