#include "agent/daemon/toml_section.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "agent/daemon/errors.h"

namespace gkmpd::daemon {

void TomlProblems::add(ErrorKind kind, std::uint32_t line, const std::string& what) {
  if (first_) return;
  first_ = Error{kind, line == 0 ? fmt::format("{}: {}", file_, what)
                                 : fmt::format("{}:{}: {}", file_, line, what)};
}

std::string TomlSection::full(std::string_view key) const {
  return name_.empty() ? std::string(key) : fmt::format("{}.{}", name_, key);
}

const toml::node* TomlSection::find(std::string_view key) {
  known_.emplace_back(key);
  if (table_ == nullptr || problems_.any()) return nullptr;
  return table_->get(key);
}

TomlSection TomlSection::section(std::string_view key) {
  const toml::node* node = find(key);
  if (node != nullptr && !node->is_table()) {
    problems_.add(kConfigBadValue, node->source().begin.line,
                  fmt::format("{} is a table: write [{}]", full(key), full(key)));
    node = nullptr;
  }
  return {full(key), node == nullptr ? nullptr : node->as_table(), problems_};
}

std::optional<std::string> TomlSection::text(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  // The system's calls would take a text up to its first NUL, and so another file than was read.
  const auto* value = node->as_string();
  if (value != nullptr && value->get().find('\0') == std::string::npos) return value->get();
  problems_.add(kConfigBadValue, node->source().begin.line,
                fmt::format("key {} holds a text in quotes, without NUL", full(key)));
  return std::nullopt;
}

std::optional<std::int64_t> TomlSection::number(std::string_view key, std::int64_t least,
                                                std::int64_t most) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (const auto* value = node->as_integer();
      value != nullptr && value->get() >= least && value->get() <= most) {
    return value->get();
  }
  problems_.add(kConfigBadValue, node->source().begin.line,
                fmt::format("key {} holds a whole number from {} to {}", full(key), least, most));
  return std::nullopt;
}

std::optional<bool> TomlSection::flag(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (const auto* value = node->as_boolean()) return value->get();
  problems_.add(kConfigBadValue, node->source().begin.line,
                fmt::format("key {} holds true or false", full(key)));
  return std::nullopt;
}

std::vector<std::string> TomlSection::texts(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return {};
  std::vector<std::string> out;
  const auto* list = node->as_array();
  bool good = list != nullptr;
  for (std::size_t i = 0; good && i < list->size(); ++i) {
    const auto* value = list->get(i)->as_string();
    good = value != nullptr;
    if (good) out.push_back(value->get());
  }
  if (good) return out;
  problems_.add(kConfigBadValue, node->source().begin.line,
                fmt::format("key {} holds a list of texts, such as [\"a\", \"b\"]", full(key)));
  return {};
}

std::vector<std::int64_t> TomlSection::numbers(std::string_view key, std::int64_t least,
                                               std::int64_t most) {
  const toml::node* node = find(key);
  if (node == nullptr) return {};
  std::vector<std::int64_t> out;
  const auto* list = node->as_array();
  bool good = list != nullptr;
  for (std::size_t i = 0; good && i < list->size(); ++i) {
    const auto* value = list->get(i)->as_integer();
    good = value != nullptr && value->get() >= least && value->get() <= most;
    if (good) out.push_back(value->get());
  }
  if (good) return out;
  problems_.add(
      kConfigBadValue, node->source().begin.line,
      fmt::format("key {} holds a list of whole numbers from {} to {}", full(key), least, most));
  return {};
}

std::vector<std::string> TomlSection::text_or_texts(std::string_view key) {
  const toml::node* node = table_ == nullptr ? nullptr : table_->get(key);
  if (node != nullptr && node->is_array()) return texts(key);
  auto one = text(key);
  return one ? std::vector<std::string>{*std::move(one)} : std::vector<std::string>{};
}

void TomlSection::missing(std::string_view key, std::string_view what) {
  const std::uint32_t line = table_ == nullptr ? 0 : table_->source().begin.line;
  problems_.add(kConfigMissingKey, line,
                fmt::format("key {} is missing; it holds {}", full(key), what));
}

std::string TomlSection::required_text(std::string_view key, std::string_view what) {
  auto value = text(key);
  if (value && !value->empty()) return *std::move(value);
  if (value) {
    refuse(key, fmt::format("is empty; it holds {}", what));
  } else {
    missing(key, what);
  }
  return {};
}

void TomlSection::refuse(std::string_view key, const std::string& problem) {
  const toml::node* node = table_ == nullptr ? nullptr : table_->get(key);
  problems_.add(kConfigBadValue, node == nullptr ? 0 : node->source().begin.line,
                fmt::format("key {} {}", full(key), problem));
}

void TomlSection::finish() {
  if (table_ == nullptr) return;
  for (const auto& [key, node] : *table_) {
    if (std::ranges::find(known_, key.str()) != known_.end()) continue;
    problems_.add(
        kConfigUnknownKey, key.source().begin.line,
        fmt::format("key {} is not known; {} may hold {}", full(key.str()),
                    name_.empty() ? "the file" : "[" + name_ + "]", fmt::join(known_, ", ")));
  }
}

}  // namespace gkmpd::daemon
