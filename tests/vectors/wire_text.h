// The text form of wire vectors: lines of hexadecimal digits, each ended by "; what it is". All
// digits together are the octets.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/base/bytes.h"
#include "tests/vectors/wire_samples.h"

namespace gkmpd::wire::samples {

struct VectorFile {
  std::string name;  // without directory
  std::string text;
  Bytes octets;
};

/// Every sample as a vector.
[[nodiscard]] std::vector<VectorFile> vector_files();

/// The octets of a vector's text; nothing if it is not in the form.
[[nodiscard]] std::optional<Bytes> octets_of_text(std::string_view text);

}  // namespace gkmpd::wire::samples
