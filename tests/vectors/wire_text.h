// Every sample of the wire format as a vector. All digits of a vector's text together are the
// octets.
#pragma once

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

}  // namespace gkmpd::wire::samples
