#include "tests/support/esp_open/sa_keys.h"

#include <iomanip>
#include <sstream>

namespace gkmpd::esp_open {
namespace {

/// Stands in the file for an empty field, which could not be told from none.
constexpr const char* kNothing = "-";

void write_hex(std::ostream& out, View octets) {
  if (octets.empty()) out << kNothing;
  const auto flags = out.flags();
  out << std::hex << std::setfill('0');
  for (const std::uint8_t octet : octets) out << std::setw(2) << static_cast<unsigned>(octet);
  out.flags(flags);
}

bool read_field(const std::string& text, Octets& out) {
  return text == kNothing || read_hex(text, out);
}

}  // namespace

bool read_hex(const std::string& text, Octets& out) {
  if (text.size() % 2 != 0 || text.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return false;
  }
  for (std::size_t i = 0; i < text.size(); i += 2) {
    out.push_back(static_cast<std::uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
  }
  return true;
}

void write_keys(std::ostream& out, const std::vector<SaKey>& keys) {
  for (const SaKey& key : keys) {
    out << key.spi << ' ' << key.source << ' ' << key.destination << ' ' << key.algorithm << ' '
        << (key.auth.empty() ? kNothing : key.auth) << ' ' << key.icv_bits << ' ' << key.reqid
        << ' ' << key.replay_window << ' ' << key.tunnel << ' ' << key.esn << ' '
        << key.sequence_high << ' ';
    write_hex(out, key.key);
    out << ' ';
    write_hex(out, key.auth_key);
    out << '\n';
  }
}

tl::expected<std::vector<SaKey>, std::string> read_keys(std::istream& in) {
  std::vector<SaKey> keys;
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    SaKey key;
    std::string hex;
    std::string auth_hex;
    fields >> key.spi >> key.source >> key.destination >> key.algorithm >> key.auth >>
        key.icv_bits >> key.reqid >> key.replay_window >> key.tunnel >> key.esn >>
        key.sequence_high >> hex >> auth_hex;
    if (!fields || !read_field(hex, key.key) || !read_field(auth_hex, key.auth_key)) {
      return tl::unexpected("key file: line " + std::to_string(keys.size() + 1) + " is not an SA");
    }
    if (key.auth == kNothing) key.auth.clear();
    keys.push_back(std::move(key));
  }
  return keys;
}

}  // namespace gkmpd::esp_open
