// ESP suites as the kernel's algorithm attributes, both ways. Part of the encoder: nobody else
// includes it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/base/error.h"
#include "agent/base/secret.h"
#include "netlink/batch.h"
#include "xfrm/spec.h"

namespace gkmpd::xfrm {

/// A suite as the kernel knows it: one algorithm that does both, or a cipher and a MAC.
struct SuiteAlgorithms {
  EspSuite suite = EspSuite::kAesGcm128;
  std::string_view cipher;     // of an AEAD, or what goes with `mac`
  std::size_t cipher_key = 0;  // octets; of an AEAD with its salt
  std::string_view mac;        // empty with an AEAD
  std::size_t mac_key = 0;     // octets
  std::uint32_t icv_bits = 0;

  [[nodiscard]] constexpr bool is_aead() const { return mac.empty(); }
};

[[nodiscard]] const SuiteAlgorithms& algorithms_of(EspSuite suite);

/// Adds the algorithms of a suite to the NEWSA that was begun. A key that is not of
/// `key_material_size(suite)` octets is for the kernel to refuse.
void put_suite(netlink::Batch& batch, EspSuite suite, const Secret& key);

struct SuiteAndKey {
  EspSuite suite = EspSuite::kAesGcm128;
  Secret key;
};

/// Gathers the algorithm attributes of one SA. It looks into the message and copies no key before
/// `result`, so that the message must outlive it.
class SuiteReader {
 public:
  /// Takes one attribute in; all but those of algorithms change nothing. `xfrm.bad-message` if it
  /// is cut short.
  [[nodiscard]] Result<void> take(std::uint16_t type, ByteView payload);

  /// Nothing if the algorithms are not just those of one of our suites.
  [[nodiscard]] std::optional<SuiteAndKey> result() const;

 private:
  struct Algorithm {
    std::string name;
    std::uint32_t key_bits = 0;
    std::uint32_t icv_bits = 0;  // 0 where the attribute has no such field
    ByteView key;                // all that follows the fixed part

    [[nodiscard]] bool is(std::string_view wanted, std::size_t key_size) const {
      return name == wanted && key_bits == 8 * key_size && key.size() == key_size;
    }
  };
  template <typename Head>
  [[nodiscard]] static Result<Algorithm> read(ByteView payload);
  [[nodiscard]] bool has_just(const SuiteAlgorithms& row) const;

  std::optional<Algorithm> aead_;
  std::optional<Algorithm> cipher_;
  std::optional<Algorithm> mac_;
  /// The kernel shows a MAC twice: as XFRMA_ALG_AUTH_TRUNC, and without the truncation for readers
  /// that do not know that.
  std::optional<Algorithm> mac_for_old_readers_;
};

}  // namespace gkmpd::xfrm
