#include "tests/vectors/vector_text.h"

#include <sstream>
#include <utility>

namespace gkmpd::test {
namespace {

constexpr std::size_t kOctetsPerLine = 32;

}  // namespace

void put_field(std::string& text, ByteView octets, std::string_view what) {
  while (octets.size() > kOctetsPerLine) {
    text += to_hex(octets.first(kOctetsPerLine)) + " ;\n";
    octets = octets.subspan(kOctetsPerLine);
  }
  text += to_hex(octets) + " ; " + std::string(what) + "\n";
}

std::optional<std::vector<NamedOctets>> fields_of_text(std::string_view text) {
  std::vector<NamedOctets> fields;
  Bytes octets;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    const std::size_t end = line.find(" ;");
    if (end == std::string::npos) return std::nullopt;
    const auto part = from_hex(std::string_view(line).substr(0, end));
    if (!part) return std::nullopt;
    append(octets, *part);
    if (line.size() <= end + 3) continue;
    fields.push_back({line.substr(end + 3), std::exchange(octets, {})});
  }
  if (!octets.empty()) return std::nullopt;
  return fields;
}

}  // namespace gkmpd::test
