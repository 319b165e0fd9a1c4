// Any datagram: refused, or taken apart without loss, its header having one encoding.
#include "agent/wire/header.h"
#include "tests/fuzz/wire/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gkmpd;
  const ByteView input(data, size);
  const auto datagram = wire::decode_datagram(input);
  if (!datagram) return 0;
  FUZZ_CHECK(size <= wire::kMaxDatagram);
  FUZZ_CHECK(datagram->header_octets.data() == data);
  FUZZ_CHECK(datagram->header_octets.size() + datagram->body.size() == size);
  FUZZ_CHECK(equal(wire::encode_header(datagram->header), datagram->header_octets));
  FUZZ_CHECK(datagram->header.fragment_index < datagram->header.fragment_count);
  FUZZ_CHECK(wire::is_sealed(datagram->header.type) || datagram->header.fragment_count == 1);
  return 0;
}
