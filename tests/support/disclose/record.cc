#include "tests/support/disclose/record.h"

#include <array>

namespace gkmpd::disclose {

tl::expected<Record, std::string> read_record(std::istream& in) {
  Record record;
  Head head;
  while (in.read(reinterpret_cast<char*>(&head), sizeof head)) {
    if (!secret_search::is_key_size(head.size))
      return tl::unexpected(std::string("an entry of no key size"));
    if (head.what == What::kAllocated) {
      record.living[head.address] = head.size;
      continue;
    }
    Octets octets(head.size);
    if (!in.read(reinterpret_cast<char*>(octets.data()), head.size)) break;
    record.wiped.push_back(std::move(octets));
    // Part of a longer block may be wiped too; a secret goes as a whole.
    const auto found = record.living.find(head.address);
    if (found != record.living.end() && found->second == head.size) record.living.erase(found);
  }
  if (in.gcount() != 0) return tl::unexpected(std::string("ends within an entry"));
  return record;
}

std::string line_of(View key, const std::string& name) {
  static constexpr std::array<char, 16> kDigits{'0', '1', '2', '3', '4', '5', '6', '7',
                                                '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
  std::string line;
  for (const std::uint8_t octet : key) {
    line += kDigits[octet >> 4];
    line += kDigits[octet & 0xf];
  }
  return line + " " + name + "\n";
}

}  // namespace gkmpd::disclose
