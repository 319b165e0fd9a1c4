// Reads TOML files key by key, strictly: every key has one type, unknown keys are errors, and the
// first error names its key and what it may hold.
#pragma once

#include <toml++/toml.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/address.h"
#include "agent/base/error.h"
#include "agent/base/ids.h"
#include "agent/base/time.h"

namespace gkmpd::identity {

/// Parses a text; a failure is of kind `syntax` and tells line and column. The only place where
/// toml++'s exception is met.
[[nodiscard]] Result<toml::table> parse_toml(std::string_view text, ErrorKind syntax);

/// The first error met while a file is read. Later ones are consequences more often than news.
class FieldErrors {
 public:
  explicit FieldErrors(ErrorKind kind) : kind_(kind) {}

  /// Notes "key: what" under the kind given to the constructor.
  void note(const std::string& key, const std::string& what) { note(kind_, key, what); }
  void note(ErrorKind kind, const std::string& key, const std::string& what);

  [[nodiscard]] bool none() const { return !first_; }
  [[nodiscard]] Result<void> result() const;

 private:
  ErrorKind kind_;
  std::optional<Error> first_;
};

enum class Presence { kRequired, kOptional };

/// One table of a file. What is read goes to `out`, which keeps its value where an optional key is
/// absent or an error was noted.
class FieldReader {
 public:
  /// `where` is put before keys in errors: "" or "ipsec.". `table` and `errors` must outlive this.
  FieldReader(const toml::table& table, std::string where, FieldErrors& errors)
      : table_(&table), where_(std::move(where)), errors_(&errors) {}

  void text(const char* key, Presence presence, std::string& out);
  void name(const char* key, std::string& out);
  /// Names, each at most once, in the order of the file. Required.
  void names(const char* key, std::size_t min, std::size_t max, std::vector<std::string>& out);
  /// An offset date-time in whole seconds, from 1970 on. Required.
  void time(const char* key, WallTime& out);
  /// A SHA-256 as sha256sum prints it. Required.
  void digest(const char* key, const std::string& of_what, Digest& out);
  void flag(const char* key, Presence presence, bool& out);
  /// 1 to 2^63-1. Required.
  void counter(const char* key, std::uint64_t& out);
  /// An address in its canonical text form.
  void address(const char* key, Presence presence, std::optional<IpAddress>& out);

  template <typename T>
  void number(const char* key, Presence presence, std::uint32_t min, std::uint32_t max, T& out) {
    if (const auto value = integer(key, presence, min, max)) out = static_cast<T>(*value);
  }

  /// A table inside this one; none (and an error) if it is absent. Required.
  [[nodiscard]] std::optional<FieldReader> table(const char* key);
  /// The tables of `[[key]]`, numbered from 1 in errors. Required.
  [[nodiscard]] std::vector<FieldReader> tables(const char* key, std::size_t max);

  /// Notes the first key that nobody asked for.
  void refuse_unknown();
  /// Notes "key: what" for a rule that goes beyond form.
  void refuse(const char* key, const std::string& what) { errors_->note(where_ + key, what); }

 private:
  [[nodiscard]] const toml::node* find(const char* key, Presence presence, const char* form);
  [[nodiscard]] std::optional<std::uint32_t> integer(const char* key, Presence presence,
                                                     std::uint32_t min, std::uint32_t max);

  const toml::table* table_;
  std::string where_;
  FieldErrors* errors_;
  std::vector<std::string_view> asked_;
};

}  // namespace gkmpd::identity
