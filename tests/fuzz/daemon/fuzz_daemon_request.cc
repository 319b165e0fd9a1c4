// Any line: refused, or a request that comes back from its own encoding.
#include <cstdlib>

#include "agent/daemon/control_protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gkmpd;
  const auto request = daemon::decode_request(as_text(ByteView(data, size)));
  if (!request) {
    if (!request.error().name().starts_with("control.")) std::abort();
    return 0;
  }
  std::string line = daemon::encode_request(*request);
  line.pop_back();
  const auto again = daemon::decode_request(line);
  if (!again || !(*again == *request)) std::abort();
  return 0;
}
