// One table of a TOML file, read key by key: the first thing wrong is remembered and everything
// after it does nothing, so that a reader is a plain list of keys.
#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/error.h"

namespace gkmpd::daemon {

/// Holds the first error of one file.
class TomlProblems {
 public:
  explicit TomlProblems(std::string file) : file_(std::move(file)) {}

  /// "FILE:LINE: what"; a line of 0 is left out.
  void add(ErrorKind kind, std::uint32_t line, const std::string& what);
  [[nodiscard]] bool any() const { return first_.has_value(); }
  [[nodiscard]] const std::optional<Error>& first() const { return first_; }

 private:
  std::string file_;
  std::optional<Error> first_;
};

class TomlSection {
 public:
  /// `name` is "" for the file's top level. `table` may be null: then every key is absent.
  TomlSection(std::string name, const toml::table* table, TomlProblems& problems)
      : name_(std::move(name)), table_(table), problems_(problems) {}

  /// A table under this one; absent if there is none.
  [[nodiscard]] TomlSection section(std::string_view key);

  /// Values. A key that is absent gives nothing, one of another type is an error.
  [[nodiscard]] std::optional<std::string> text(std::string_view key);
  [[nodiscard]] std::optional<std::int64_t> number(std::string_view key, std::int64_t least,
                                                   std::int64_t most);
  [[nodiscard]] std::optional<bool> flag(std::string_view key);
  [[nodiscard]] std::vector<std::string> texts(std::string_view key);
  [[nodiscard]] std::vector<std::int64_t> numbers(std::string_view key, std::int64_t least,
                                                  std::int64_t most);
  /// A text alone, or a list of texts.
  [[nodiscard]] std::vector<std::string> text_or_texts(std::string_view key);

  /// text(), where absence is an error; `what` tells what belongs there.
  [[nodiscard]] std::string required_text(std::string_view key, std::string_view what);

  /// `config.missing-key` for a key that holds nothing; `what` tells what belongs there.
  void missing(std::string_view key, std::string_view what);
  /// `config.bad-value` for a key that was read: "key control.port: `problem`".
  void refuse(std::string_view key, const std::string& problem);

  /// Every key not asked for by now is `config.unknown-key`.
  void finish();

  [[nodiscard]] const toml::table* table() const { return table_; }

 private:
  [[nodiscard]] const toml::node* find(std::string_view key);
  [[nodiscard]] std::string full(std::string_view key) const;

  std::string name_;
  const toml::table* table_;
  TomlProblems& problems_;
  std::vector<std::string> known_;
};

}  // namespace gkmpd::daemon
