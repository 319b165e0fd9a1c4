// Every message of figures 1 to 4 of RFC 2093 as a struct, and the one reader and one writer of
// each. Bodies are data items (RFC 2093 section 3): tag, length, value, ascending tags, each at
// most once.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/base/address.h"
#include "agent/base/ids.h"
#include "agent/base/time.h"
#include "agent/wire/header.h"

namespace gkmpd::wire {

using Nonce32 = ByteArray<32>;
using Cookie = ByteArray<32>;
using CreationField = Bytes;  // a share of the suite's key agreement

/// RFC 2093 3.18; only requests that a message of today makes.
enum class Request : std::uint8_t { kGroupCreation = 5 };
/// The same item in a Request_Group_Join, which knows no other.
enum class JoinInquiry : std::uint8_t { kGroupJoin = 1 };
/// The same item in a Status_Request, which knows no other.
enum class StatusInquiry : std::uint8_t { kStatus = 6 };

struct CrlNumber {
  Digest issuer_key_hash{};
  std::uint64_t number = 0;
  friend bool operator==(const CrlNumber&, const CrlNumber&) = default;
};
// Lists of CRL numbers ascend by issuer and lists of addresses ascend, each element once: readers
// refuse anything else, so that a value has one encoding.
inline constexpr std::size_t kMaxCrlNumbers = 8;
inline constexpr std::size_t kMaxCertificates = 4;
inline constexpr std::size_t kMaxSourceAddresses = 8;
inline constexpr std::size_t kMaxCertificateOctets = 8 * 1024;
inline constexpr std::size_t kMaxTokenOctets = 32 * 1024;
/// An X25519 share, and uncompressed points of P-256 and P-384. Whether it is of the suite's size
/// is for the agreement to see.
inline constexpr std::array<std::size_t, 3> kShareOctets{32, 65, 97};
inline constexpr std::size_t kMaxPublicKeyOctets = 256;
inline constexpr std::size_t kMaxSignatureOctets = 256;
/// A command as its commander signed it, and the member list with it: together they fit
/// kMaxMessage.
inline constexpr std::size_t kMaxCommandOctets = 8 * 1024;
inline constexpr std::size_t kMaxMemberListOctets = 0xffff;
inline constexpr std::size_t kMaxReportOctets = 16 * 1024;
/// Key ids of a Negotiate: GTEK and GKEK, or SKEK.
inline constexpr std::size_t kGroupKeyIds = 2;
inline constexpr std::size_t kSessionKeyIds = 1;
/// GTEK, GKEK and the seal's tag.
inline constexpr std::size_t kEncryptedGrpKeysOctets = 32 + 32 + kSealOverhead;

/// 4.2 Create_Grp_Keys_1, in clear, signed over header and all items before the signature.
struct CreateGrpKeys1 {
  Request request = Request::kGroupCreation;
  KeyId gtek_id{};
  KeyId gkek_id{};
  Nonce32 nonce{};
  CreationField gtek_creation;
  CreationField gkek_creation;
  Bytes public_key;  // SubjectPublicKeyInfo
  Digest token_hash{};
  Bytes signature;
  friend bool operator==(const CreateGrpKeys1&, const CreateGrpKeys1&) = default;
};

/// 4.3 Create_Grp_Keys_2, in clear, signed over TH1.
struct CreateGrpKeys2 {
  KeyId gtek_id{};
  KeyId gkek_id{};
  Nonce32 nonce{};
  CreationField gtek_creation;
  CreationField gkek_creation;
  Bytes public_key;
  Digest token_hash{};
  Bytes signature;
  friend bool operator==(const CreateGrpKeys2&, const CreateGrpKeys2&) = default;
};

/// 4.6 Create_Session_KEK_1, in clear.
struct CreateSessionKek1 {
  Request request = Request::kGroupCreation;
  KeyId skek_id{};
  Nonce32 nonce{};
  CreationField skek_creation;
  Bytes public_key;
  Digest token_hash{};
  Bytes signature;
  friend bool operator==(const CreateSessionKek1&, const CreateSessionKek1&) = default;
};

/// 4.7 Create_Session_KEK_2, in clear.
struct CreateSessionKek2 {
  KeyId skek_id{};
  Nonce32 nonce{};
  CreationField skek_creation;
  Bytes public_key;
  Digest token_hash{};
  Bytes signature;
  friend bool operator==(const CreateSessionKek2&, const CreateSessionKek2&) = default;
};

/// 4.4 and 4.8, sealed. `key_ids` is GTEK then GKEK, or SKEK alone, by message type.
struct Negotiate1 {
  std::vector<KeyId> key_ids;
  std::vector<Bytes> certificates;  // DER, leaf first, anchor left out: Controller permissions
  Bytes token;                      // CMS, DER
  std::vector<CrlNumber> crl_numbers;
  Bytes signature;
  friend bool operator==(const Negotiate1&, const Negotiate1&) = default;
};

/// 4.5 and 4.9, sealed.
struct Negotiate2 {
  std::vector<KeyId> key_ids;
  std::vector<Bytes> certificates;  // Member permissions
  std::vector<CrlNumber> crl_numbers;
  std::vector<IpAddress> source_addresses;  // from which the member would send; may be empty
  friend bool operator==(const Negotiate2&, const Negotiate2&) = default;
};

/// 4.10 Download_Grp_Keys, sealed. `encrypted_grp_keys` is absent for the first member, which made
/// the keys itself.
struct DownloadGrpKeys {
  Bytes statement;  // encoded Statement
  Bytes statement_signature;
  std::optional<Bytes> encrypted_grp_keys;
  Bytes sender_table;   // encoded SenderTable
  Bytes exclusion_set;  // encoded ExclusionSet
  friend bool operator==(const DownloadGrpKeys&, const DownloadGrpKeys&) = default;
};

/// 4.11 Key_Download_Ack, sealed (RFC 2093 3.17; profile R7).
struct KeyDownloadAck {
  EpochId epoch_id{};
  Digest confirmation{};
  friend bool operator==(const KeyDownloadAck&, const KeyDownloadAck&) = default;
};

/// 4.12 Rekey_Multicast: the signed statement in clear and the keys under the GKEK of the epoch
/// before (profile P13). Token, permissions and tables go by their hashes in the statement. The
/// header says nothing that the statement does not say, so whoever has the datagram may send it
/// again.
struct RekeyMulticast {
  Bytes statement;
  Bytes statement_signature;
  Bytes encrypted_grp_keys;
  friend bool operator==(const RekeyMulticast&, const RekeyMulticast&) = default;
};

/// "I hold this epoch and lack the one after it" (profile P31): to the whole group, from anybody,
/// and as large as the answer may be (S23).
struct RepairRequest {
  EpochId held{};
  friend bool operator==(const RepairRequest&, const RepairRequest&) = default;
};

/// 4.13 Request_Group_Join, in clear, signed over header and all items before the signature.
/// Whoever asks does not know the group's suite yet: the header has the first there is.
struct RequestGroupJoin {
  JoinInquiry request = JoinInquiry::kGroupJoin;
  Nonce32 nonce{};
  Bytes public_key;
  std::optional<Cookie> cookie;  // the one that was demanded
  Bytes signature;
  friend bool operator==(const RequestGroupJoin&, const RequestGroupJoin&) = default;
};

/// "Ask again, with this" (profile P32): shows that the asker is where it says it is. In clear, and
/// smaller than what it answers.
struct CookieDemand {
  Cookie cookie{};
  friend bool operator==(const CookieDemand&, const CookieDemand&) = default;
};

/// A named refusal, only ever inside an authenticated exchange (profile K6), sealed.
struct Refusal {
  std::string error_name;  // an ErrorKind's name, at most 64 octets of a-z 0-9 . -
  friend bool operator==(const Refusal&, const Refusal&) = default;
};

/// Signed, in clear (profile P17).
struct Heartbeat {
  EpochTuple tuple;
  EpochId epoch_id{};
  std::uint64_t number = 0;  // rises by one with each heartbeat of an epoch
  WallTime time;
  Digest token_hash{};
  std::vector<CrlNumber> crl_numbers;
  Digest exclusion_hash{};
  SocketAddress control_unicast;  // where the controller answers
  SocketAddress control_multicast;
  bool active = false;  // false while listed members are still being keyed
  Bytes signature;
  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

/// An order (4.1) from a commander on another host, sealed.
struct Command {
  Bytes command;  // CMS, DER: see identity::check_command
  /// The text that the token's hash binds: with an order to create the group, and no other.
  std::optional<Bytes> member_list;
  friend bool operator==(const Command&, const Command&) = default;
};

/// "How far is it?", sealed: asks for a report with the members of the list from `first` on.
struct StatusRequest {
  StatusInquiry request = StatusInquiry::kStatus;
  std::uint16_t first = 0;
  friend bool operator==(const StatusRequest&, const StatusRequest&) = default;
};

/// Answer to a command or a status request, sealed.
struct Report {
  Bytes report;  // encoded GroupReport
  friend bool operator==(const Report&, const Report&) = default;
};

using Message = std::variant<CreateGrpKeys1, CreateGrpKeys2, CreateSessionKek1, CreateSessionKek2,
                             Negotiate1, Negotiate2, DownloadGrpKeys, KeyDownloadAck,
                             RekeyMulticast, RepairRequest, RequestGroupJoin, CookieDemand, Refusal,
                             Heartbeat, Command, StatusRequest, Report>;

/// The items of a message, in order. For a signed message, `signature` may be empty while the
/// octets to be signed are wanted: see encode_unsigned.
[[nodiscard]] Bytes encode_body(const Message& message);
/// The items before the signature: what is signed, or enters TH1.
[[nodiscard]] Bytes encode_unsigned(const Message& message);
/// Reads the items of a message of `type`; strict (profile P2). Octets of a sealed message must
/// have been opened and put together.
[[nodiscard]] Result<Message> decode_body(MessageType type, ByteView body);
/// Length of the items before the signature item in a body that decode_body has accepted; the whole
/// length if the message has no signature.
[[nodiscard]] std::size_t unsigned_size(ByteView body);

// --- Objects inside messages -----------------------------------------------------------------

/// Why the epoch was made. A routine one goes under the GKEK that was given out with the one
/// before.
enum class Cause : std::uint8_t { kCreate = 1, kRoutine = 2 };
/// By whom: with a first member, or by the controller alone (profile K10).
enum class Creation : std::uint8_t { kCooperative = 1, kAlone = 2 };

inline constexpr std::size_t kMaxSenderEntries = 1024;
inline constexpr std::size_t kMaxExclusions = 256;
/// One past the highest sender id.
inline constexpr std::uint32_t kEndOfSenderIds = 0x10000;
/// Octets of an encoded object at most: a Download_Grp_Keys with all of them fits kMaxMessage.
inline constexpr std::size_t kMaxStatementOctets = 345 + kMaxCrlNumbers * 40;
/// Octets of a Rekey_Multicast's body at most, signatures being no longer than those of P-384.
inline constexpr std::size_t kMaxRekeyOctets =
    4 + kMaxStatementOctets + 4 + 104 + 4 + kEncryptedGrpKeysOctets;
static_assert(kMaxRekeyOctets <= kMaxBody);
/// Makes a Repair_Request's body, of two items, as large.
inline constexpr std::size_t kRepairPaddingOctets = kMaxRekeyOctets - (4 + EpochId{}.size()) - 4;
inline constexpr std::size_t kMaxSenderTableOctets = 6 + kMaxSenderEntries * (32 + 5 + 5 + 17);
inline constexpr std::size_t kMaxExclusionSetOctets = 2 + kMaxExclusions * 32;

/// The epoch statement (profile P8). Its encoding has fixed fields first, CRL numbers last.
struct Statement {
  Suite suite = Suite::kX25519Sha256;
  GroupId group{};
  EpochTuple tuple;
  NameHash controller{};
  Digest controller_key{};  // fingerprint
  Digest token_hash{};
  EpochId previous{};  // all zero for the first
  Cause cause = Cause::kCreate;
  Creation creation = Creation::kCooperative;
  ByteArray<16> nonce{};
  KeyId gtek_id{};
  KeyId gkek_id{};
  Digest commitment{};
  Digest sender_table_hash{};
  Digest exclusion_hash{};
  Digest tree_parts_hash{};  // SHA-256 of nothing while there is no tree
  std::uint32_t activation_delay_ms = 0;
  std::uint32_t deactivation_delay_ms = 0;
  WallTime not_before;
  WallTime not_after;                  // not before `not_before`
  std::vector<CrlNumber> crl_numbers;  // needed at least
  friend bool operator==(const Statement&, const Statement&) = default;
};
[[nodiscard]] Bytes encode(const Statement& statement);
[[nodiscard]] Result<Statement> decode_statement(ByteView octets);

/// Sender ids of an epoch (profile P24): ascending by first id, runs do not overlap.
struct SenderTable {
  struct Entry {
    NameHash host{};
    std::uint16_t first_id = 0;      // 1 and up
    std::uint16_t count = 0;         // ids in the run, 1 and up
    std::vector<IpAddress> sources;  // one of a family at most, IPv4 first; at least one
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  std::uint32_t number = 0;  // rises within an epoch
  std::vector<Entry> entries;
  friend bool operator==(const SenderTable&, const SenderTable&) = default;
};
[[nodiscard]] Bytes encode(const SenderTable& table);
[[nodiscard]] Result<SenderTable> decode_sender_table(ByteView octets);

/// Hosts keyed out of the group: it only grows (profile S2). Ascending.
struct ExclusionSet {
  std::vector<NameHash> hosts;
  friend bool operator==(const ExclusionSet&, const ExclusionSet&) = default;
};
[[nodiscard]] Bytes encode(const ExclusionSet& set);
[[nodiscard]] Result<ExclusionSet> decode_exclusion_set(ByteView octets);

}  // namespace gkmpd::wire
