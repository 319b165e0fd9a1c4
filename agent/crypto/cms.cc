#include "agent/crypto/cms.h"

#include <openssl/cms.h>

#include <algorithm>
#include <utility>

#include "agent/crypto/der.h"
#include "agent/crypto/errors.h"
#include "agent/crypto/key_access.h"
#include "agent/crypto/x509_access.h"

namespace gkmpd::crypto {
namespace {

using ossl::require;

using Cms = std::unique_ptr<CMS_ContentInfo, ossl::Freer<CMS_ContentInfo_free>>;

// Without CMS_BINARY line ends would be rewritten before they are signed.
constexpr unsigned kSignFlags = CMS_BINARY | CMS_PARTIAL | CMS_NOSMIMECAP;
// The chain is identity's business; no certificate but the one we have matched is looked at.
constexpr unsigned kVerifyFlags = CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY | CMS_NOINTERN;

Result<void> check_signer(const Certificate& signer, const PrivateKey& key) {
  if (key.public_key().type() == KeyType::kEd25519) {
    return fail(kKeyUnsuitable, "Ed25519 keys cannot sign tokens; use P-256 or P-384");
  }
  if (key.public_key() != signer.public_key()) {
    return fail(kKeyUnsuitable, "the key does not belong to the signer's certificate");
  }
  return {};
}

Result<CMS_SignerInfo*> only_signer(CMS_ContentInfo* cms) {
  const STACK_OF(CMS_SignerInfo)* const signers = CMS_get0_SignerInfos(cms);
  if (sk_CMS_SignerInfo_num(signers) != 1) return fail(kBadCms, "not signed by exactly one");
  return sk_CMS_SignerInfo_value(signers, 0);
}

bool is_strong_digest(CMS_SignerInfo* signer) {
  X509_ALGOR* algorithm = nullptr;
  CMS_SignerInfo_get0_algs(signer, nullptr, nullptr, &algorithm, nullptr);
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  const int id = OBJ_obj2nid(object);
  return id == NID_sha256 || id == NID_sha384 || id == NID_sha512;
}

// The signed attributes must be there, and the content type among them be that of the content:
// OpenSSL compares the digest only.
Result<void> check_attributes(const CMS_SignerInfo* signer, const ASN1_OBJECT* content_type) {
  if (CMS_signed_get_attr_count(signer) <= 0) return fail(kBadCms, "no signed attributes");
  constexpr int kOneAttributeOfOneValue = -3;
  const auto* const said = static_cast<const ASN1_OBJECT*>(CMS_signed_get0_data_by_OBJ(
      signer, OBJ_nid2obj(NID_pkcs9_contentType), kOneAttributeOfOneValue, V_ASN1_OBJECT));
  if (said == nullptr || OBJ_cmp(said, content_type) != 0) {
    return ossl::fail_with_reason(kBadCms, "the signed content type is not the content's");
  }
  return {};
}

Result<Cms> read_structure(ByteView der, const ASN1_OBJECT* content_type) {
  if (der.size() > kMaxCmsSize) return fail(kBadCms, "larger than 64 KiB");
  if (!is_der(der)) return fail(kBadCms, "not exactly one DER structure");
  const unsigned char* next = der.data();
  Cms cms(d2i_CMS_ContentInfo(nullptr, &next, static_cast<long>(der.size())));
  if (cms == nullptr || next != der.data() + der.size()) {
    return ossl::fail_with_reason(kBadCms, "not CMS");
  }
  if (OBJ_obj2nid(CMS_get0_type(cms.get())) != NID_pkcs7_signed) {
    return fail(kBadCms, "not SignedData");
  }
  const ASN1_OBJECT* const found = CMS_get0_eContentType(cms.get());
  if (found == nullptr || OBJ_cmp(found, content_type) != 0) {
    return ossl::fail_with_reason(kBadCms, "another content type");
  }
  ASN1_OCTET_STRING** const content = CMS_get0_content(cms.get());
  if (content == nullptr || *content == nullptr) {
    return ossl::fail_with_reason(kBadCms, "the content is not inside");
  }
  return cms;
}

// The signer's certificate first, the others as they stand.
Result<std::vector<Certificate>> read_certificates(CMS_ContentInfo* cms, CMS_SignerInfo* signer) {
  const ossl::OwningX509Stack embedded(CMS_get1_certs(cms));
  std::vector<Certificate> certificates;
  int matches = 0;
  for (int i = 0; i < sk_X509_num(embedded.get()); ++i) {
    X509* const x509 = sk_X509_value(embedded.get(), i);
    require(X509_up_ref(x509) == 1);
    auto certificate =
        X509Access::certificate(ossl::encoded(i2d_X509, x509), ossl::X509Pointer(x509));
    if (!certificate) return fail(kBadCms, "a certificate inside: " + certificate.error().detail);
    const bool is_signer = CMS_SignerInfo_cert_cmp(signer, x509) == 0;
    matches += is_signer ? 1 : 0;
    certificates.insert(is_signer ? certificates.begin() : certificates.end(),
                        std::move(*certificate));
  }
  if (matches != 1) return fail(kBadCms, "the signer's certificate is not inside once");
  return certificates;
}

Result<void> check_signature(CMS_ContentInfo* cms, const Certificate& signer) {
  const ossl::X509Stack candidates(sk_X509_new_null());
  require(candidates != nullptr && sk_X509_push(candidates.get(), X509Access::get(signer)) > 0);
  if (CMS_verify(cms, candidates.get(), nullptr, nullptr, nullptr, kVerifyFlags) != 1) {
    return ossl::fail_with_reason(kBadSignature, "the signer's signature does not hold");
  }
  return {};
}

}  // namespace

Result<Bytes> cms_sign(ByteView content, std::string_view content_type, const Certificate& signer,
                       const PrivateKey& signer_key, const std::vector<Certificate>& others,
                       std::optional<WallTime> signed_at) {
  if (content.size() > kMaxCmsSize) return fail(kBadCms, "the content is larger than 64 KiB");
  if (auto good = check_signer(signer, signer_key); !good) return pass_on(good);
  const ossl::Object type = ossl::object_of(content_type);
  const Cms cms(CMS_sign(nullptr, nullptr, nullptr, nullptr, kSignFlags));
  require(cms != nullptr && CMS_set1_eContentType(cms.get(), type.get()) == 1);
  CMS_SignerInfo* const info =
      CMS_add1_signer(cms.get(), X509Access::get(signer), KeyAccess::get(signer_key),
                      signing_digest(signer_key.public_key().type()), kSignFlags);
  if (info == nullptr) return ossl::fail_with_reason(kLibrary, "cannot sign");
  if (signed_at) {
    const ossl::Time time = ossl::asn1_time(*signed_at);
    if (time == nullptr) return fail(kBadCms, "the signing time is out of range");
    require(CMS_signed_add1_attr_by_NID(info, NID_pkcs9_signingTime, time->type, time.get(), -1) ==
            1);
  }
  std::vector<Bytes> inside{signer.der()};
  for (const Certificate& other : others) {
    if (std::ranges::find(inside, other.der()) != inside.end()) continue;
    inside.push_back(other.der());
    require(CMS_add1_cert(cms.get(), X509Access::get(other)) == 1);
  }
  const ossl::Bio source = ossl::reader_of(content);
  if (CMS_final(cms.get(), source.get(), nullptr, kSignFlags) != 1) {
    return ossl::fail_with_reason(kLibrary, "cannot sign");
  }
  Bytes der = ossl::encoded(i2d_CMS_ContentInfo, cms.get());
  ERR_clear_error();
  if (der.size() > kMaxCmsSize) return fail(kBadCms, "larger than 64 KiB");
  return der;
}

Result<CmsContent> cms_verify(ByteView der, std::string_view content_type) {
  const ossl::Object type = ossl::object_of(content_type);
  const auto cms = read_structure(der, type.get());
  if (!cms) return tl::unexpected<Error>(cms.error());
  const auto signer = only_signer(cms->get());
  if (!signer) return tl::unexpected<Error>(signer.error());
  if (auto good = check_attributes(*signer, type.get()); !good) return pass_on(good);
  if (!is_strong_digest(*signer)) return fail(kBadCms, "the digest is none of the SHA-2 family");
  auto certificates = read_certificates(cms->get(), *signer);
  if (!certificates) return pass_on(certificates);
  if (auto holds = check_signature(cms->get(), certificates->front()); !holds) {
    return pass_on(holds);
  }
  ERR_clear_error();
  Certificate signed_by = std::move(certificates->front());
  certificates->erase(certificates->begin());
  return CmsContent{.content = to_bytes(ossl::octets_of(*CMS_get0_content(cms->get()))),
                    .signer = std::move(signed_by),
                    .others = std::move(*certificates)};
}

}  // namespace gkmpd::crypto
