#include "tests/support/secret_search/finder.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <optional>
#include <set>
#include <string>

namespace gkmpd::secret_search {
namespace {

constexpr std::string_view kLower = "0123456789abcdef";
constexpr std::string_view kUpper = "0123456789ABCDEF";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t kGroup = 3;      // octets that base64 writes together
constexpr std::size_t kDigitBits = 6;  // of base64
constexpr unsigned kHashBits = 22;

Octets hex_of(View piece, std::string_view digits) {
  Octets out;
  for (const std::uint8_t octet : piece) {
    out.push_back(static_cast<std::uint8_t>(digits[octet >> 4]));
    out.push_back(static_cast<std::uint8_t>(digits[octet & 0xf]));
  }
  return out;
}

/// The digits that the piece alone decides when `before` octets of its first group come first.
Octets base64_of(View piece, std::size_t before) {
  const auto bit = [&](std::size_t i) {
    return static_cast<unsigned>(piece[i / 8] >> (7 - i % 8) & 1);
  };
  // The first digit that begins inside of the piece.
  const std::size_t skipped = (kDigitBits - before * 8 % kDigitBits) % kDigitBits;
  Octets out;
  for (std::size_t at = skipped; at + kDigitBits <= piece.size() * 8; at += kDigitBits) {
    unsigned digit = 0;
    for (std::size_t i = 0; i < kDigitBits; ++i) digit = digit << 1 | bit(at + i);
    out.push_back(static_cast<std::uint8_t>(kBase64[digit]));
  }
  return out;
}

/// From front to back in whole pieces, and the last one.
std::vector<View> pieces_of(View key) {
  std::vector<View> pieces;
  for (std::size_t at = 0; at + kPieceSize <= key.size(); at += kPieceSize) {
    pieces.push_back(key.subspan(at, kPieceSize));
  }
  if (key.size() % kPieceSize != 0) pieces.push_back(key.last(kPieceSize));
  return pieces;
}

std::uint64_t first_of(const std::uint8_t* octets) {
  std::uint64_t first = 0;
  std::memcpy(&first, octets, sizeof first);
  return first;
}

std::size_t hash(std::uint64_t first) {
  return static_cast<std::size_t>(first * 0x9e3779b97f4a7c15U >> (64 - kHashBits));
}

std::optional<std::uint8_t> hex_value(View digits) {
  unsigned value = 0;
  for (const std::uint8_t digit : digits) {
    const auto lower = static_cast<char>(digit >= 'A' && digit <= 'F' ? digit + 0x20 : digit);
    const std::size_t at = kLower.find(lower);
    if (at == std::string_view::npos) return std::nullopt;
    value = value << 4 | static_cast<unsigned>(at);
  }
  return value > 0xff ? std::nullopt : std::optional(static_cast<std::uint8_t>(value));
}

struct Escape {
  std::uint8_t octet;
  std::size_t length;  // in the text
};

/// The escape at the start of `text`, which begins with a backslash.
std::optional<Escape> escape_at(View text) {
  if (text.size() < 2) return std::nullopt;
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  const std::size_t at = kLetters.find(static_cast<char>(text[1]));
  if (at != std::string_view::npos) return Escape{static_cast<std::uint8_t>(kMeanings[at]), 2};
  const std::size_t digits = text[1] == 'x' ? 2 : text[1] == 'u' ? 4 : 0;
  if (digits == 0 || text.size() < 2 + digits) return std::nullopt;
  const auto value = hex_value(text.subspan(2, digits));
  return value ? std::optional(Escape{*value, 2 + digits}) : std::nullopt;
}

}  // namespace

std::string_view to_text(Form form) {
  switch (form) {
    case Form::kRaw:
      return "raw";
    case Form::kReversed:
      return "reversed";
    case Form::kHexLower:
      return "hex";
    case Form::kHexUpper:
      return "HEX";
    case Form::kBase64:
      return "base64";
  }
  return "";
}

std::vector<Pattern> patterns_of(const std::vector<Key>& keys) {
  std::vector<Pattern> patterns;
  std::set<Octets> known;
  const auto add = [&](Octets octets, Form form, std::size_t key) {
    if (known.insert(octets).second) patterns.push_back({std::move(octets), form, key});
  };
  for (std::size_t key = 0; key < keys.size(); ++key) {
    for (const View piece : pieces_of(keys[key].octets)) {
      if (!is_random(piece)) continue;
      add({piece.begin(), piece.end()}, Form::kRaw, key);
      add({piece.rbegin(), piece.rend()}, Form::kReversed, key);
      add(hex_of(piece, kLower), Form::kHexLower, key);
      add(hex_of(piece, kUpper), Form::kHexUpper, key);
      for (std::size_t before = 0; before < kGroup; ++before) {
        add(base64_of(piece, before), Form::kBase64, key);
      }
    }
  }
  return patterns;
}

Finder::Finder(std::vector<Pattern> patterns)
    : patterns_(std::move(patterns)), may_begin_(std::size_t{1} << kHashBits) {
  const auto first = [](const Pattern& pattern) { return first_of(pattern.octets.data()); };
  std::ranges::sort(patterns_, {}, first);
  for (const Pattern& pattern : patterns_) {
    firsts_.push_back(first(pattern));
    may_begin_[hash(firsts_.back())] = true;
  }
}

void Finder::search(View octets, const OnFound& on_found) const {
  constexpr std::size_t kFirst = sizeof(std::uint64_t);
  for (std::size_t at = 0; at + kFirst <= octets.size(); ++at) {
    const std::uint64_t first = first_of(octets.data() + at);
    if (!may_begin_[hash(first)]) continue;
    const auto [from, to] = std::ranges::equal_range(firsts_, first);
    for (auto it = from; it != to; ++it) {
      const Pattern& pattern = patterns_[static_cast<std::size_t>(it - firsts_.begin())];
      const View rest = octets.subspan(at);
      if (rest.size() >= pattern.octets.size() &&
          std::ranges::equal(rest.first(pattern.octets.size()), pattern.octets)) {
        on_found(at, pattern);
      }
    }
  }
}

Octets unescaped(View text) {
  Octets out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto escape = text[at] == '\\' ? escape_at(text.subspan(at)) : std::nullopt;
    out.push_back(escape ? escape->octet : text[at]);
    at += escape ? escape->length : 1;
  }
  return out;
}

}  // namespace gkmpd::secret_search
