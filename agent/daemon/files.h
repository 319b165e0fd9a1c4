// Whole files of bounded size, and private ones.
#pragma once

#include <filesystem>
#include <string>

#include "agent/base/error.h"
#include "agent/base/secret.h"

namespace gkmpd::daemon {

/// The content of a regular file of at most `most` octets; `file.unreadable`, `file.too-large`.
/// The detail names the file.
[[nodiscard]] Result<std::string> read_text_file(const std::filesystem::path& file,
                                                 std::size_t most);

inline constexpr std::size_t kMaxKeyFileSize = 16 * 1024;

/// A private key's file, which nobody but its owner may read: `file.permissions` if others or the
/// group may. The copies made on the way are wiped.
[[nodiscard]] Result<Secret> read_key_file(const std::filesystem::path& file);

}  // namespace gkmpd::daemon
