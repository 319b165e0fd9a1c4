// Any octets: refused, or the one encoding of a exclusion set.
#include "agent/wire/messages.h"
#include "tests/fuzz/wire/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gkmpd;
  const auto decoded = wire::decode_exclusion_set(ByteView(data, size));
  if (!decoded) return 0;
  const Bytes again = wire::encode(*decoded);
  FUZZ_CHECK(equal(again, ByteView(data, size)));
  FUZZ_CHECK(wire::decode_exclusion_set(again) == *decoded);
  return 0;
}
