#include "agent/crypto/cms.h"
#include "tests/fuzz/crypto/check.h"

using gkmpd::check;

// Whatever is accepted has its content inside itself, octet by octet, and a signer.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const gkmpd::ByteView input{data, size};
  const auto read = gkmpd::crypto::cms_verify(input, gkmpd::crypto::oid_group_token());
  if (!read) return 0;
  check(gkmpd::as_text(input).find(gkmpd::as_text(read->content)) != std::string_view::npos);
  check(gkmpd::as_text(input).find(gkmpd::as_text(read->signer.der())) != std::string_view::npos);
  return 0;
}
