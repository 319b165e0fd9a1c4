// The 40 octets before every message (profile P2; docs/PROTOCOL.md, "Header").
#pragma once

#include "agent/base/bytes.h"
#include "agent/base/error.h"
#include "agent/base/ids.h"
#include "agent/base/suite.h"

namespace gkmpd::wire {

inline constexpr std::size_t kHeaderSize = 40;
/// Largest datagram we send or take (profile S22): fits any IPv6 path.
inline constexpr std::size_t kMaxDatagram = 1232;
inline constexpr std::size_t kMaxBody = kMaxDatagram - kHeaderSize;
/// Octets of a sealed fragment's tag.
inline constexpr std::size_t kSealOverhead = 16;
/// Largest message that fragments carry.
inline constexpr std::size_t kMaxFragments = 64;
inline constexpr std::size_t kMaxMessage = kMaxFragments * (kMaxBody - kSealOverhead);

/// Where the message type stands.
inline constexpr std::size_t kTypeAt = 4;

inline constexpr std::uint16_t kMagic = 0x474b;  // "GK"
inline constexpr std::uint8_t kVersion = 1;

/// Messages of RFC 2093 section 4 that figures 1 to 4 use, plus heartbeat, refusal, cookie,
/// repair, and what a commander and a controller say to each other. Numbers of later messages are
/// reserved in docs/PROTOCOL.md.
enum class MessageType : std::uint8_t {
  kCreateGrpKeys1 = 1,
  kCreateGrpKeys2 = 2,
  kNegotiateGrpKeys1 = 3,
  kNegotiateGrpKeys2 = 4,
  kCreateSessionKek1 = 5,
  kCreateSessionKek2 = 6,
  kNegotiateSessionKeys1 = 7,
  kNegotiateSessionKeys2 = 8,
  kDownloadGrpKeys = 9,
  kKeyDownloadAck = 10,
  kRekeyMulticast = 11,
  kRequestGroupJoin = 12,
  kHeartbeat = 15,
  kRefusal = 16,
  kCookieDemand = 17,
  kRepairRequest = 20,
  kReport = 23,
  kCommand = 24,
  kStatusRequest = 25,
};
/// As RFC 2093 spells it with underscores: "Create_Grp_Keys_1".
[[nodiscard]] std::string_view to_text(MessageType type);
/// True for messages whose body is ciphertext.
[[nodiscard]] bool is_sealed(MessageType type);
/// True for messages that go to a group's control multicast address, and to no other. They belong
/// to no exchange.
[[nodiscard]] bool is_multicast(MessageType type);

/// The sender's role in the exchange.
enum class SenderRole : std::uint8_t { kController = 1, kMember = 2, kCommander = 3 };

struct Header {
  Suite suite = Suite::kX25519Sha256;
  MessageType type = MessageType::kHeartbeat;
  SenderRole role = SenderRole::kController;
  ExchangeId exchange{};  // all zero in a multicast message
  GroupId group{};
  std::uint32_t message_number = 0;  // counts a sender's messages in an exchange, from 1
  std::uint8_t fragment_index = 0;   // below fragment_count
  std::uint8_t fragment_count = 1;   // 1 unless sealed

  friend bool operator==(const Header&, const Header&) = default;
};

/// A datagram taken apart, not yet opened: views into the caller's octets.
struct Datagram {
  Header header;
  ByteView header_octets;  // associated data of the seal
  ByteView body;           // items, or ciphertext with its tag
};

[[nodiscard]] ByteArray<kHeaderSize> encode_header(const Header& header);
[[nodiscard]] Result<Datagram> decode_datagram(ByteView octets);

}  // namespace gkmpd::wire
