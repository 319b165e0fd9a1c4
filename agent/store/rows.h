// Columns of the store's tables as values, each checked for its range.
#pragma once

#include <algorithm>

#include "agent/store/sqlite.h"
#include "agent/store/store.h"

namespace gkmpd::store {

/// False if the column is not exactly as long.
template <std::size_t N>
bool read_array(const Statement& row, int column, ByteArray<N>& out) {
  const Bytes octets = row.blob(column);
  if (octets.size() != N) return false;
  std::ranges::copy(octets, out.begin());
  return true;
}

/// False if the number does not fit.
template <typename T>
bool read_number(const Statement& row, int column, T& out) {
  const std::uint64_t value = row.number(column);
  out = static_cast<T>(value);
  return out == value;
}

/// The error for a row that holds what this agent never wrote.
inline tl::unexpected<Error> damaged(const Database& database, const char* what) {
  return fail(kReadFailed, database.path() + " holds " + what +
                               " that cannot be: move it away, and this host joins its groups as a "
                               "newcomer");
}

}  // namespace gkmpd::store
