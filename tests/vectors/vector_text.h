// The text form of vectors: lines of hexadecimal digits, each ended by "; what it is". Long fields
// go over several lines, and what they are stands on the last.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/bytes.h"

namespace gkmpd::test {

struct NamedOctets {
  std::string name;
  Bytes octets;
  friend bool operator==(const NamedOctets&, const NamedOctets&) = default;
};

void put_field(std::string& text, ByteView octets, std::string_view what);

/// The fields of a text, in order; nothing if it is not in the form.
[[nodiscard]] std::optional<std::vector<NamedOctets>> fields_of_text(std::string_view text);

}  // namespace gkmpd::test
