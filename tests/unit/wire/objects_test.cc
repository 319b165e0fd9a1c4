#include <gtest/gtest.h>

#include <algorithm>

#include "agent/wire/errors.h"
#include "agent/wire/messages.h"
#include "tests/unit/wire/raw_items.h"
#include "tests/vectors/wire_samples.h"

namespace gkmpd::wire {
namespace {

using samples::filled;

template <typename T>
ErrorKind kind_of(const Result<T>& refused) {
  EXPECT_FALSE(refused);
  return refused ? ErrorKind("accepted") : refused.error().kind;
}

/// Every prefix is refused, and anything behind the end.
template <typename Decode>
void expect_exact_length(const Bytes& octets, Decode decode,
                         std::initializer_list<std::size_t> fine) {
  for (std::size_t size = 0; size < octets.size(); ++size) {
    const bool is_fine = std::ranges::find(fine, size) != fine.end();
    const auto decoded = decode(ByteView(octets).first(size));
    ASSERT_EQ(decoded.has_value(), is_fine) << size;
    if (!is_fine) {
      EXPECT_EQ(decoded.error().kind, kTruncated) << size;
    }
  }
}

/// A change of one bit is refused or is the one encoding of something else.
template <typename Decode>
void expect_one_encoding(const Bytes& octets, Decode decode) {
  for (std::size_t at = 0; at < octets.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes changed = octets;
      changed[at] ^= static_cast<std::uint8_t>(1 << bit);
      if (const auto decoded = decode(changed)) {
        ASSERT_EQ(encode(*decoded), changed) << "octet " << at;
      }
    }
  }
}

// --- Statement ---------------------------------------------------------------------------------

// Where the sample's fields begin.
constexpr std::size_t kAtSuite = 1;
constexpr std::size_t kAtCause = 143;
constexpr std::size_t kAtCreation = 144;
constexpr std::size_t kAtNotBefore = 329;
constexpr std::size_t kStatementFixed = 345;

TEST(Statement, HasTheWrittenLayout) {
  EXPECT_EQ(to_hex(encode(samples::statement())),
            "0101" + repeat("60", 16) +                        // version, suite, group
                "00000003" + "00000001" + "00" + "00000005" +  // tuple
                repeat("61", 32) + repeat("62", 32) +          // controller, its key
                repeat("63", 32) + repeat("64", 16) +          // token, previous epoch
                "0101" + repeat("65", 16) +                    // cause, creation, nonce
                repeat("11", 16) + repeat("12", 16) +          // GTEK id, GKEK id
                repeat("66", 32) + repeat("67", 32) +          // commitment, sender table
                repeat("68", 32) + repeat("69", 32) +          // exclusions, tree parts
                "000003e8" + "00001388" +                      // ATD, DTD
                "000000006b49d200" + "000000006b49e13c" +      // not before, not after
                repeat("31", 32) + "0000000000000007" +        // CRL numbers
                repeat("32", 32) + "0000000000000001");
}

TEST(Statement, RoundTripsWithAndWithoutCrlNumbers) {
  Statement statement = samples::statement();
  EXPECT_EQ(decode_statement(encode(statement)).value(), statement);
  statement.crl_numbers.clear();
  EXPECT_EQ(encode(statement).size(), kStatementFixed);
  EXPECT_EQ(decode_statement(encode(statement)).value(), statement);
  for (std::size_t i = 0; i < kMaxCrlNumbers; ++i) {
    statement.crl_numbers.push_back({filled<32>(static_cast<std::uint8_t>(i)), i});
  }
  EXPECT_EQ(encode(statement).size(), kMaxStatementOctets);
  EXPECT_EQ(decode_statement(encode(statement)).value(), statement);
}

TEST(Statement, ARekeyIsRoutineAndItsKeysMayBeMadeAlone) {
  const Bytes octets = encode(samples::rekey_statement());
  EXPECT_EQ(octets[kAtCause], 2);
  EXPECT_EQ(octets[kAtCreation], 2);
  EXPECT_EQ(decode_statement(octets).value(), samples::rekey_statement());
}

TEST(Statement, RefusesEveryOtherLength) {
  expect_exact_length(encode(samples::statement()), decode_statement,
                      {kStatementFixed, kStatementFixed + 40});
}

TEST(Statement, RefusesTooManyOrUnorderedCrlNumbers) {
  Statement statement = samples::statement();
  std::swap(statement.crl_numbers[0], statement.crl_numbers[1]);
  EXPECT_EQ(kind_of(decode_statement(encode(statement))), kBadValue);
  statement.crl_numbers[1] = statement.crl_numbers[0];
  EXPECT_EQ(kind_of(decode_statement(encode(statement))), kBadValue);
  statement.crl_numbers.clear();
  for (std::size_t i = 0; i <= kMaxCrlNumbers; ++i) {
    statement.crl_numbers.push_back({filled<32>(static_cast<std::uint8_t>(i)), i});
  }
  EXPECT_EQ(kind_of(decode_statement(encode(statement))), kBadValue);
}

TEST(Statement, RefusesWhatItDoesNotKnow) {
  const auto with = [](std::size_t at, std::uint8_t value) {
    Bytes octets = encode(samples::statement());
    octets[at] = value;
    return kind_of(decode_statement(octets));
  };
  EXPECT_EQ(with(0, 2), kUnknownVersion);
  EXPECT_EQ(with(kAtSuite, 5), kUnknownSuite);
  EXPECT_EQ(with(kAtCause, 0), kBadValue);
  EXPECT_EQ(with(kAtCause, 3), kBadValue);
  EXPECT_EQ(with(kAtCreation, 0), kBadValue);
  EXPECT_EQ(with(kAtCreation, 3), kBadValue);
  EXPECT_EQ(with(kAtNotBefore, 1), kBadValue);
}

TEST(Statement, RefusesAnEndBeforeItsBeginning) {
  Statement statement = samples::statement();
  statement.not_after = statement.not_before;
  EXPECT_TRUE(decode_statement(encode(statement)));
  statement.not_after -= seconds(1);
  EXPECT_EQ(kind_of(decode_statement(encode(statement))), kBadValue);
}

TEST(Statement, HasOneEncoding) {
  expect_one_encoding(encode(samples::statement()), decode_statement);
}

// --- Sender table ------------------------------------------------------------------------------

TEST(SenderTable, HasTheWrittenLayout) {
  EXPECT_EQ(to_hex(encode(samples::sender_table())),
            "00000001"
            "0002" +  // number, entries
                repeat("71", 32) +
                "0001"
                "0002"
                "01" +
                "040a090001" +  // one source
                repeat("70", 32) +
                "0003"
                "0002"
                "02" +
                "040a090002" +  // two
                "06fd090000000000000000000000000002");
}

TEST(SenderTable, RoundTrips) {
  EXPECT_EQ(decode_sender_table(encode(samples::sender_table())).value(), samples::sender_table());
  EXPECT_EQ(decode_sender_table(encode(SenderTable{})).value(), SenderTable{});
}

SenderTable::Entry run(std::uint16_t first_id, std::uint16_t count) {
  return {filled<32>(1), first_id, count, {*IpAddress::parse("10.9.0.1")}};
}

TEST(SenderTable, TakesAsManyAsItMay) {
  SenderTable table;
  for (std::size_t i = 0; i < kMaxSenderEntries; ++i) {
    table.entries.push_back(run(static_cast<std::uint16_t>(1 + i), 1));
    table.entries.back().sources.push_back(*IpAddress::parse("fd09::1"));
  }
  EXPECT_EQ(encode(table).size(), kMaxSenderTableOctets);
  EXPECT_EQ(decode_sender_table(encode(table)).value(), table);
  table.entries.push_back(run(2000, 1));
  EXPECT_EQ(kind_of(decode_sender_table(encode(table))), kBadValue);
}

TEST(SenderTable, RefusesEveryOtherLength) {
  const Bytes octets = encode(samples::sender_table());
  expect_exact_length(octets, decode_sender_table, {});
  Bytes longer = octets;
  longer.push_back(0);
  EXPECT_EQ(kind_of(decode_sender_table(longer)), kTrailing);
}

TEST(SenderTable, RunsAreWithinBoundsAndDoNotOverlap) {
  const auto decode = [](std::vector<SenderTable::Entry> entries) {
    return decode_sender_table(encode(SenderTable{1, std::move(entries)}));
  };
  EXPECT_TRUE(decode({run(1, 2), run(3, 1)}));
  EXPECT_TRUE(decode({run(1, 2), run(9, 1)}));
  EXPECT_TRUE(decode({run(65535, 1)}));
  EXPECT_TRUE(decode({run(1, 65535)}));
  EXPECT_EQ(kind_of(decode({run(0, 1)})), kBadValue);
  EXPECT_EQ(kind_of(decode({run(1, 0)})), kBadValue);
  EXPECT_EQ(kind_of(decode({run(65535, 2)})), kBadValue);
  EXPECT_EQ(kind_of(decode({run(1, 2), run(2, 1)})), kBadValue);
  EXPECT_EQ(kind_of(decode({run(3, 1), run(1, 2)})), kBadValue);
  EXPECT_EQ(kind_of(decode({run(1, 65535), run(1, 1)})), kBadValue);
}

TEST(SenderTable, SourcesAreOneOfAFamily) {
  const auto decode = [](std::vector<IpAddress> sources) {
    SenderTable::Entry entry = run(1, 1);
    entry.sources = std::move(sources);
    return decode_sender_table(encode(SenderTable{1, {entry}}));
  };
  const IpAddress v4 = *IpAddress::parse("10.9.0.1");
  const IpAddress v6 = *IpAddress::parse("fd09::1");
  EXPECT_TRUE(decode({v4}));
  EXPECT_TRUE(decode({v6}));
  EXPECT_TRUE(decode({v4, v6}));
  EXPECT_EQ(kind_of(decode({})), kBadValue);
  EXPECT_EQ(kind_of(decode({v6, v4})), kBadValue);
  EXPECT_EQ(kind_of(decode({v4, *IpAddress::parse("10.9.0.2")})), kBadValue);
  EXPECT_EQ(kind_of(decode({v4, v6, *IpAddress::parse("fd09::2")})), kBadValue);
}

TEST(SenderTable, HasOneEncoding) {
  expect_one_encoding(encode(samples::sender_table()), decode_sender_table);
}

// --- Exclusion set -----------------------------------------------------------------------------

TEST(ExclusionSet, HasTheWrittenLayout) {
  EXPECT_EQ(to_hex(encode(samples::exclusion_set())), "0002" + repeat("81", 32) + repeat("82", 32));
  EXPECT_EQ(to_hex(encode(ExclusionSet{})), "0000");
}

TEST(ExclusionSet, RoundTripsUpToItsLimit) {
  ExclusionSet set;
  for (std::size_t i = 0; i < kMaxExclusions; ++i) {
    set.hosts.push_back(filled<32>(static_cast<std::uint8_t>(i)));
  }
  EXPECT_EQ(encode(set).size(), kMaxExclusionSetOctets);
  EXPECT_EQ(decode_exclusion_set(encode(set)).value(), set);
  NameHash higher = filled<32>(0xff);
  higher[31] = 0xff;
  higher[0] = 0xff;
  set.hosts.front() = {};
  set.hosts.push_back(higher);
  EXPECT_EQ(kind_of(decode_exclusion_set(encode(set))), kBadValue);
}

TEST(ExclusionSet, RefusesEveryOtherLength) {
  const Bytes octets = encode(samples::exclusion_set());
  expect_exact_length(octets, decode_exclusion_set, {});
  Bytes longer = octets;
  longer.push_back(0);
  EXPECT_EQ(kind_of(decode_exclusion_set(longer)), kTrailing);
}

TEST(ExclusionSet, IsStrictlyAscending) {
  EXPECT_EQ(kind_of(decode_exclusion_set(encode(ExclusionSet{{filled<32>(2), filled<32>(1)}}))),
            kBadValue);
  EXPECT_EQ(kind_of(decode_exclusion_set(encode(ExclusionSet{{filled<32>(2), filled<32>(2)}}))),
            kBadValue);
}

TEST(ExclusionSet, HasOneEncoding) {
  expect_one_encoding(encode(samples::exclusion_set()), decode_exclusion_set);
}

}  // namespace
}  // namespace gkmpd::wire
