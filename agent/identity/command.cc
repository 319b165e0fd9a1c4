#include "agent/identity/command.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "agent/crypto/cms.h"
#include "agent/identity/errors.h"
#include "agent/identity/toml_reader.h"

namespace gkmpd::identity {
namespace {

constexpr std::array<std::pair<std::string_view, CommandAction>, 2> kActionNames{{
    {"create", CommandAction::kCreate},
    {"rekey", CommandAction::kRekey},
}};

Result<void> check_size(std::size_t size, std::size_t most, const std::string& what) {
  if (size <= most) return {};
  return fail(kCommandTooLarge, what + " may have " + std::to_string(most) +
                                    " octets, this one has " + std::to_string(size) +
                                    "; shorten the commander's chain");
}

/// "2026-01-31T12:00:00Z"
std::string date_time(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text.data();
}

/// A text field that has one value in this version.
void read_only(FieldReader& reader, const char* key, std::string_view only) {
  std::string value;
  reader.text(key, Presence::kRequired, value);
  if (value != only) reader.refuse(key, "must be \"" + std::string(only) + "\"");
}

void read_action(FieldReader& reader, CommandAction& out) {
  std::string named;
  reader.text("action", Presence::kRequired, named);
  std::string known;
  for (const auto& [name, action] : kActionNames) {
    if (name == named) {
      out = action;
      return;
    }
    known += (known.empty() ? "\"" : " or \"") + std::string(name) + "\"";
  }
  reader.refuse("action", "must be " + known);
}

}  // namespace

std::string_view to_text(CommandAction action) {
  return std::ranges::find(kActionNames, action, &decltype(kActionNames)::value_type::second)
      ->first;
}

Result<CommandText> parse_command(std::string_view toml_text) {
  auto size = check_size(toml_text.size(), kMaxCommandText, "a command's text");
  if (!size) return pass_on(size);
  auto table = parse_toml(toml_text, kCommandSyntax);
  if (!table) return pass_on(table);
  CommandText text;
  FieldErrors errors(kCommandField);
  FieldReader reader(*table, "", errors);
  read_only(reader, "kind", kCommandKind);
  read_action(reader, text.action);
  reader.name("group", text.group);
  reader.name("controller", text.controller);
  reader.digest("token_sha256", "the token", text.token_hash);
  reader.counter("counter", text.counter);
  reader.time("not_after", text.not_after);
  reader.refuse_unknown();
  if (auto read = errors.result(); !read) return pass_on(read);
  return text;
}

std::string command_text(const CommandText& text) {
  const auto quoted = [](const char* key, std::string_view value) {
    return std::string(key) + " = \"" + std::string(value) + "\"\n";
  };
  return quoted("kind", kCommandKind) + quoted("action", to_text(text.action)) +
         quoted("group", text.group) + quoted("controller", text.controller) +
         quoted("token_sha256", to_hex(text.token_hash)) +
         "counter = " + std::to_string(text.counter) +
         "\nnot_after = " + date_time(text.not_after) + "\n";
}

Result<Command> check_command(ByteView der, const CommandCheck& check) {
  auto size = check_size(der.size(), kMaxCommandSize, "a command");
  if (!size) return pass_on(size);
  auto cms = crypto::cms_verify(der, crypto::oid_command());
  if (!cms) return pass_on(cms);
  auto commander = check.trust->check_host(cms->signer, cms->others, check.now);
  if (!commander) return pass_on(commander);

  // Only what a commander of ours signed is parsed at all.
  if (auto role = check_commander_role(commander->permissions); !role) return pass_on(role);
  auto text = parse_command(as_text(cms->content));
  if (!text) return pass_on(text);
  auto scope = check_commander(commander->permissions, *check.policy);
  if (!scope) return pass_on(scope);
  return Command{std::move(*text), std::move(*commander)};
}

Result<Bytes> sign_command(const CommandText& text, const crypto::Certificate& commander,
                           const crypto::PrivateKey& commander_key,
                           const std::vector<crypto::Certificate>& intermediates,
                           std::optional<WallTime> signed_at) {
  const std::string toml_text = command_text(text);
  if (auto good = parse_command(toml_text); !good) return pass_on(good);
  auto der = crypto::cms_sign(as_bytes(toml_text), crypto::oid_command(), commander, commander_key,
                              intermediates, signed_at);
  if (!der) return der;
  if (auto size = check_size(der->size(), kMaxCommandSize, "a command"); !size) {
    return pass_on(size);
  }
  return der;
}

}  // namespace gkmpd::identity
