// The first octet is a message type, the rest a body: refused, or the body less its unknown items
// is what encodes again.
#include "agent/wire/messages.h"
#include "tests/fuzz/wire/fuzz_check.h"

namespace {

using namespace gkmpd;

/// The body without items whose tag lacks the critical bit, of which we know none.
Bytes without_unknown(ByteView body) {
  Bytes known;
  while (!body.empty()) {
    const std::size_t length = static_cast<std::size_t>(body[2] << 8 | body[3]);
    if ((body[0] & 0x80) != 0) append(known, body.first(4 + length));
    body = body.subspan(4 + length);
  }
  return known;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView body(data + 1, size - 1);
  const auto message = wire::decode_body(static_cast<wire::MessageType>(data[0]), body);
  if (!message) return 0;
  FUZZ_CHECK(wire::encode_body(*message) == without_unknown(body));

  const std::size_t signed_size = wire::unsigned_size(body);
  FUZZ_CHECK(signed_size <= body.size());
  FUZZ_CHECK(wire::encode_unsigned(*message) == without_unknown(body.first(signed_size)));
  if (signed_size < body.size()) {
    FUZZ_CHECK(body[signed_size] == 0xff && body[signed_size + 1] == 0xff);
  }
  return 0;
}
