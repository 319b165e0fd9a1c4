// The tables, and what makes a file one of ours.
#pragma once

#include "agent/store/sqlite.h"

namespace gkmpd::store {

/// "GKMP": told apart from other programs' databases.
inline constexpr std::uint64_t kApplicationId = 0x474b4d50;
/// Raised with every change of the tables; a file of a newer version is refused.
inline constexpr std::uint64_t kSchemaVersion = 6;

/// Sets durability, checks that the file is ours and sound, and makes the tables in an empty one;
/// one of an earlier version gets what it lacks, all or nothing. `store.open-failed`.
[[nodiscard]] Result<void> prepare(Database& database);

}  // namespace gkmpd::store
