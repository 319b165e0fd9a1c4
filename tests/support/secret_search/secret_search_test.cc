#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <sstream>

#include "tests/support/secret_search/finder.h"

namespace gkmpd::secret_search {
namespace {

Octets random_octets(std::size_t size, unsigned seed) {
  std::mt19937 generator(seed);
  Octets octets(size);
  for (auto& octet : octets) octet = static_cast<std::uint8_t>(generator());
  return octets;
}

Octets text(std::string_view words) { return {words.begin(), words.end()}; }

/// Forms found, with how often each.
std::map<Form, int> forms_in(const std::vector<Key>& keys, const Octets& content) {
  std::map<Form, int> forms;
  Finder(patterns_of(keys)).search(content, [&](std::size_t, const Pattern& pattern) {
    ++forms[pattern.form];
  });
  return forms;
}

// Octets 0 to 31 of a key whose forms were written down with od and base64 of coreutils.
const Octets kOctets = [] {
  Octets octets;
  for (unsigned i = 0; i < 32; ++i) octets.push_back(static_cast<std::uint8_t>(0xe1 + 5 * i));
  return octets;
}();
const std::vector<Key> kKeys{{kOctets, "key"}};

Octets surrounded(Octets middle) {
  Octets all = text("before it all ");
  all.insert(all.end(), middle.begin(), middle.end());
  const Octets after = text(" and after");
  all.insert(all.end(), after.begin(), after.end());
  return all;
}

TEST(Finder, FindsTheOctetsThemselves) {
  // Two pieces of sixteen.
  EXPECT_EQ(forms_in(kKeys, surrounded(kOctets)), (std::map<Form, int>{{Form::kRaw, 2}}));
}

TEST(Finder, FindsThemBackwards) {
  EXPECT_EQ(forms_in(kKeys, surrounded({kOctets.rbegin(), kOctets.rend()})),
            (std::map<Form, int>{{Form::kReversed, 2}}));
}

TEST(Finder, FindsHexadecimalOfEitherCase) {
  const auto lower = text("e1e6ebf0f5faff04090e13181d22272c31363b40454a4f54595e63686d72777c");
  Octets upper = lower;
  for (auto& digit : upper) digit = static_cast<std::uint8_t>(std::toupper(digit));
  EXPECT_EQ(forms_in(kKeys, surrounded(lower)), (std::map<Form, int>{{Form::kHexLower, 2}}));
  EXPECT_EQ(forms_in(kKeys, surrounded(upper)), (std::map<Form, int>{{Form::kHexUpper, 2}}));
}

TEST(Finder, FindsBase64FromAnyPlaceInAGroup) {
  // Of the octets alone, and behind "x" and "xy".
  for (const char* written : {"4ebr8PX6/wQJDhMYHSInLDE2O0BFSk9UWV5jaG1yd3w=",
                              "eOHm6/D1+v8ECQ4TGB0iJywxNjtARUpPVFleY2htcnd8",
                              "eHnh5uvw9fr/BAkOExgdIicsMTY7QEVKT1RZXmNobXJ3fA=="}) {
    EXPECT_EQ(forms_in(kKeys, surrounded(text(written))), (std::map<Form, int>{{Form::kBase64, 2}}))
        << written;
  }
}

TEST(Finder, FindsWhatAFreeListHasLeftOfAKey) {
  Octets block = kOctets;
  std::fill_n(block.begin(), 16, std::uint8_t{0});
  EXPECT_EQ(forms_in(kKeys, surrounded(block)), (std::map<Form, int>{{Form::kRaw, 1}}));
}

TEST(Finder, FindsTheEndOfAKeyThatIsNoMultipleOfAPiece) {
  const Octets key = random_octets(20, 7);
  const Octets end(key.end() - 16, key.end());
  EXPECT_EQ(forms_in({{key, ""}}, surrounded(end)), (std::map<Form, int>{{Form::kRaw, 1}}));
}

TEST(Finder, FindsNothingWhereNothingIs) {
  Octets nearly = kOctets;
  nearly[15] ^= 1;
  nearly[16] ^= 1;
  EXPECT_TRUE(forms_in(kKeys, surrounded(nearly)).empty());
  EXPECT_TRUE(forms_in(kKeys, random_octets(1'000'000, 1)).empty());
  EXPECT_TRUE(forms_in(kKeys, {}).empty());
  EXPECT_TRUE(forms_in(kKeys, {kOctets.begin(), kOctets.begin() + 15}).empty());
}

TEST(Finder, FindsEachOfThousandsAtItsPlace) {
  std::vector<Key> keys;
  for (unsigned i = 0; i < 3000; ++i) keys.push_back({random_octets(32, 100 + i), ""});
  Octets content = random_octets(8'000'000, 99);
  std::map<std::size_t, std::size_t> planted;  // offset: key
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::size_t offset = i * 2600 + i % 7;
    std::ranges::copy(keys[i].octets, content.begin() + static_cast<std::ptrdiff_t>(offset));
    planted[offset] = planted[offset + 16] = i;
  }
  std::map<std::size_t, std::size_t> found;
  Finder(patterns_of(keys)).search(content, [&](std::size_t offset, const Pattern& pattern) {
    found[offset] = pattern.key;
  });
  EXPECT_EQ(found, planted);
}

TEST(Finder, ZerosPatternsAndPointersAreNoKeys) {
  Octets pointers = random_octets(16, 3);
  for (const std::size_t high : {6U, 7U, 14U, 15U}) pointers[high] = 0;
  for (const Octets& octets : {Octets(32), Octets(32, 0xff), text("abababababababab"), pointers}) {
    EXPECT_TRUE(patterns_of({{octets, ""}}).empty());
  }
  // A key with one half of zeros is looked for by the other.
  Octets half = random_octets(32, 4);
  std::fill_n(half.begin(), 16, std::uint8_t{0});
  EXPECT_EQ(forms_in({{half, ""}}, surrounded(half)), (std::map<Form, int>{{Form::kRaw, 1}}));
}

TEST(Unescaped, PutsBackWhatLogsAndJsonWrite) {
  EXPECT_EQ(unescaped(text(R"(a\xe1\u00E6\\\"\n\tz)")), text("a\xe1\xe6\\\"\n\tz"));
  // What is no escape stays.
  for (const char* plain : {"", "\\", "\\x", "\\x1", "\\q", "\\xgg", "\\u12", "\\u1234"}) {
    EXPECT_EQ(unescaped(text(plain)), text(plain));
  }
}

TEST(KeyList, ReadsHexAndNames) {
  std::istringstream in(
      "000102030405060708090a0b0c0d0e0f the first one\n\n"
      "000102030405060708090A0B0C0D0E0F again\n"
      "0f0e0d0c0b0a09080706050403020100ffffffff\n");
  const auto keys = read_key_list(in);
  ASSERT_TRUE(keys) << keys.error();
  ASSERT_EQ(keys->size(), 2U);
  EXPECT_EQ((*keys)[0].name, "the first one");
  EXPECT_EQ((*keys)[1].octets.size(), 20U);
  EXPECT_EQ((*keys)[1].name, "");
}

TEST(KeyList, RefusesWhatIsNoKey) {
  for (const char* line :
       {"00", "000102030405060708090a0b0c0d0e0", "key", "000102030405060708090a0b0c0d0e0f0f",
        "0x0102030405060708090a0b0c0d0e0f"}) {
    std::istringstream in(std::string(line) + "\n");
    const auto keys = read_key_list(in);
    ASSERT_FALSE(keys) << line;
    EXPECT_NE(keys.error().find("line 1"), std::string::npos);
  }
}

}  // namespace
}  // namespace gkmpd::secret_search
