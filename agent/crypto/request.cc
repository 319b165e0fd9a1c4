#include <openssl/pem.h>

#include <utility>

#include "agent/crypto/der.h"
#include "agent/crypto/errors.h"
#include "agent/crypto/key_access.h"
#include "agent/crypto/x509_access.h"

namespace gkmpd::crypto {

using ossl::require;

Result<CertificateRequest> CertificateRequest::make(const PrivateKey& key,
                                                    const std::string& name) {
  if (!ossl::is_host_name(name)) {
    return fail(kBadRequest, "a host name is 1 to 64 letters, digits, dots, hyphens, underscores");
  }
  const ossl::RequestPointer request(X509_REQ_new());
  require(request != nullptr);
  require(X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1);
  const ossl::Name subject = ossl::common_name(ossl::plain_lower(as_bytes(name)));
  require(X509_REQ_set_subject_name(request.get(), subject.get()) == 1);
  require(X509_REQ_set_pubkey(request.get(), KeyAccess::get(key.public_key())) == 1);
  if (X509_REQ_sign(request.get(), KeyAccess::get(key), signing_digest(key.public_key().type())) <=
      0) {
    return ossl::fail_with_reason(kLibrary, "cannot sign the request");
  }
  return from_der(ossl::encoded(i2d_X509_REQ, request.get()));
}

Result<CertificateRequest> CertificateRequest::from_der(ByteView der) {
  if (der.size() > kMaxCertificateSize) return fail(kBadRequest, "larger than 8 KiB");
  if (!is_der(der)) return fail(kBadRequest, "not exactly one DER structure");
  const unsigned char* next = der.data();
  ossl::RequestPointer request(d2i_X509_REQ(nullptr, &next, static_cast<long>(der.size())));
  if (request == nullptr || next != der.data() + der.size()) {
    return ossl::fail_with_reason(kBadRequest, "not a certificate request");
  }
  const X509_ALGOR* algorithm = nullptr;
  X509_REQ_get0_signature(request.get(), nullptr, &algorithm);
  if (!ossl::is_our_signature(algorithm)) {
    return fail(kBadRequest, "signed otherwise than with ECDSA and SHA-2 or with Ed25519");
  }
  auto key =
      PublicKey::from_spki(ossl::encoded(i2d_X509_PUBKEY, X509_REQ_get_X509_PUBKEY(request.get())));
  if (!key) return fail(kBadRequest, "its key: " + key.error().detail);
  if (X509_REQ_verify(request.get(), KeyAccess::get(*key)) != 1) {
    return ossl::fail_with_reason(kBadRequest, "not signed by the key it asks a certificate for");
  }
  CertificateRequest result;
  result.name_ = ossl::only_common_name(X509_REQ_get_subject_name(request.get()));
  result.public_key_ = std::move(*key);
  result.der_ = to_bytes(der);
  ERR_clear_error();
  return result;
}

Result<CertificateRequest> CertificateRequest::from_pem(std::string_view pem) {
  auto blocks = ossl::pem_blocks(pem, PEM_STRING_X509_REQ, 1, kBadRequest);
  if (!blocks) return pass_on(blocks);
  return from_der(blocks->front());
}

std::string CertificateRequest::to_pem() const { return ossl::to_pem(der_, PEM_STRING_X509_REQ); }

}  // namespace gkmpd::crypto
