#include "agent/ctl/signer.h"

#include "agent/daemon/credentials.h"

namespace gkmpd::ctl {

Result<Signer> read_signer(const std::string& certificate, const std::string& key) {
  auto chain = daemon::load_certificates(certificate);
  if (!chain) return pass_on(chain);
  auto private_key = daemon::load_key(key);
  if (!private_key) return pass_on(private_key);
  if (!(private_key->public_key() == chain->front().public_key())) {
    return fail(kKeyDiffers,
                key + " is not the key of " + certificate + "; give the two that belong together");
  }
  return Signer{chain->front(), std::move(*private_key), {chain->begin() + 1, chain->end()}};
}

Result<identity::TrustStore> read_trust(const std::string& anchor, const std::string& crl,
                                        WallTime now) {
  auto trust = daemon::load_anchor(anchor);
  if (!trust) return trust;
  auto list = daemon::load_crl(crl);
  if (!list) return pass_on(list);
  if (auto taken = trust->accept_crl(std::move(*list), now); !taken) return pass_on(taken);
  return trust;
}

}  // namespace gkmpd::ctl
