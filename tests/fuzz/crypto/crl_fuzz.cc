#include "agent/crypto/x509.h"
#include "tests/fuzz/crypto/check.h"

using gkmpd::check;
using gkmpd::crypto::Crl;

// Whatever is read as a list is that very list again by way of PEM.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const gkmpd::ByteView input{data, size};
  const auto read = Crl::from_der(input);
  if (!read) return 0;
  check(gkmpd::equal(read->der(), input));
  const auto again = Crl::from_pem(read->to_pem());
  check(again && again->number() == read->number() && again->entry_count() == read->entry_count());
  return 0;
}
