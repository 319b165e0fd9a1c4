// Any octets: refused, or the one encoding of a sender table.
#include "agent/wire/messages.h"
#include "tests/fuzz/wire/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gkmpd;
  const auto decoded = wire::decode_sender_table(ByteView(data, size));
  if (!decoded) return 0;
  const Bytes again = wire::encode(*decoded);
  FUZZ_CHECK(equal(again, ByteView(data, size)));
  FUZZ_CHECK(wire::decode_sender_table(again) == *decoded);
  return 0;
}
