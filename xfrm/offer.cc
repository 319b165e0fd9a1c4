#include "xfrm/offer.h"

#include <linux/netlink.h>

#include <cerrno>
#include <map>
#include <span>

#include "netlink/kernel_socket.h"
#include "xfrm/encode.h"
#include "xfrm/encode_suite.h"

namespace gkmpd::xfrm {
namespace {

using netlink::Batch;
using netlink::BatchFailure;

constexpr std::uint64_t kProbeLifetime_s = 2;
// Documentation addresses: nobody has a group or host there.
constexpr const char* kGroup = "233.252.0.1";
constexpr const char* kGroup6 = "ff0e::db8:0:1";
constexpr const char* kSource = "192.0.2.1";
constexpr const char* kSource6 = "2001:db8::1";

constexpr std::size_t kProbeCount = kEspSuites.size() * 2 * 2;
static_assert(kProbeCount <= netlink::kMaxBatch);

std::vector<Probe> all_probes() {
  std::vector<Probe> probes;
  for (const EspSuite suite : kEspSuites)
    for (const IpFamily family : {IpFamily::kV4, IpFamily::kV6})
      for (const bool esn : {false, true}) probes.push_back({suite, family, esn});
  return probes;
}

SaState sa_of(const Probe& probe, std::uint32_t spi, Random& random) {
  const bool v4 = probe.family == IpFamily::kV4;
  SaState sa;
  sa.spi = spi;
  sa.source = *IpAddress::parse(v4 ? kSource : kSource6);
  sa.destination = *IpAddress::parse(v4 ? kGroup : kGroup6);
  sa.reqid = reqid(kProbeSlot, kMaxGeneration, SaDirection::kIn);
  sa.suite = probe.suite;
  sa.esn = probe.esn;
  sa.key = Secret(key_material_size(probe.suite));
  random.fill(sa.key.expose_for_writing());
  sa.hard_lifetime_s = kProbeLifetime_s;
  return sa;
}

/// SPIs of a whole batch, at random, so that another program that asks just now is not met.
std::uint32_t first_spi(Random& random) {
  const auto octets = random.array<2>();
  return 0x47000000U | static_cast<std::uint32_t>(octets[0]) << 16 |
         static_cast<std::uint32_t>(octets[1]) << 8;
}

// --- Which piece is missing ---------------------------------------------------------------------

/// A module, and the option that builds it.
struct Piece {
  std::string_view module;
  std::string_view option;
};
constexpr Piece kEsp4{"esp4", "CONFIG_INET_ESP"};
constexpr Piece kEsp6{"esp6", "CONFIG_INET6_ESP"};
constexpr Piece kSeqIv{"seqiv", "CONFIG_CRYPTO_SEQIV"};
constexpr Piece kEchainIv{"echainiv", "CONFIG_CRYPTO_ECHAINIV"};
/// Both draw their salt from the kernel's default generator, which is a module too.
constexpr Piece kDrbg{"drbg", "CONFIG_CRYPTO_DRBG_MENU"};
constexpr Piece kAuthenc{"authenc", "CONFIG_CRYPTO_AUTHENC"};
constexpr Piece kAuthencEsn{"authencesn", "CONFIG_CRYPTO_AUTHENC"};
constexpr Piece kHmac{"hmac", "CONFIG_CRYPTO_HMAC"};
constexpr Piece kGcm{"gcm", "CONFIG_CRYPTO_GCM"};
constexpr Piece kChaCha{"chacha20poly1305", "CONFIG_CRYPTO_CHACHA20POLY1305"};
constexpr Piece kCbc{"cbc", "CONFIG_CRYPTO_CBC"};
constexpr Piece kNull{"crypto_null", "CONFIG_CRYPTO_NULL"};
constexpr Piece kSha256{"sha256", "CONFIG_CRYPTO_SHA256"};
constexpr Piece kSha512{"sha512", "CONFIG_CRYPTO_SHA512"};

using Pieces = std::vector<Piece>;

Pieces cipher_pieces(EspSuite suite) {
  switch (suite) {
    case EspSuite::kChaCha20Poly1305:
      return {kChaCha};
    case EspSuite::kAesGcm128:
    case EspSuite::kAesGcm192:
    case EspSuite::kAesGcm256:
    case EspSuite::kAesGmac128:
    case EspSuite::kAesGmac256:
      return {kGcm};
    case EspSuite::kAesCbc128HmacSha256:
    case EspSuite::kAesCbc256HmacSha384:
    case EspSuite::kAesCbc256HmacSha512:
      return {kCbc};
    case EspSuite::kNullHmacSha256:
    case EspSuite::kNullHmacSha384:
    case EspSuite::kNullHmacSha512:
      return {kNull};
  }
  return {};
}

Pieces mac_pieces(EspSuite suite) {
  const SuiteAlgorithms& row = algorithms_of(suite);
  if (row.is_aead()) return {};
  return {kHmac, row.mac_key == 32 ? kSha256 : kSha512};  // SHA-384 is a short SHA-512
}

/// What puts the algorithms together, and makes the IVs.
Pieces frame_pieces(const Probe& probe) {
  if (algorithms_of(probe.suite).is_aead()) return {kSeqIv, kDrbg};
  const Piece authenc = probe.esn ? kAuthencEsn : kAuthenc;
  const bool has_iv = algorithms_of(probe.suite).cipher_key != 0;
  return has_iv ? Pieces{authenc, kEchainIv, kDrbg} : Pieces{authenc};
}

Pieces all_pieces(const Probe& probe) {
  Pieces all = cipher_pieces(probe.suite);
  for (const Pieces& more : {mac_pieces(probe.suite), frame_pieces(probe)})
    all.insert(all.end(), more.begin(), more.end());
  return all;
}

bool says(std::string_view words, std::string_view what) {
  return words.find(what) != std::string_view::npos;
}

/// The order is that in which the kernel looks: algorithms by name, ESP itself, then the whole put
/// together. Kernels before 6.1 say less.
Pieces missing_pieces(const Probe& probe, int error, std::string_view words) {
  if (says(words, "AEAD algorithm") || says(words, "CRYPT algorithm"))
    return cipher_pieces(probe.suite);
  if (says(words, "AUTH")) return mac_pieces(probe.suite);
  if (says(words, "type not found") || error == EPROTONOSUPPORT)
    return {probe.family == IpFamily::kV4 ? kEsp4 : kEsp6};
  return all_pieces(probe);
}

std::string joined(std::span<const Piece> pieces, std::string_view Piece::* field) {
  std::string text;
  for (const Piece& piece : pieces) {
    if (says(text, piece.*field)) continue;  // two modules may be of one option
    text += (text.empty() ? "" : " ") + std::string(piece.*field);
  }
  return text;
}

KernelLack lack(const Probe& probe, const BatchFailure& failure) {
  return {probe.suite, probe.family, probe.esn, remedy_of(probe, failure.error, failure.extack)};
}

/// About this process or this moment, not about what the kernel has.
bool says_nothing(int error) { return error == EPERM || error == ENOMEM || error == ENOBUFS; }

/// Takes out what went in. A probe that is gone, or never came, does no harm.
Result<void> take_out(netlink::Socket& socket, const std::vector<SaState>& sas,
                      const std::map<std::size_t, BatchFailure>& refused) {
  Batch batch;
  for (std::size_t i = 0; i < sas.size(); ++i) {
    if (refused.contains(i)) continue;
    if (auto added = encode(batch, DeleteSa{sas[i].id(), sas[i].source}); !added)
      return pass_on(added);
  }
  if (batch.empty()) return {};
  if (auto run = socket.run(batch); !run) return pass_on(run);
  return {};
}

}  // namespace

std::string remedy_of(const Probe& probe, int error, std::string_view words) {
  if (error == EAFNOSUPPORT) return "the kernel has no IPv6 (CONFIG_IPV6)";
  const Pieces pieces = missing_pieces(probe, error, words);
  return "the kernel says " + BatchFailure{0, error, std::string(words)}.text() + ": modprobe -a " +
         joined(pieces, &Piece::module) + " (" + joined(pieces, &Piece::option) + ")";
}

Result<std::vector<KernelLack>> find_lacks(Random& random) {
  auto socket = netlink::Socket::open(NETLINK_XFRM);
  if (!socket) return pass_on(socket);
  const std::vector<Probe> probes = all_probes();
  const std::uint32_t spi = first_spi(random);
  std::vector<SaState> sas;
  Batch batch;
  for (const Probe& probe : probes) {
    sas.push_back(sa_of(probe, spi + static_cast<std::uint32_t>(sas.size()), random));
    if (auto added = encode(batch, AddSa{sas.back().clone()}); !added) return pass_on(added);
  }
  auto failures = socket->run(batch);
  if (!failures) return pass_on(failures);
  std::map<std::size_t, BatchFailure> refused;
  for (BatchFailure& failure : *failures) refused.emplace(failure.index, std::move(failure));
  if (auto out = take_out(*socket, sas, refused); !out) return pass_on(out);

  std::vector<KernelLack> lacks;
  bool plain_lacks = false;
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const auto found = refused.find(i);
    // Whose SA it is that stands in the place: the kernel made ours first.
    const bool lacking = found != refused.end() && found->second.error != EEXIST;
    if (lacking && says_nothing(found->second.error))
      return fail(kRefused, "the kernel cannot be asked what it offers: " + found->second.text());
    if (lacking && !(probes[i].esn && plain_lacks)) lacks.push_back(lack(probes[i], found->second));
    plain_lacks = lacking && !probes[i].esn;
  }
  return lacks;
}

}  // namespace gkmpd::xfrm
