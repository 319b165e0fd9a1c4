#include "agent/crypto/signature.h"
#include "tests/fuzz/crypto/check.h"

using gkmpd::check;
using gkmpd::crypto::PublicKey;

// A key has one encoding only, and no signature of the input's choice holds under it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const gkmpd::ByteView input{data, size};
  const auto read = PublicKey::from_spki(input);
  if (!read) return 0;
  check(gkmpd::equal(read->spki(), input));
  check(!read->verify(gkmpd::crypto::SignatureContext::kCreate1, {input}, input));
  return 0;
}
