#include "agent/identity/toml_reader.h"

#include <algorithm>
#include <chrono>

#include "agent/identity/names.h"

namespace gkmpd::identity {
namespace {

constexpr std::size_t kMaxQuoted = 160;

/// Parts of a file as they may stand in an error text: printable ASCII, bounded.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kMaxQuoted)) out.push_back(c >= ' ' && c <= '~' ? c : '?');
  return out;
}

std::optional<WallTime> to_wall_time(const toml::date_time& value) {
  namespace chr = std::chrono;
  if (!value.offset || value.time.nanosecond != 0) return std::nullopt;
  const chr::year_month_day date{chr::year(value.date.year), chr::month(value.date.month),
                                 chr::day(value.date.day)};
  if (!date.ok() || value.time.second > 59) return std::nullopt;
  const WallTime time = chr::sys_days(date) + chr::hours(value.time.hour) +
                        chr::minutes(value.time.minute) + chr::seconds(value.time.second) -
                        chr::minutes(value.offset->minutes);
  if (time < WallTime{}) return std::nullopt;
  return time;
}

}  // namespace

Result<toml::table> parse_toml(std::string_view text, ErrorKind syntax) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    const toml::source_position at = error.source().begin;
    return fail(syntax, "line " + std::to_string(at.line) + ", column " +
                            std::to_string(at.column) + ": " + printable(error.description()));
  }
}

void FieldErrors::note(ErrorKind kind, const std::string& key, const std::string& what) {
  if (!first_) first_ = Error{kind, key + ": " + what};
}

Result<void> FieldErrors::result() const {
  if (first_) return tl::unexpected<Error>(*first_);
  return {};
}

const toml::node* FieldReader::find(const char* key, Presence presence, const char* form) {
  asked_.emplace_back(key);
  const toml::node* node = table_->get(key);
  if (node == nullptr && presence == Presence::kRequired) {
    refuse(key, std::string("is missing; it must be ") + form);
  }
  return node;
}

