#include "tests/support/secret_search/key_list.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>

namespace gkmpd::secret_search {
namespace {

constexpr std::array<std::size_t, 6> kKeySizes{16, 20, 32, 36, 48, 64};
// Of sixteen random octets fewer are different once in 10^12, and as many zero once in 2 million.
constexpr std::ptrdiff_t kLeastDifferent = 8;
constexpr std::ptrdiff_t kMostZero = 3;

std::optional<std::uint8_t> digit_of(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

std::optional<Octets> octets_of(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  Octets octets;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const auto high = digit_of(hex[i]);
    const auto low = digit_of(hex[i + 1]);
    if (!high || !low) return std::nullopt;
    octets.push_back(static_cast<std::uint8_t>(*high << 4 | *low));
  }
  return octets;
}

}  // namespace

bool is_key_size(std::size_t size) { return std::ranges::find(kKeySizes, size) != kKeySizes.end(); }

bool is_random(View piece) {
  std::array<bool, 256> seen{};
  for (const std::uint8_t octet : piece) seen[octet] = true;
  return std::ranges::count(seen, true) >= kLeastDifferent &&
         std::ranges::count(piece, std::uint8_t{0}) <= kMostZero;
}

tl::expected<std::vector<Key>, std::string> read_key_list(std::istream& in) {
  std::vector<Key> keys;
  std::set<Octets> known;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty()) continue;
    const std::size_t end = std::min(line.find(' '), line.size());
    auto octets = octets_of(std::string_view(line).substr(0, end));
    if (!octets || !is_key_size(octets->size())) {
      return tl::unexpected("line " + std::to_string(number) + ": no key in hexadecimal");
    }
    if (!known.insert(*octets).second) continue;
    keys.push_back({*std::move(octets), line.substr(std::min(end + 1, line.size()))});
  }
  return keys;
}

}  // namespace gkmpd::secret_search
