// Looks for every form of every key in one pass.
#pragma once

#include <functional>
#include <string_view>

#include "tests/support/secret_search/key_list.h"

namespace gkmpd::secret_search {

enum class Form {
  kRaw,
  kReversed,  // as OpenSSL's numbers lie in memory
  kHexLower,
  kHexUpper,
  kBase64,  // from any of the three places in a group of three octets
};
[[nodiscard]] std::string_view to_text(Form form);

/// A piece of a key in one form.
struct Pattern {
  Octets octets;
  Form form = Form::kRaw;
  std::size_t key = 0;  // index into the list
};

/// The forms of every random piece of every key, each once.
[[nodiscard]] std::vector<Pattern> patterns_of(const std::vector<Key>& keys);

class Finder {
 public:
  using OnFound = std::function<void(std::size_t offset, const Pattern&)>;

  explicit Finder(std::vector<Pattern> patterns);

  void search(View octets, const OnFound& on_found) const;
  [[nodiscard]] std::size_t size() const { return patterns_.size(); }

 private:
  std::vector<Pattern> patterns_;  // in the order of their first octets
  std::vector<std::uint64_t> firsts_;
  std::vector<bool> may_begin_;  // by a hash of the first octets: most places are settled by it
};

/// Text with the escapes of C and JSON put back: what a log or a JSON writer does to raw octets.
[[nodiscard]] Octets unescaped(View text);

}  // namespace gkmpd::secret_search
