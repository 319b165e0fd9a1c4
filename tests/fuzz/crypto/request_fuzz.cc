#include "agent/crypto/x509.h"
#include "tests/fuzz/crypto/check.h"

using gkmpd::check;
using gkmpd::crypto::CertificateRequest;

// Whatever is read as a request is that very request again by way of PEM.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const gkmpd::ByteView input{data, size};
  (void)CertificateRequest::from_pem(gkmpd::as_text(input));
  const auto read = CertificateRequest::from_der(input);
  if (!read) return 0;
  check(gkmpd::equal(read->der(), input));
  const auto again = CertificateRequest::from_pem(read->to_pem());
  check(again && again->public_key() == read->public_key() && again->name() == read->name());
  return 0;
}
