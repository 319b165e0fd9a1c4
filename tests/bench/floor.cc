#include "tests/bench/floor.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/crypto/suite.h"

namespace gkmpd::bench {
namespace {

template <auto kFree>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Digest = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX_free>>;
using Pkey = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;

void require(bool done) {
  if (done) return;
  std::fputs("bench: a bare OpenSSL operation failed\n", stderr);
  std::abort();
}

/// As long as what the protocol signs: 64 spaces, a context, a digest.
const Bytes kMessage(64 + 20 + 32, 0x20);

const char* group_of(Suite suite) {
  switch (crypto::agreement_of(suite)) {
    case crypto::Agreement::kX25519:
      return "X25519";
    case crypto::Agreement::kP256:
      return "P-256";
    case crypto::Agreement::kP384:
      return "P-384";
  }
  std::abort();  // not a value of the enum
}

bool is_x25519(const char* group) { return std::string_view(group) == "X25519"; }

EVP_PKEY* private_key(const crypto::PrivateKey& key) {
  const Secret pem = key.to_pem();
  const std::unique_ptr<BIO, Freer<BIO_free_all>> source(
      BIO_new_mem_buf(pem.expose().data(), static_cast<int>(pem.size())));
  EVP_PKEY* const read = PEM_read_bio_PrivateKey(source.get(), nullptr, nullptr, nullptr);
  require(read != nullptr);
  return read;
}

EVP_PKEY* public_key(const crypto::PublicKey& key) {
  const unsigned char* next = key.spki().data();
  EVP_PKEY* const read = d2i_PUBKEY(nullptr, &next, static_cast<long>(key.spki().size()));
  require(read != nullptr);
  return read;
}

/// Ed25519 hashes by itself; P-256 with SHA-256.
const EVP_MD* digest_of(const EVP_PKEY* key) {
  return EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? nullptr : EVP_sha256();
}

Bytes signature_by(EVP_PKEY* key) {
  const Digest state(EVP_MD_CTX_new());
  std::size_t size = 0;
  require(EVP_DigestSignInit(state.get(), nullptr, digest_of(key), nullptr, key) == 1);
  require(EVP_DigestSign(state.get(), nullptr, &size, kMessage.data(), kMessage.size()) == 1);
  Bytes signature(size);
  require(EVP_DigestSign(state.get(), signature.data(), &size, kMessage.data(), kMessage.size()) ==
          1);
  signature.resize(size);
  return signature;
}

/// A key pair of the same group as `model`, from which its parameters come: to look them up by name
/// costs as much again.
EVP_PKEY* new_key_pair(EVP_PKEY* model) {
  const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, model, nullptr));
  EVP_PKEY* key = nullptr;
  require(EVP_PKEY_keygen_init(context.get()) == 1 && EVP_PKEY_generate(context.get(), &key) == 1);
  return key;
}

EVP_PKEY* model_of(const char* group) {
  EVP_PKEY* const key = is_x25519(group) ? EVP_PKEY_Q_keygen(nullptr, nullptr, group)
                                         : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", group);
  require(key != nullptr);
  return key;
}

Bytes share_of(EVP_PKEY* key) {
  unsigned char* octets = nullptr;
  const std::size_t size = EVP_PKEY_get1_encoded_public_key(key, &octets);
  require(size > 0);
  Bytes share(octets, octets + size);
  OPENSSL_free(octets);
  return share;
}

Pkey raw_key(const char* type, const Bytes& octets) {
  Pkey key(EVP_PKEY_new_raw_public_key_ex(nullptr, type, nullptr, octets.data(), octets.size()));
  require(key != nullptr);
  return key;
}

/// Refuses a point off the curve; more is not needed where the group's order is prime.
Pkey ec_key(const EVP_PKEY* model, const Bytes& point) {
  Pkey key(EVP_PKEY_new());
  require(EVP_PKEY_copy_parameters(key.get(), model) == 1);
  require(EVP_PKEY_set1_encoded_public_key(key.get(), point.data(), point.size()) == 1);
  return key;
}

