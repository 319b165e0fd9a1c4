// Another process's memory as the kernel shows it to root.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <istream>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "tests/support/secret_search/key_list.h"

namespace gkmpd::disclose {

using secret_search::Octets;

struct Mapping {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  bool dumped = true;  // a core dump would hold it
  bool writable = false;

  [[nodiscard]] bool holds(std::uint64_t address, std::uint64_t size) const {
    return from <= address && address + size <= to;
  }
};

/// /proc/PID/smaps.
[[nodiscard]] std::vector<Mapping> read_mappings(std::istream& smaps);

/// The octets from `from` up to `to` of /proc/PID/mem.
[[nodiscard]] tl::expected<Octets, std::string> read_memory(pid_t process, std::uint64_t from,
                                                            std::uint64_t to);

}  // namespace gkmpd::disclose
