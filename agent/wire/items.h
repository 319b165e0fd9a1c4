// Data items (RFC 2093 section 3): tag, length, value. A message's items are listed once, as calls
// of a visitor; ItemWriter and ItemReader are the two visitors.
#pragma once

#include <optional>

#include "agent/wire/codec.h"
#include "agent/wire/values.h"

namespace gkmpd::wire {

/// Numbers of items; the sections are those of RFC 2093. Numbers of later items are reserved in
/// docs/PROTOCOL.md.
enum class Item : std::uint16_t {
  kRequest = 1,  // 3.18
  kGtekId = 2,   // 3.4
  kGkekId = 3,   // 3.5
  kSkekId = 4,   // 3.13
  kNonce = 5,
  kGtekCreation = 6,  // 3.6
  kGkekCreation = 7,  // 3.7
  kSkekCreation = 8,  // 3.14
  kPublicKey = 9,     // 3.9, 3.11
  kTokenHash = 10,
  kToken = 11,         // 3.2
  kCertificates = 12,  // 3.12, 3.15
  kCrlNumbers = 13,
  kSourceAddresses = 14,
  kStatement = 15,
  kStatementSignature = 16,
  kEncryptedGrpKeys = 17,  // 3.16
  kSenderTable = 18,
  kExclusionSet = 19,
  kEpochId = 20,
  kConfirmation = 21,  // 3.17
  kErrorName = 22,
  kTuple = 23,
  kHeartbeatNumber = 24,
  kTime = 25,
  kExclusionHash = 26,
  kControlUnicast = 27,
  kControlMulticast = 28,
  kActive = 29,
  kCookie = 33,
  kCommand = 46,
  kReport = 47,
  kMemberList = 54,   // 3.1
  kFirstMember = 55,  // of the members that a report is asked for
  kPadding = 56,
  kSignature = 0x7fff,  // 3.8, 3.10: the highest, so nothing stands behind it
};

/// Top bit of a tag: a reader that does not know the item refuses the message. All of ours have it.
inline constexpr std::uint16_t kCriticalBit = 0x8000;

/// For error texts: "token hash"; empty for a number that is no item of ours.
[[nodiscard]] std::string_view item_name(std::uint16_t number);

class ItemWriter {
 public:
  enum class Signature { kWith, kWithout };
  explicit ItemWriter(Signature signature) : signature_(signature) {}

  template <typename T>
  void item(Item tag, const T& value) {
    Writer inner;
    put(inner, value);
    add(tag, inner.take());
  }
  template <typename T>
  void optional_item(Item tag, const std::optional<T>& value) {
    if (value) item(tag, *value);
  }
  void octets(Item tag, const Bytes& value, std::size_t /*max_size*/) { add(tag, value); }
  void fixed_octets(Item tag, const Bytes& value, std::size_t /*size*/) { add(tag, value); }
  void optional_octets(Item tag, const std::optional<Bytes>& value, std::size_t /*max_size*/) {
    if (value) add(tag, *value);
  }
  void optional_fixed_octets(Item tag, const std::optional<Bytes>& value, std::size_t /*size*/) {
    if (value) add(tag, *value);
  }
  void share(Item tag, const Bytes& value) { add(tag, value); }
  void signature(const Bytes& value) {
    if (signature_ == Signature::kWith) add(Item::kSignature, value);
  }
  /// So many zeros.
  void padding(std::size_t size) { add(Item::kPadding, Bytes(size)); }
  [[nodiscard]] Bytes take() { return out_.take(); }

 private:
  void add(Item tag, ByteView value);

  Signature signature_;
  Writer out_;
};

class ItemReader {
 public:
  explicit ItemReader(ByteView body);

  template <typename T>
  void item(Item tag, T& value) {
    const std::optional<ByteView> octets = required(tag);
    if (!octets) return;
    Reader inner(*octets);
    get(inner, value);
    if (const auto end = inner.finish(); !end) bad_value(tag, end.error());
  }
  /// The same, if the item is there.
  template <typename T>
  void optional_item(Item tag, std::optional<T>& value) {
    value.reset();
    if (is_next(tag)) item(tag, value.emplace());
  }
  /// 1 to `max_size` octets.
  void octets(Item tag, Bytes& value, std::size_t max_size);
  /// Exactly `size` octets.
  void fixed_octets(Item tag, Bytes& value, std::size_t size);
  /// The same two, if the item is there.
  void optional_octets(Item tag, std::optional<Bytes>& value, std::size_t max_size);
  void optional_fixed_octets(Item tag, std::optional<Bytes>& value, std::size_t size);
  /// Of one of the sizes of kShareOctets.
  void share(Item tag, Bytes& value);
  void signature(Bytes& value);
  /// Exactly so many zeros.
  void padding(std::size_t size);

  /// The first error, or `wire.unexpected-item` if an item was not asked for.
  [[nodiscard]] Result<void> finish();

 private:
  /// The current item is `tag`.
  [[nodiscard]] bool is_next(Item tag) const;
  /// The value of the current item, which must be `tag`; then goes on to the next.
  std::optional<ByteView> required(Item tag);
  /// Reads the next item that is known; skips unknown ones that are not critical.
  void advance();
  void bad_value(Item tag, const Error& why);

  struct Current {
    std::uint16_t number = 0;
    ByteView value;
  };
  Reader in_;
  std::uint32_t lowest_next_ = 0;  // numbers below this are out of order
  std::optional<Current> current_;
};

}  // namespace gkmpd::wire
