// Owners for OpenSSL's objects and the way its errors become ours. Only sources of this directory
// include this header.
#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

#include "agent/base/bytes.h"
#include "agent/base/error.h"

namespace gkmpd::crypto::ossl {

template <auto kFree>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Freer<EVP_CIPHER_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Freer<EVP_MAC_CTX_free>>;
using Pkey = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX_free>>;
using BigNumber = std::unique_ptr<BIGNUM, Freer<BN_clear_free>>;
using BigNumberContext = std::unique_ptr<BN_CTX, Freer<BN_CTX_free>>;

/// Ends the process unless `done`: for calls that fail only when memory or the library is broken,
/// where there is no state to go on with.
void require(bool done);

/// Empties OpenSSL's error queue and gives the reason of its newest entry, or "".
[[nodiscard]] std::string take_reason();

/// An error of `kind` whose detail is `what`, with OpenSSL's reason behind it if it gave one.
[[nodiscard]] tl::unexpected<Error> fail_with_reason(ErrorKind kind, std::string_view what);

/// A source that reads `octets` in place; they must outlive it.
[[nodiscard]] Bio reader_of(ByteView octets);

/// What has been written to a memory sink; valid as long as `sink` is not written to.
[[nodiscard]] ByteView written(const Bio& sink);

/// DER of `object` by an i2d function that takes it.
template <typename Encode, typename T>
[[nodiscard]] Bytes encoded(Encode encode, T* object) {
  unsigned char* start = nullptr;
  const int size = encode(object, &start);
  if (size <= 0) return {};
  Bytes der(start, start + size);
  OPENSSL_free(start);
  return der;
}

}  // namespace gkmpd::crypto::ossl