/// The key's own octets, which end its SubjectPublicKeyInfo.
Bytes point_of(const crypto::PublicKey& key) {
  const std::size_t size = key.type() == crypto::KeyType::kEd25519 ? 32 : 65;
  return to_bytes(ByteView(key.spki()).last(size));
}

template <typename Work>
void times(int count, Work&& work) {
  for (int i = 0; i < count; ++i) work();
}

}  // namespace

Floor::Floor(const Hosts& hosts)
    : group_(group_of(hosts.suite())),
      anchor_key_(public_key(hosts.anchor().public_key()), EVP_PKEY_free),
      own_key_(private_key(hosts.controller().key), EVP_PKEY_free),
      peer_key_(public_key(hosts.controller().key.public_key()), EVP_PKEY_free),
      commander_key_(public_key(hosts.commander().key.public_key()), EVP_PKEY_free),
      own_signature_(signature_by(own_key_.get())),
      ephemeral_(model_of(group_), EVP_PKEY_free),
      peer_share_(share_of(Pkey(new_key_pair(ephemeral_.get())).get())),
      peer_point_(point_of(hosts.controller().key.public_key())),
      peer_certificate_(hosts.member().certificate.der()),
      commander_certificate_(hosts.commander().certificate.der()),
      key_type_(hosts.controller().key.public_key().type()) {
  const Pkey commander(private_key(hosts.commander().key));
  commander_signature_ = signature_by(commander.get());
}

Duration Floor::cost(const Operations& operations) const {
  return cpu_of([&] { run(operations); });
}

void Floor::run(const Operations& operations) const {
  times(operations.key_pairs, [this] { make_key_pair(); });
  times(operations.agreements, [this] { agree(); });
  times(operations.signatures, [this] { sign(); });
  times(operations.peer_keys, [this] { read_peer_key(); });
  times(operations.verifications, [this] { verify(peer_key_, own_signature_); });
  times(operations.peer_certificates, [this] { check_certificate(peer_certificate_); });
  times(operations.tokens, [this] {
    check_certificate(commander_certificate_);
    verify(commander_key_, commander_signature_);
  });
}

void Floor::make_key_pair() const {
  const Pkey key(new_key_pair(ephemeral_.get()));
  require(!share_of(key.get()).empty());
}

void Floor::agree() const {
  const Pkey peer =
      is_x25519(group_) ? raw_key(group_, peer_share_) : ec_key(ephemeral_.get(), peer_share_);
  const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, ephemeral_.get(), nullptr));
  require(EVP_PKEY_derive_init(context.get()) == 1);
  require(EVP_PKEY_derive_set_peer_ex(context.get(), peer.get(), 0) == 1);
  ByteArray<66> secret{};
  std::size_t size = secret.size();
  require(EVP_PKEY_derive(context.get(), secret.data(), &size) == 1);
}

void Floor::sign() const { require(!signature_by(own_key_.get()).empty()); }

void Floor::read_peer_key() const {
  const Pkey key = key_type_ == crypto::KeyType::kEd25519 ? raw_key("ED25519", peer_point_)
                                                          : ec_key(peer_key_.get(), peer_point_);
  require(key != nullptr);
}

void Floor::verify(const Key& key, ByteView signature) const {
  const Digest state(EVP_MD_CTX_new());
  require(EVP_DigestVerifyInit(state.get(), nullptr, digest_of(key.get()), nullptr, key.get()) ==
          1);
  require(EVP_DigestVerify(state.get(), signature.data(), signature.size(), kMessage.data(),
                           kMessage.size()) == 1);
}

void Floor::check_certificate(ByteView der) const {
  const unsigned char* next = der.data();
  const std::unique_ptr<X509, Freer<X509_free>> certificate(
      d2i_X509(nullptr, &next, static_cast<long>(der.size())));
  require(certificate != nullptr && X509_verify(certificate.get(), anchor_key_.get()) == 1);
}

}  // namespace gkmpd::bench