std::optional<std::uint32_t> FieldReader::integer(const char* key, Presence presence,
                                                  std::uint32_t min, std::uint32_t max) {
  const std::string form =
      "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
  const toml::node* node = find(key, presence, form.c_str());
  if (node == nullptr) return std::nullopt;
  const toml::value<std::int64_t>* value = node->as_integer();
  if (value == nullptr || value->get() < std::int64_t{min} || value->get() > std::int64_t{max}) {
    refuse(key, "must be " + form);
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(value->get());
}

void FieldReader::text(const char* key, Presence presence, std::string& out) {
  const toml::node* node = find(key, presence, "a text in quotes");
  if (node == nullptr) return;
  if (const auto* value = node->as_string()) {
    out = value->get();
  } else {
    refuse(key, "must be a text in quotes");
  }
}

void FieldReader::flag(const char* key, Presence presence, bool& out) {
  const toml::node* node = find(key, presence, "true or false");
  if (node == nullptr) return;
  if (const auto* value = node->as_boolean()) {
    out = value->get();
  } else {
    refuse(key, "must be true or false");
  }
}

void FieldReader::name(const char* key, std::string& out) {
  static constexpr const char* kForm = "a name: at most 64 of a-z 0-9 . - _, in quotes";
  const toml::node* node = find(key, Presence::kRequired, kForm);
  if (node == nullptr) return;
  const auto* value = node->as_string();
  if (value != nullptr && is_valid_name(value->get())) {
    out = value->get();
  } else {
    refuse(key, std::string("must be ") + kForm);
  }
}

void FieldReader::names(const char* key, std::size_t min, std::size_t max,
                        std::vector<std::string>& out) {
  const std::string form = "a list of " + std::to_string(min) + " to " + std::to_string(max) +
                           " different names, each at most 64 of a-z 0-9 . - _, in quotes";
  const toml::node* node = find(key, Presence::kRequired, form.c_str());
  if (node == nullptr) return;
  const toml::array* list = node->as_array();
  if (list == nullptr || list->size() < min || list->size() > max) {
    return refuse(key, "must be " + form);
  }
  std::vector<std::string> names;
  for (const toml::node& entry : *list) {
    const auto* value = entry.as_string();
    if (value == nullptr || !is_valid_name(value->get())) return refuse(key, "must be " + form);
    names.push_back(value->get());
  }
  std::vector<std::string> sorted = names;
  std::ranges::sort(sorted);
  const auto twice = std::ranges::adjacent_find(sorted);
  if (twice != sorted.end()) return refuse(key, "holds \"" + *twice + "\" twice");
  out = std::move(names);
}

void FieldReader::time(const char* key, WallTime& out) {
  static constexpr const char* kForm =
      "a date and time in whole seconds with offset, such as 2026-01-01T00:00:00Z";
  const toml::node* node = find(key, Presence::kRequired, kForm);
  if (node == nullptr) return;
  const auto* value = node->as_date_time();
  const auto time = value == nullptr ? std::nullopt : to_wall_time(value->get());
  if (time) {
    out = *time;
  } else {
    refuse(key, std::string("must be ") + kForm);
  }
}

void FieldReader::digest(const char* key, const std::string& of_what, Digest& out) {
  const std::string form =
      "the SHA-256 of " + of_what + ": 64 digits of 0-9 a-f, as sha256sum prints them";
  const toml::node* node = find(key, Presence::kRequired, form.c_str());
  if (node == nullptr) return;
  const auto* value = node->as_string();
  const auto octets = value == nullptr ? std::nullopt : from_hex(value->get());
  if (octets && octets->size() == out.size() && to_hex(*octets) == value->get()) {
    std::ranges::copy(*octets, out.begin());
  } else {
    refuse(key, "must be " + form);
  }
}

void FieldReader::counter(const char* key, std::uint64_t& out) {
  static constexpr const char* kForm = "a whole number from 1 on";
  const toml::node* node = find(key, Presence::kRequired, kForm);
  if (node == nullptr) return;
  const auto* value = node->as_integer();
  if (value != nullptr && value->get() >= 1) {
    out = static_cast<std::uint64_t>(value->get());
  } else {
    refuse(key, std::string("must be ") + kForm);
  }
}

void FieldReader::address(const char* key, Presence presence, std::optional<IpAddress>& out) {
  static constexpr const char* kForm = "an IP address in its usual form, in quotes";
  const toml::node* node = find(key, presence, kForm);
  if (node == nullptr) return;
  const auto* value = node->as_string();
  const auto address = value == nullptr ? std::nullopt : IpAddress::parse(value->get());
  if (address && address->text() == value->get()) {
    out = address;
  } else {
    refuse(key, std::string("must be ") + kForm);
  }
}

std::optional<FieldReader> FieldReader::table(const char* key) {
  const toml::node* node = find(key, Presence::kRequired, "a table");
  if (node == nullptr) return std::nullopt;
  const toml::table* table = node->as_table();
  if (table == nullptr) {
    refuse(key, "must be a table");
    return std::nullopt;
  }
  return FieldReader(*table, where_ + key + ".", *errors_);
}

std::vector<FieldReader> FieldReader::tables(const char* key, std::size_t max) {
  std::vector<FieldReader> readers;
  const std::string form = "1 to " + std::to_string(max) + " tables, each under [[" + key + "]]";
  const toml::node* node = find(key, Presence::kRequired, form.c_str());
  if (node == nullptr) return readers;
  const toml::array* list = node->as_array();
  if (list == nullptr || list->empty() || list->size() > max ||
      !list->is_homogeneous<toml::table>()) {
    refuse(key, "must be " + form);
    return readers;
  }
  for (const toml::node& entry : *list) {
    const std::string number = std::to_string(readers.size() + 1);
    readers.emplace_back(*entry.as_table(), where_ + key + " " + number + " ", *errors_);
  }
  return readers;
}

void FieldReader::refuse_unknown() {
  for (const auto& [key, value] : *table_) {
    if (std::ranges::find(asked_, key.str()) != asked_.end()) continue;
    return errors_->note(where_ + printable(key.str()),
                         "is not a key of this file; remove it or correct its name");
  }
}

}  // namespace gkmpd::identity
