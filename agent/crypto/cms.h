// CMS SignedData (RFC 5652) with content inside, one signer and signed attributes: the envelope of
// group tokens.
#pragma once

#include "agent/crypto/x509.h"

namespace gkmpd::crypto {

inline constexpr std::size_t kMaxCmsSize = std::size_t{64} * 1024;

/// Signs the exact octets of `content` under eContentType `content_type` (dotted text). The
/// signer's certificate and `others` travel inside. Ed25519 signers are refused
/// (`crypto.key-unsuitable`): OpenSSL 3.0 cannot make such CMS. `signed_at` is the signing time
/// attribute; without it OpenSSL looks at the system's clock, and no two results are alike.
[[nodiscard]] Result<Bytes> cms_sign(ByteView content, std::string_view content_type,
                                     const Certificate& signer, const PrivateKey& signer_key,
                                     const std::vector<Certificate>& others,
                                     std::optional<WallTime> signed_at = {});

struct CmsContent {
  Bytes content;
  Certificate signer;
  std::vector<Certificate> others;
};

/// Checks form and signature only; whether the signer is anybody is for identity to say. Refused:
/// another eContentType, detached content, no or several signers, no signed attributes, octets
/// behind the structure (`crypto.bad-cms`), a signature that does not hold
/// (`crypto.bad-signature`).
[[nodiscard]] Result<CmsContent> cms_verify(ByteView der, std::string_view content_type);

}  // namespace gkmpd::crypto
