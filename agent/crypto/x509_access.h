// The way from our certificate types to OpenSSL's, for sources of this directory.
#pragma once

#include "agent/crypto/asn1.h"
#include "agent/crypto/x509.h"

namespace gkmpd::crypto {

struct X509Access {
  [[nodiscard]] static X509* get(const Certificate& certificate) { return certificate.x509_.get(); }
  /// As Certificate::from_der, with what OpenSSL has read from these octets, which are DER,
  /// already; null if it could not.
  [[nodiscard]] static Result<Certificate> certificate(ByteView der, ossl::X509Pointer x509);
};

}  // namespace gkmpd::crypto
