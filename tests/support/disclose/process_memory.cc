#include "tests/support/disclose/process_memory.h"

#include <fstream>
#include <sstream>

namespace gkmpd::disclose {

std::vector<Mapping> read_mappings(std::istream& smaps) {
  std::vector<Mapping> mappings;
  for (std::string line; std::getline(smaps, line);) {
    Mapping mapping;
    char dash = 0;
    std::string access;
    std::istringstream head(line);
    if (head >> std::hex >> mapping.from >> dash >> mapping.to >> access && dash == '-') {
      mapping.writable = access.starts_with("rw");
      mappings.push_back(mapping);
    } else if (!mappings.empty() && line.starts_with("VmFlags:")) {
      mappings.back().dumped = (line + " ").find(" dd ") == std::string::npos;
    }
  }
  return mappings;
}

tl::expected<Octets, std::string> read_memory(pid_t process, std::uint64_t from, std::uint64_t to) {
  std::ifstream memory("/proc/" + std::to_string(process) + "/mem", std::ios::binary);
  Octets octets(to - from);
  memory.seekg(static_cast<std::streamoff>(from));
  memory.read(reinterpret_cast<char*>(octets.data()), static_cast<std::streamsize>(octets.size()));
  if (!memory)
    return tl::unexpected("memory of process " + std::to_string(process) + ": cannot read");
  return octets;
}

}  // namespace gkmpd::disclose
