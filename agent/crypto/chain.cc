#include <openssl/x509_vfy.h>

#include <algorithm>

#include "agent/crypto/errors.h"
#include "agent/crypto/x509_access.h"

namespace gkmpd::crypto {
namespace {

using ossl::require;

using Store = std::unique_ptr<X509_STORE, ossl::Freer<X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, ossl::Freer<X509_STORE_CTX_free>>;

// Certificates between leaf and anchor.
constexpr int kMaxDepth = 4;

Store store_of(const std::vector<Certificate>& anchors) {
  Store store(X509_STORE_new());
  require(store != nullptr);
  for (const Certificate& anchor : anchors) {
    require(X509_STORE_add_cert(store.get(), X509Access::get(anchor)) == 1);
  }
  return store;
}

ErrorKind kind_of(int error) {
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return kChainExpired;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
      return kChainUntrusted;
    default:
      return kChainInvalid;
  }
}

tl::unexpected<Error> failure_of(X509_STORE_CTX* context) {
  const int error = X509_STORE_CTX_get_error(context);
  const int depth = X509_STORE_CTX_get_error_depth(context);
  ERR_clear_error();
  return fail(kind_of(error), std::string(X509_verify_cert_error_string(error)) + ", at depth " +
                                  std::to_string(depth));
}

// OpenSSL found the path among the very objects it was given.
const Certificate& owner_of(const X509* x509, const Certificate& leaf,
                            const std::vector<Certificate>& intermediates,
                            const std::vector<Certificate>& anchors) {
  const auto owns = [x509](const Certificate& one) { return X509Access::get(one) == x509; };
  if (owns(leaf)) return leaf;
  if (const auto found = std::ranges::find_if(intermediates, owns); found != intermediates.end()) {
    return *found;
  }
  const auto found = std::ranges::find_if(anchors, owns);
  require(found != anchors.end());
  return *found;
}

}  // namespace

Result<std::vector<Certificate>> build_chain(const Certificate& leaf,
                                             const std::vector<Certificate>& intermediates,
                                             const std::vector<Certificate>& anchors, WallTime at) {
  const Store store = store_of(anchors);
  const ossl::X509Stack untrusted(sk_X509_new_null());
  const StoreContext context(X509_STORE_CTX_new());
  require(untrusted != nullptr && context != nullptr);
  for (const Certificate& one : intermediates) {
    require(sk_X509_push(untrusted.get(), X509Access::get(one)) > 0);
  }
  require(X509_STORE_CTX_init(context.get(), store.get(), X509Access::get(leaf), untrusted.get()) ==
          1);
  X509_VERIFY_PARAM* const parameters = X509_STORE_CTX_get0_param(context.get());
  // X509_V_FLAG_X509_STRICT stays off: it asks for key identifiers and keyUsage that certificates
  // made with a plain openssl.cnf lack. What of it protects us is checked when a certificate is
  // read, and below.
  X509_VERIFY_PARAM_set_time(parameters, at.time_since_epoch().count());
  X509_VERIFY_PARAM_set_depth(parameters, kMaxDepth);
  if (X509_verify_cert(context.get()) != 1) return failure_of(context.get());
  const STACK_OF(X509)* const path = X509_STORE_CTX_get0_chain(context.get());
  std::vector<Certificate> chain;
  for (int i = 0; i < sk_X509_num(path); ++i) {
    chain.push_back(owner_of(sk_X509_value(path, i), leaf, intermediates, anchors));
    // OpenSSL also takes older ways of saying "CA", such as keyUsage alone.
    if (i > 0 && !chain.back().is_ca()) {
      return fail(kChainInvalid, "an issuer's basicConstraints do not make it a CA");
    }
  }
  ERR_clear_error();
  return chain;
}

}  // namespace gkmpd::crypto
