#include "agent/ctl/signer.h"

#include "agent/daemon/files.h"

namespace gkmpd::ctl {

Result<Signer> read_signer(const std::string& certificate, const std::string& key) {
  auto pem =
      daemon::read_text_file(certificate, identity::kMaxChain * 4 * crypto::kMaxCertificateSize);
  if (!pem) return pass_on(pem);
  auto chain = crypto::Certificate::all_from_pem(*pem);
  if (!chain) return pass_on(chain);
  auto key_pem = daemon::read_key_file(key);
  if (!key_pem) return pass_on(key_pem);
  auto private_key = crypto::PrivateKey::from_pem(*key_pem);
  if (!private_key) return pass_on(private_key);
  if (!(private_key->public_key() == chain->front().public_key())) {
    return fail(kKeyDiffers,
                key + " is not the key of " + certificate + "; give the two that belong together");
  }
  return Signer{chain->front(), std::move(*private_key), {chain->begin() + 1, chain->end()}};
}

Result<identity::TrustStore> read_trust(const std::string& anchor, const std::string& crl,
                                        WallTime now) {
  auto anchor_pem = daemon::read_text_file(anchor, 4 * crypto::kMaxCertificateSize);
  if (!anchor_pem) return pass_on(anchor_pem);
  auto certificate = crypto::Certificate::from_pem(*anchor_pem);
  if (!certificate) return pass_on(certificate);
  auto trust = identity::TrustStore::make(std::move(*certificate));
  if (!trust) return trust;
  auto list_pem = daemon::read_text_file(crl, 2 * crypto::kMaxCrlSize);
  if (!list_pem) return pass_on(list_pem);
  auto list = crypto::Crl::from_pem(*list_pem);
  if (!list) return pass_on(list);
  if (auto taken = trust->accept_crl(std::move(*list), now); !taken) return pass_on(taken);
  return trust;
}

}  // namespace gkmpd::ctl
