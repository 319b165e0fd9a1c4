// Any octets: refused, or the one encoding of a group report.
#include "agent/wire/report.h"
#include "tests/fuzz/wire/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gkmpd;
  // What carries it is no larger; the encoder would leave members out.
  if (size > wire::kMaxReportOctets) return 0;
  const auto decoded = wire::decode_group_report(ByteView(data, size));
  if (!decoded) return 0;
  const Bytes again = wire::encode(*decoded);
  FUZZ_CHECK(equal(again, ByteView(data, size)));
  FUZZ_CHECK(wire::decode_group_report(again) == *decoded);
  return 0;
}
