// Credentials and tokens as files, for rogues that run as programs.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "agent/base/bytes.h"
#include "agent/identity/trust.h"
#include "tests/support/pki.h"

namespace gkmpd::rogue {

using Path = std::filesystem::path;

/// Each ends the process with the reason on stderr if the file cannot be had, or says nothing of
/// the kind.
[[nodiscard]] std::string read_file(const Path& file);
void write_file(const Path& file, std::string_view octets, bool is_private = false);
[[nodiscard]] crypto::Certificate read_certificate(const Path& file);
[[nodiscard]] crypto::PrivateKey read_key(const Path& file);
[[nodiscard]] identity::TrustStore read_trust(const Path& anchor, const Path& crl, WallTime now);

/// `name`.pem and `name`.key in `directory`.
[[nodiscard]] test::TestHost read_host(const Path& directory, const std::string& name);
void write_host(const Path& directory, const std::string& name, const crypto::Certificate& shown,
                const crypto::PrivateKey& key);

[[noreturn]] void give_up(const std::string& why);

template <typename T>
T must(Result<T> result, const std::string& what) {
  if (!result) give_up(what + ": " + result.error().text());
  return std::move(*result);
}

}  // namespace gkmpd::rogue
