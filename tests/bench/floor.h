// The OpenSSL operations that an exchange cannot do without, done bare: the floor that its CPU time
// is compared with.
//
// Counted is what the security of figures 1 and 2 rests on (docs/PROTOCOL.md 9.2, 11.1, 13.2):
// agreements, signatures, and what it takes to check what the other side sends as octets. Hashing,
// HKDF and AES-GCM of some 2 KiB an exchange, a few microseconds in all, are left out, as is
// everything that is no cryptography: the messages themselves, names, permissions, and the policy.
#pragma once

#include <memory>
#include <vector>

#include "tests/bench/cpu_time.h"
#include "tests/bench/keyed_group.h"

struct evp_pkey_st;

namespace gkmpd::bench {

/// How often an exchange needs each operation at one side.
struct Operations {
  /// An ephemeral key pair (section 10): two in figure 1 (GTEK, GKEK), one in figure 2 (SKEK).
  int key_pairs = 0;
  /// The peer's share is read, and the secret made with it.
  int agreements = 0;
  /// With the host's own long-term key.
  int signatures = 0;
  /// The bare key of the peer's Create message becomes one that verifies.
  int peer_keys = 0;
  /// With the peer's key.
  int verifications = 0;
  /// The peer's certificate: read from DER, and the anchor's signature on it verified.
  int peer_certificates = 0;
  /// The token: the commander's certificate as above, and the commander's signature.
  int tokens = 0;
};

/// Signs M1, M3 and, once for the group, the statement. Verifies M2, and the certificate in M4.
inline constexpr Operations kFigure1Controller{.key_pairs = 2,
                                               .agreements = 2,
                                               .signatures = 3,
                                               .peer_keys = 1,
                                               .verifications = 1,
                                               .peer_certificates = 1,
                                               .tokens = 0};
/// The same without the statement, which stands already, for one key instead of two.
inline constexpr Operations kFigure2Controller{.key_pairs = 1,
                                               .agreements = 1,
                                               .signatures = 2,
                                               .peer_keys = 1,
                                               .verifications = 1,
                                               .peer_certificates = 1,
                                               .tokens = 0};
/// Signs M2. Verifies M1, M3 and the statement, the controller's certificate, and the token.
inline constexpr Operations kFigure1Member{.key_pairs = 2,
                                           .agreements = 2,
                                           .signatures = 1,
                                           .peer_keys = 1,
                                           .verifications = 3,
                                           .peer_certificates = 1,
                                           .tokens = 1};
inline constexpr Operations kFigure2Member{.key_pairs = 1,
                                           .agreements = 1,
                                           .signatures = 1,
                                           .peer_keys = 1,
                                           .verifications = 3,
                                           .peer_certificates = 1,
                                           .tokens = 1};

class Floor {
 public:
  explicit Floor(const Hosts& hosts);

  /// CPU time of doing each of them as often as said.
  [[nodiscard]] Duration cost(const Operations& operations) const;

 private:
  using Key = std::shared_ptr<evp_pkey_st>;

  void run(const Operations& operations) const;
  void make_key_pair() const;
  void agree() const;
  void sign() const;
  void read_peer_key() const;
  void verify(const Key& key, ByteView signature) const;
  void check_certificate(ByteView der) const;

  const char* group_;  // of the ephemeral keys, by OpenSSL's name
  Key anchor_key_;
  Key own_key_;
  Key peer_key_;
  Key commander_key_;
  Bytes own_signature_;
  Bytes commander_signature_;
  Key ephemeral_;
  Bytes peer_share_;
  Bytes peer_point_;
  Bytes peer_certificate_;
  Bytes commander_certificate_;
  crypto::KeyType key_type_;
};

}  // namespace gkmpd::bench
