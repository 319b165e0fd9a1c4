#include "agent/wire/values.h"

#include <functional>

namespace gkmpd::wire {
namespace {

/// 9999-12-31T23:59:59Z.
constexpr std::uint64_t kLatestUnix = 253'402'300'799;
constexpr std::size_t kMaxErrorName = 64;

/// Reads elements to the end; more than `max` is an error.
template <typename T, typename ReadOne>
void get_all(Reader& in, std::vector<T>& list, std::size_t max, ReadOne read_one) {
  list.clear();
  while (!in.at_end()) {
    if (list.size() == max) {
      in.fail(kBadValue, "more than " + std::to_string(max) + " elements in a list");
      return;
    }
    read_one(in, list.emplace_back());
  }
}

template <typename T, typename Key = std::identity>
void want_ascending(Reader& in, const std::vector<T>& list, Key key = {}) {
  const auto not_below = std::ranges::adjacent_find(list, std::ranges::greater_equal{}, key);
  if (not_below != list.end()) in.fail(kBadValue, "a list that is not strictly ascending");
}

bool is_name_octet(std::uint8_t octet) {
  return (octet >= 'a' && octet <= 'z') || (octet >= '0' && octet <= '9') || octet == '.' ||
         octet == '-';
}

}  // namespace

void put(Writer& out, bool value) { out.number<std::uint8_t>(value ? 1 : 0); }
void get(Reader& in, bool& value) {
  const auto number = in.number<std::uint8_t>();
  if (number > 1) in.fail(kBadValue, "truth value " + std::to_string(number));
  value = number == 1;
}

void put(Writer& out, Request value) { out.number(static_cast<std::uint8_t>(value)); }
void get(Reader& in, Request& value) {
  get_enum(in, value, {Request::kGroupCreation}, "request", kBadValue);
}

void put(Writer& out, JoinInquiry value) { out.number(static_cast<std::uint8_t>(value)); }
void get(Reader& in, JoinInquiry& value) {
  get_enum(in, value, {JoinInquiry::kGroupJoin}, "request", kBadValue);
}

void put(Writer& out, StatusInquiry value) { out.number(static_cast<std::uint8_t>(value)); }
void get(Reader& in, StatusInquiry& value) {
  get_enum(in, value, {StatusInquiry::kStatus}, "request", kBadValue);
}

void put(Writer& out, Suite value) { out.number(static_cast<std::uint8_t>(value)); }
void get(Reader& in, Suite& value) {
  get_enum(in, value, std::span<const Suite>(kSuites), "suite", kUnknownSuite);
}

void put(Writer& out, Cause value) { out.number(static_cast<std::uint8_t>(value)); }
void get(Reader& in, Cause& value) {
  get_enum(in, value, {Cause::kCreate, Cause::kRoutine}, "cause", kBadValue);
}

void put(Writer& out, Creation value) { out.number(static_cast<std::uint8_t>(value)); }
void get(Reader& in, Creation& value) {
  get_enum(in, value, {Creation::kCooperative, Creation::kAlone}, "creation", kBadValue);
}

void put(Writer& out, WallTime value) { out.number(to_unix(value)); }
void get(Reader& in, WallTime& value) {
  const auto unix_s = in.number<std::uint64_t>();
  if (unix_s > kLatestUnix) {
    in.fail(kBadValue, "a time past the year 9999");
    return;
  }
  value = from_unix(unix_s);
}

void put(Writer& out, const EpochTuple& value) {
  put(out, value.token_version);
  put(out, value.term);
  put(out, value.rank);
  put(out, value.epoch);
}
void get(Reader& in, EpochTuple& value) {
  get(in, value.token_version);
  get(in, value.term);
  get(in, value.rank);
  get(in, value.epoch);
}

void put(Writer& out, const IpAddress& value) {
  out.number(static_cast<std::uint8_t>(value.family));
  out.octets(value.view());
}
void get(Reader& in, IpAddress& value) {
  get_enum(in, value.family, {IpFamily::kV4, IpFamily::kV6}, "address family", kBadValue);
  value.octets = {};
  std::ranges::copy(in.octets(value.size()), value.octets.begin());
}

void put(Writer& out, const SocketAddress& value) {
  put(out, value.ip);
  put(out, value.port);
}
void get(Reader& in, SocketAddress& value) {
  get(in, value.ip);
  get(in, value.port);
}

void put(Writer& out, const std::string& value) { out.octets(as_bytes(value)); }
void get(Reader& in, std::string& value) {
  const ByteView name = in.rest();
  if (name.empty() || name.size() > kMaxErrorName || !std::ranges::all_of(name, is_name_octet)) {
    in.fail(kBadValue, "not the name of an error");
    return;
  }
  value = as_text(name);
}

void put(Writer& out, const std::vector<CrlNumber>& value) {
  for (const CrlNumber& crl : value) {
    put(out, crl.issuer_key_hash);
    put(out, crl.number);
  }
}
void get(Reader& in, std::vector<CrlNumber>& value) {
  get_all(in, value, kMaxCrlNumbers, [](Reader& from, CrlNumber& crl) {
    get(from, crl.issuer_key_hash);
    get(from, crl.number);
  });
  want_ascending(in, value, &CrlNumber::issuer_key_hash);
}

void put(Writer& out, const std::vector<IpAddress>& value) {
  for (const IpAddress& address : value) put(out, address);
}
void get(Reader& in, std::vector<IpAddress>& value) {
  get_all(in, value, kMaxSourceAddresses,
          [](Reader& from, IpAddress& address) { get(from, address); });
  want_ascending(in, value);
}

void put(Writer& out, const std::vector<Bytes>& value) {
  for (const Bytes& certificate : value) {
    put(out, static_cast<std::uint16_t>(certificate.size()));
    out.octets(certificate);
  }
}
void get(Reader& in, std::vector<Bytes>& value) {
  get_all(in, value, kMaxCertificates, [](Reader& from, Bytes& certificate) {
    const auto size = from.number<std::uint16_t>();
    if (size == 0 || size > kMaxCertificateOctets) {
      from.fail(kBadValue, "a certificate of " + std::to_string(size) + " octets");
      return;
    }
    certificate = to_bytes(from.octets(size));
  });
  if (value.empty()) in.fail(kBadValue, "no certificate");
}

}  // namespace gkmpd::wire
