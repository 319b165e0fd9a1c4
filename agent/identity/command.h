// A commander's order to a controller (RFC 2093 4.1; profile S26): an object of its own kind,
// signed by the commander, which no token, mail or script of the same key can pass for.
#pragma once

#include "agent/identity/token.h"

namespace gkmpd::identity {

inline constexpr std::size_t kMaxCommandSize = std::size_t{8} * 1024;  // the CMS object, octets
inline constexpr std::size_t kMaxCommandText = std::size_t{2} * 1024;  // the TOML text, octets
inline constexpr std::string_view kCommandKind = "gkmp-command-1";

/// What is to be done with the group.
enum class CommandAction { kCreate, kRekey };
/// As the text has it: "create".
[[nodiscard]] std::string_view to_text(CommandAction action);

/// What the text says; every key is required, and none other is taken. Times and hashes as in a
/// policy (docs/PROTOCOL.md, "Command").
struct CommandText {
  CommandAction action = CommandAction::kCreate;
  std::string group;          // name
  std::string controller;     // host name of the controller that is to act
  Digest token_hash{};        // SHA-256 of the token it is to act on
  std::uint64_t counter = 0;  // rises with each order of a commander for a group; from 1 on
  WallTime not_after;
  friend bool operator==(const CommandText&, const CommandText&) = default;
};

/// `identity.command-syntax`, `identity.command-field`, `identity.command-too-large`.
[[nodiscard]] Result<CommandText> parse_command(std::string_view toml_text);
/// The text that parse_command reads back as `text`.
[[nodiscard]] std::string command_text(const CommandText& text);

/// An order that passed check_command.
struct Command {
  CommandText text;
  Host commander;
};

/// Checks, in order: size, CMS form and signature, the signer (TrustStore::check_host: chain,
/// revocation), its role, the text, its scope in `policy`'s group. Whether the order is for this
/// host, this token and this moment is for the caller. Errors as of check_token, and those of
/// parse_command.
struct CommandCheck {
  const TrustStore* trust = nullptr;
  const GroupPolicy* policy = nullptr;
  WallTime now;
};
[[nodiscard]] Result<Command> check_command(ByteView der, const CommandCheck& check);

/// Signs an order. `signed_at` as crypto::cms_sign takes it.
[[nodiscard]] Result<Bytes> sign_command(const CommandText& text,
                                         const crypto::Certificate& commander,
                                         const crypto::PrivateKey& commander_key,
                                         const std::vector<crypto::Certificate>& intermediates,
                                         std::optional<WallTime> signed_at = {});

}  // namespace gkmpd::identity
