// Any datagram as a Rekey_Multicast: refused, or it is what another member may be sent, in its one
// encoding.
#include "agent/protocol/rekey_package.h"
#include "tests/fuzz/wire/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gkmpd;
  const ByteView input(data, size);
  const auto datagram = wire::decode_datagram(input);
  if (!datagram) return 0;
  const auto package = protocol::read_rekey(*datagram);
  if (!package) return 0;
  FUZZ_CHECK(package->datagram.size() <= size);
  FUZZ_CHECK(equal(ByteView(package->datagram).first(wire::kHeaderSize), datagram->header_octets));
  FUZZ_CHECK(datagram->header.type == wire::MessageType::kRekeyMulticast);
  FUZZ_CHECK(datagram->header.group == package->statement.group);
  FUZZ_CHECK(datagram->header.message_number == package->statement.tuple.epoch);

  const auto again = wire::decode_datagram(package->datagram);
  FUZZ_CHECK(again.has_value());
  const auto same = protocol::read_rekey(*again);
  FUZZ_CHECK(same.has_value() && same->message == package->message);
  FUZZ_CHECK(same->datagram == package->datagram && same->hash == package->hash);
  return 0;
}
