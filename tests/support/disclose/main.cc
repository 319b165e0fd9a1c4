// disclosed-keys: every key that a gkmpd-disclosing has held, as a list for secret-search.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>

#include "tests/support/disclose/process_memory.h"
#include "tests/support/disclose/record.h"

namespace gkmpd::disclose {
namespace {

int complain(const std::string& what) {
  std::cerr << "disclosed-keys: " << what << '\n';
  return 1;
}

/// All that a core dump would leave out of the process, and the keys in it that live.
class Living {
 public:
  Living(pid_t process, std::string dump_path)
      : process_(process), dump_path_(std::move(dump_path)) {}

  tl::expected<std::string, std::string> keys(const Record& record) {
    std::ifstream smaps("/proc/" + std::to_string(process_) + "/smaps");
    const auto mappings = read_mappings(smaps);
    if (mappings.empty()) return tl::unexpected(std::string("no such process"));
    for (const auto& [address, size] : record.living) {
      const auto place = std::ranges::find_if(
          mappings, [&](const Mapping& mapping) { return mapping.holds(address, size); });
      if (place == mappings.end() || place->dumped) {
        return tl::unexpected(std::string("a secret lies where a core dump would hold it"));
      }
    }
    std::ofstream dump(dump_path_, std::ios::binary);
    for (const Mapping& mapping : mappings) {
      if (mapping.dumped) continue;
      const auto octets = read_memory(process_, mapping.from, mapping.to);
      if (!octets) return tl::unexpected(octets.error());
      dump.write(reinterpret_cast<const char*>(octets->data()),
                 static_cast<std::streamsize>(octets->size()));
      take_living(record, mapping, *octets);
    }
    if (!dump.flush()) return tl::unexpected(dump_path_ + ": cannot write");
    return lines_;
  }

 private:
  void take_living(const Record& record, const Mapping& mapping, View octets) {
    for (const auto& [address, size] : record.living) {
      if (!mapping.holds(address, size)) continue;
      lines_ += line_of(octets.subspan(address - mapping.from, size), "living");
    }
  }

  pid_t process_;
  std::string dump_path_;
  std::string lines_;
};

int run(const std::string& record_path, pid_t process, const std::string& dump_path) {
  std::ifstream in(record_path, std::ios::binary);
  if (!in) return complain(record_path + ": cannot read");
  const auto record = read_record(in);
  if (!record) return complain(record_path + ": " + record.error());
  for (const Octets& key : record->wiped) std::cout << line_of(key, "wiped");
  if (process != 0) {
    const auto living = Living(process, dump_path).keys(*record);
    if (!living) return complain(living.error());
    std::cout << *living;
  }
  return std::cout.flush() ? 0 : 1;
}

}  // namespace
}  // namespace gkmpd::disclose

int main(int argc, char** argv) {
  CLI::App app("Prints every key that a gkmpd-disclosing has wiped and, while it runs, holds.");
  std::string record;
  pid_t process = 0;
  std::string dump;
  app.add_option("--record", record, "the file it writes")->required();
  auto* living = app.add_option("--pid", process, "its process number, while it is idle");
  app.add_option("--dump", dump, "where to write all that a core dump would leave out")
      ->needs(living);
  living->needs("--dump");
  CLI11_PARSE(app, argc, argv);
  return gkmpd::disclose::run(record, process, dump);
}
