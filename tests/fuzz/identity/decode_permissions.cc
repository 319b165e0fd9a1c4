// What decodes has one encoding, and it is the one that was read.
#include <cstdlib>

#include "agent/identity/permissions.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gkmpd;
  const ByteView der(data, size);
  const auto permissions = identity::decode_permissions(der);
  if (permissions && !equal(identity::encode_permissions(*permissions), der)) std::abort();
  return 0;
}
