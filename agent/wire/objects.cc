#include "agent/wire/codec.h"
#include "agent/wire/messages.h"
#include "agent/wire/values.h"

namespace gkmpd::wire {
namespace {

/// Writes each field it is given.
struct Put {
  Writer& out;
  template <typename... T>
  void operator()(const T&... field) const {
    (put(out, field), ...);
  }
};

/// Reads each field it is given.
struct Get {
  Reader& in;
  template <typename... T>
  void operator()(T&... field) const {
    (get(in, field), ...);
  }
};

/// A statement's fields behind its version octet, once for both directions.
void statement_fields(auto both, auto& s) {
  both(s.suite, s.group, s.tuple, s.controller, s.controller_key, s.token_hash);
  both(s.previous, s.cause, s.creation, s.nonce, s.gtek_id, s.gkek_id, s.commitment);
  both(s.sender_table_hash, s.exclusion_hash, s.tree_parts_hash);
  both(s.activation_delay_ms, s.deactivation_delay_ms, s.not_before, s.not_after);
  both(s.crl_numbers);  // to the end
}

/// Sources of one sender: a count, then the addresses.
void put_sources(Writer& out, const std::vector<IpAddress>& sources) {
  put(out, static_cast<std::uint8_t>(sources.size()));
  put(out, sources);
}
void get_sources(Reader& in, std::vector<IpAddress>& sources) {
  const auto count = in.number<std::uint8_t>();
  if (count < 1 || count > 2) in.fail(kBadValue, std::to_string(count) + " sources of a sender");
  for (std::uint8_t i = 0; i < count && in.ok(); ++i) get(in, sources.emplace_back());
  if (in.ok() && count == 2 && sources[0].family >= sources[1].family) {
    in.fail(kBadValue, "a sender's sources are not one IPv4 and then one IPv6 address");
  }
}

void get_run(Reader& in, SenderTable::Entry& entry, std::uint32_t lowest_first) {
  get(in, entry.first_id);
  get(in, entry.count);
  const bool empty = entry.first_id == 0 || entry.count == 0;
  const std::uint32_t end = std::uint32_t{entry.first_id} + entry.count;
  if (in.ok() && (empty || end > kEndOfSenderIds || entry.first_id < lowest_first)) {
    in.fail(kBadValue, "sender ids " + std::to_string(entry.first_id) + " + " +
                           std::to_string(entry.count) + " are empty, too high or overlap");
  }
}

}  // namespace

Bytes encode(const Statement& statement) {
  Writer out;
  put(out, kVersion);
  statement_fields(Put{out}, statement);
  return out.take();
}

Result<Statement> decode_statement(ByteView octets) {
  Reader in(octets);
  Statement statement;
  if (const auto version = in.number<std::uint8_t>(); version != kVersion) {
    in.fail(kUnknownVersion, "statement of version " + std::to_string(version));
  }
  statement_fields(Get{in}, statement);
  if (in.ok() && statement.not_after < statement.not_before) {
    in.fail(kBadValue, "a statement that ends before it begins");
  }
  if (auto end = in.finish(); !end) return pass_on(end);
  return statement;
}

Bytes encode(const SenderTable& table) {
  Writer out;
  put(out, table.number);
  put(out, static_cast<std::uint16_t>(table.entries.size()));
  for (const SenderTable::Entry& entry : table.entries) {
    put(out, entry.host);
    put(out, entry.first_id);
    put(out, entry.count);
    put_sources(out, entry.sources);
  }
  return out.take();
}

Result<SenderTable> decode_sender_table(ByteView octets) {
  Reader in(octets);
  SenderTable table;
  get(in, table.number);
  const auto count = in.number<std::uint16_t>();
  if (count > kMaxSenderEntries) in.fail(kBadValue, std::to_string(count) + " senders");
  std::uint32_t lowest_first = 1;
  for (std::uint16_t i = 0; i < count && in.ok(); ++i) {
    SenderTable::Entry& entry = table.entries.emplace_back();
    get(in, entry.host);
    get_run(in, entry, lowest_first);
    get_sources(in, entry.sources);
    lowest_first = std::uint32_t{entry.first_id} + entry.count;
  }
  if (auto end = in.finish(); !end) return pass_on(end);
  return table;
}

Bytes encode(const ExclusionSet& set) {
  Writer out;
  put(out, static_cast<std::uint16_t>(set.hosts.size()));
  for (const NameHash& host : set.hosts) put(out, host);
  return out.take();
}

Result<ExclusionSet> decode_exclusion_set(ByteView octets) {
  Reader in(octets);
  ExclusionSet set;
  const auto count = in.number<std::uint16_t>();
  if (count > kMaxExclusions) in.fail(kBadValue, std::to_string(count) + " excluded hosts");
  for (std::uint16_t i = 0; i < count && in.ok(); ++i) get(in, set.hosts.emplace_back());
  const bool ascending =
      std::ranges::adjacent_find(set.hosts, std::ranges::greater_equal{}) == set.hosts.end();
  if (in.ok() && !ascending) in.fail(kBadValue, "excluded hosts are not strictly ascending");
  if (auto end = in.finish(); !end) return pass_on(end);
  return set;
}

}  // namespace gkmpd::wire
