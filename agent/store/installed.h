// The groups that stand in some kernel, beside the records of their SAs and policies.
#pragma once

#include <vector>

#include "agent/store/sqlite.h"
#include "agent/store/store.h"

namespace gkmpd::store {

/// `store.read-failed` if a row cannot be ours.
[[nodiscard]] Result<std::vector<InstalledGroup>> read_installed_groups(const Database& database);

// Within a transaction of the caller's. `store.write-failed`.

/// In the place of what stands there for the group in its namespace.
[[nodiscard]] Result<void> write_installed_group(Database& database, const InstalledGroup& group);
/// Those that no record names any more.
[[nodiscard]] Result<void> drop_groups_without_records(Database& database);

}  // namespace gkmpd::store
