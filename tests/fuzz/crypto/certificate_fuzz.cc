#include <algorithm>

#include "agent/crypto/x509.h"
#include "tests/fuzz/crypto/check.h"

using gkmpd::check;
using gkmpd::crypto::Certificate;

// Whatever is read as a certificate is that very certificate again by way of PEM, has a name fit
// for comparing, and does not end up trusted.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const gkmpd::ByteView input{data, size};
  const auto read = Certificate::from_der(input);
  (void)Certificate::all_from_pem(gkmpd::as_text(input));
  if (!read) return 0;
  check(gkmpd::equal(read->der(), input));
  const auto again = Certificate::from_pem(read->to_pem());
  check(again && again->der() == read->der() && again->serial() == read->serial());
  check(std::ranges::all_of(
      read->name(), [](char c) { return c >= 0x20 && c <= 0x7e && !(c >= 'A' && c <= 'Z'); }));
  (void)read->has_extended_usage(gkmpd::crypto::oid_eku_gkmp());
  (void)read->extension(gkmpd::crypto::oid_permissions());
  check(!gkmpd::crypto::build_chain(*read, {*read}, {}, read->not_before()));
  return 0;
}
