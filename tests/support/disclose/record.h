// What gkmpd-disclosing writes down about secrets, and how it is read back. For tests alone.
#pragma once

#include <cstdint>
#include <istream>
#include <map>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "tests/support/secret_search/key_list.h"

namespace gkmpd::disclose {

using secret_search::Key;
using secret_search::Octets;
using secret_search::View;

/// The directory that the agents write to, each to a file with its process number for a name.
inline constexpr const char* kDirectoryVariable = "GKMPD_DISCLOSE";

enum class What : std::uint32_t {
  kAllocated = 1,  // a block of key size for a secret
  kWiped = 2,      // a block of key size was wiped: its octets follow
};

struct Head {
  std::uint64_t address = 0;
  std::uint32_t size = 0;
  What what = What::kAllocated;
};

struct Record {
  std::vector<Octets> wiped;
  std::map<std::uint64_t, std::uint32_t> living;  // size by address
};

/// A record that ends within an entry is an error.
[[nodiscard]] tl::expected<Record, std::string> read_record(std::istream& in);

/// A key as a line of secret-search's list.
[[nodiscard]] std::string line_of(View key, const std::string& name);

}  // namespace gkmpd::disclose
