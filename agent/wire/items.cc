#include "agent/wire/items.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace gkmpd::wire {

std::string_view item_name(std::uint16_t number) {
  switch (static_cast<Item>(number)) {
    case Item::kRequest:
      return "request";
    case Item::kGtekId:
      return "GTEK id";
    case Item::kGkekId:
      return "GKEK id";
    case Item::kSkekId:
      return "SKEK id";
    case Item::kNonce:
      return "nonce";
    case Item::kGtekCreation:
      return "GTEK creation field";
    case Item::kGkekCreation:
      return "GKEK creation field";
    case Item::kSkekCreation:
      return "SKEK creation field";
    case Item::kPublicKey:
      return "public key";
    case Item::kTokenHash:
      return "token hash";
    case Item::kToken:
      return "token";
    case Item::kCertificates:
      return "certificates";
    case Item::kCrlNumbers:
      return "CRL numbers";
    case Item::kSourceAddresses:
      return "source addresses";
    case Item::kStatement:
      return "statement";
    case Item::kStatementSignature:
      return "statement signature";
    case Item::kEncryptedGrpKeys:
      return "encrypted group keys";
    case Item::kSenderTable:
      return "sender table";
    case Item::kExclusionSet:
      return "exclusion set";
    case Item::kEpochId:
      return "epoch id";
    case Item::kConfirmation:
      return "confirmation";
    case Item::kErrorName:
      return "error name";
    case Item::kTuple:
      return "tuple";
    case Item::kHeartbeatNumber:
      return "heartbeat number";
    case Item::kTime:
      return "time";
    case Item::kExclusionHash:
      return "exclusion hash";
    case Item::kControlUnicast:
      return "unicast control address";
    case Item::kControlMulticast:
      return "multicast control address";
    case Item::kActive:
      return "active";
    case Item::kCookie:
      return "cookie";
    case Item::kCommand:
      return "command";
    case Item::kReport:
      return "report";
    case Item::kMemberList:
      return "member list";
    case Item::kFirstMember:
      return "first member";
    case Item::kPadding:
      return "padding";
    case Item::kSignature:
      return "signature";
  }
  return {};
}

namespace {

std::string describe(std::uint16_t number) {
  const std::string_view name = item_name(number);
  return name.empty() ? "item " + std::to_string(number) : std::string(name);
}
std::string describe(Item tag) { return describe(static_cast<std::uint16_t>(tag)); }

}  // namespace

void ItemWriter::add(Item tag, ByteView value) {
  // The limits of every field keep values below this; a wrapped length would sign other octets
  // than were meant.
  if (value.size() > std::numeric_limits<std::uint16_t>::max()) std::abort();
  out_.number(static_cast<std::uint16_t>(static_cast<std::uint16_t>(tag) | kCriticalBit));
  out_.number(static_cast<std::uint16_t>(value.size()));
  out_.octets(value);
}

ItemReader::ItemReader(ByteView body) : in_(body) {
  if (body.size() > kMaxMessage) {
    in_.fail(kTooLong, std::to_string(body.size()) + " octets of items");
  }
  advance();
}

void ItemReader::advance() {
  current_.reset();
  while (!in_.at_end()) {
    const auto tag = in_.number<std::uint16_t>();
    const auto length = in_.number<std::uint16_t>();
    const ByteView value = in_.octets(length);
    if (!in_.ok()) return;
    const auto number = static_cast<std::uint16_t>(tag & ~kCriticalBit);
    if (number + 1U == lowest_next_) return in_.fail(kRepeatedItem, describe(number));
    if (number < lowest_next_) return in_.fail(kItemOrder, describe(number));
    lowest_next_ = number + 1U;
    const bool critical = (tag & kCriticalBit) != 0;
    if (!item_name(number).empty()) {
      // One form for each item: the bit is no choice of the sender's.
      if (!critical) return in_.fail(kBadValue, describe(number) + " is not marked critical");
      current_ = Current{number, value};
      return;
    }
    if (critical) return in_.fail(kUnknownItem, describe(number));
  }
}

bool ItemReader::is_next(Item tag) const {
  return in_.ok() && current_ && current_->number == static_cast<std::uint16_t>(tag);
}

std::optional<ByteView> ItemReader::required(Item tag) {
  if (!in_.ok()) return std::nullopt;
  const auto number = static_cast<std::uint16_t>(tag);
  if (!current_ || current_->number > number) {
    in_.fail(kMissingItem, describe(tag));
    return std::nullopt;
  }
  if (current_->number < number) {
    in_.fail(kUnexpectedItem, describe(current_->number));
    return std::nullopt;
  }
  const ByteView value = current_->value;
  advance();
  // An error behind this item is told by finish(); this one stands.
  return value;
}

void ItemReader::octets(Item tag, Bytes& value, std::size_t max_size) {
  const std::optional<ByteView> octets = required(tag);
  if (!octets) return;
  if (octets->empty() || octets->size() > max_size) {
    in_.fail(kBadValue, describe(tag) + " of " + std::to_string(octets->size()) + " octets");
    return;
  }
  value = to_bytes(*octets);
}

void ItemReader::fixed_octets(Item tag, Bytes& value, std::size_t size) {
  const std::optional<ByteView> octets = required(tag);
  if (!octets) return;
  if (octets->size() != size) {
    in_.fail(kBadValue, describe(tag) + " of " + std::to_string(octets->size()) + " octets");
    return;
  }
  value = to_bytes(*octets);
}

void ItemReader::optional_octets(Item tag, std::optional<Bytes>& value, std::size_t max_size) {
  value.reset();
  if (is_next(tag)) octets(tag, value.emplace(), max_size);
}

void ItemReader::optional_fixed_octets(Item tag, std::optional<Bytes>& value, std::size_t size) {
  value.reset();
  if (is_next(tag)) fixed_octets(tag, value.emplace(), size);
}

void ItemReader::share(Item tag, Bytes& value) {
  octets(tag, value, kShareOctets.back());
  if (in_.ok() && std::ranges::count(kShareOctets, value.size()) == 0) {
    in_.fail(kBadValue, describe(tag) + " of " + std::to_string(value.size()) + " octets");
  }
}

void ItemReader::padding(std::size_t size) {
  const std::optional<ByteView> octets = required(Item::kPadding);
  if (!octets) return;
  const bool zeros = std::ranges::all_of(*octets, [](std::uint8_t octet) { return octet == 0; });
  if (!zeros || octets->size() != size) {
    in_.fail(kBadValue, "padding other than " + std::to_string(size) + " zeros");
  }
}

void ItemReader::signature(Bytes& value) { octets(Item::kSignature, value, kMaxSignatureOctets); }

Result<void> ItemReader::finish() {
  if (in_.ok() && current_) in_.fail(kUnexpectedItem, describe(current_->number));
  if (!in_.ok()) return tl::unexpected<Error>(in_.error());
  return {};
}

void ItemReader::bad_value(Item tag, const Error& why) {
  in_.fail(kBadValue, describe(tag) + ": " + why.detail);
}

}  // namespace gkmpd::wire
