// secret-search: looks for keys in files, in every form a program could have let them out.
#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "tests/support/secret_search/finder.h"

namespace gkmpd::secret_search {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kNone = 0;
constexpr int kFound = 1;
constexpr int kFailed = 2;
// Places in the report; all are counted.
constexpr std::size_t kMostShown = 100;

int complain(const std::string& what) {
  std::cerr << "secret-search: " << what << '\n';
  return kFailed;
}

std::optional<Octets> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  const auto size = in ? static_cast<std::streamoff>(in.tellg()) : -1;
  if (size < 0) return std::nullopt;
  Octets content(static_cast<std::size_t>(size));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(content.data()), size);
  return in ? std::optional(std::move(content)) : std::nullopt;
}

struct Findings {
  std::size_t count = 0;
  std::set<std::size_t> keys;
  Json shown = Json::array();
};

void look_into(const std::string& path, View content, const Finder& finder,
               const std::vector<Key>& keys, Findings& findings) {
  const auto pass = [&](View octets, bool escaped) {
    finder.search(octets, [&](std::size_t offset, const Pattern& pattern) {
      findings.keys.insert(pattern.key);
      if (++findings.count > kMostShown) return;
      findings.shown.push_back({{"file", path},
                                {"offset", offset},
                                {"form", to_text(pattern.form)},
                                {"escaped", escaped},
                                {"key", pattern.key},
                                {"name", keys[pattern.key].name}});
    });
  };
  pass(content, false);
  const Octets plain = unescaped(content);
  // Offsets are those in the text without escapes. Without any, all has been seen.
  if (plain.size() != content.size()) pass(plain, true);
}

int run(const std::vector<std::string>& key_paths, const std::vector<std::string>& paths) {
  std::stringstream lines;
  for (const std::string& path : key_paths) {
    std::ifstream in(path);
    if (!in) return complain(path + ": cannot read");
    if (in.peek() != std::ifstream::traits_type::eof()) lines << in.rdbuf() << '\n';
  }
  const auto keys = read_key_list(lines);
  if (!keys) return complain("keys: " + keys.error());
  const Finder finder(patterns_of(*keys));
  Findings findings;
  std::size_t octets = 0;
  for (const std::string& path : paths) {
    const auto content = read_file(path);
    if (!content) return complain(path + ": cannot read");
    octets += content->size();
    look_into(path, *content, finder, *keys, findings);
  }
  std::cout << Json{{"keys", keys->size()},    {"patterns", finder.size()},
                    {"files", paths.size()},   {"octets", octets},
                    {"count", findings.count}, {"keys_found", findings.keys.size()},
                    {"found", findings.shown}}
            << '\n';
  return findings.count == 0 ? kNone : kFound;
}

}  // namespace
}  // namespace gkmpd::secret_search

int main(int argc, char** argv) {
  CLI::App app(
      "Looks for keys in files: raw, reversed, hexadecimal, base64, escaped, whole or in pieces of "
      "16 "
      "octets.\nExit code 0 if none is found, 1 if one is, 2 if a file cannot be read.");
  std::vector<std::string> keys;
  std::vector<std::string> paths;
  app.add_option("--keys", keys, "file of keys: one a line in hexadecimal, then perhaps a name")
      ->required()
      ->allow_extra_args(false);
  app.add_option("files", paths, "where to look")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : gkmpd::secret_search::kFailed;
  }
  return gkmpd::secret_search::run(keys, paths);
}
