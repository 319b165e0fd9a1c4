// Captures made by hand for the tests of esp-open: no agent, no kernel, no tcpdump.
#pragma once

#include "tests/support/esp_open/esp_cipher.h"
#include "tests/support/esp_open/segment.h"

namespace gkmpd::esp_open {

inline constexpr std::uint32_t kSpi = 0x0a001001;
inline constexpr std::uint8_t kNoNextHeader = 59;
/// Where the tests' groups are, in either family.
inline constexpr std::uint16_t kDataPort = 5000;
inline constexpr std::uint16_t kControlPort = 8480;
[[nodiscard]] GroupView group_of(int version);
[[nodiscard]] Octets data_address(int version);
[[nodiscard]] Octets other_address(int version);

/// 10.9.0.last or fd09::last.
struct Host {
  std::uint8_t last;
  int version = 4;
  [[nodiscard]] Octets octets() const;
  [[nodiscard]] std::string text() const { return address_text(octets()); }
};

void append(Octets& out, View more);

/// An IP packet; the destination's size tells the version.
[[nodiscard]] Octets ip(Host from, const Octets& to, std::uint8_t protocol, View payload);
/// A UDP datagram with the checksum it has on the way to `to`.
[[nodiscard]] Octets udp(Host from, const Octets& to, std::uint16_t to_port, View payload);
/// What the traffic tools send.
[[nodiscard]] Octets test_payload();

/// Keys that count up, those of MACs from another first octet.
[[nodiscard]] SaKey gcm128_key();
[[nodiscard]] SaKey gcm192_key();
[[nodiscard]] SaKey gcm256_key();
[[nodiscard]] SaKey chacha_key();
[[nodiscard]] SaKey gmac128_key();
[[nodiscard]] SaKey gmac256_key();
[[nodiscard]] SaKey cbc_key();
[[nodiscard]] SaKey cbc_sha384_key();
[[nodiscard]] SaKey cbc_sha512_key();
[[nodiscard]] SaKey null_sha256_key();
[[nodiscard]] SaKey null_sha384_key();
[[nodiscard]] SaKey null_sha512_key();
/// All of these.
[[nodiscard]] std::vector<SaKey> keys_of_all_suites();
/// The same key with extended sequence numbers, of which `high` is the upper half now.
[[nodiscard]] SaKey with_esn(SaKey key, std::uint32_t high);
/// `key` as that of a sender to its family's data address.
[[nodiscard]] SaKey sa(Host from, SaKey key, std::uint32_t spi = kSpi);

/// ESP done here once more, with the upper half that the key names; `plain` has its trailer, and
/// for CBC the length of whole blocks.
[[nodiscard]] Octets seal_with_trailer(const SaKey& key, std::uint32_t spi, std::uint32_t sequence,
                                       View plain);
/// With the shortest padding.
[[nodiscard]] Octets seal(const SaKey& key, std::uint32_t spi, std::uint32_t sequence, Octets plain,
                          std::uint8_t next_header);

/// The MAC of a suite that has one over all of `out`, behind it.
void append_icv(Octets& out, const SaKey& key);

/// A capture file of Ethernet frames, numbers little-endian as on most machines.
class File {
 public:
  File();
  File& add(View ip_packet);
  /// A datagram of the sender, as ESP to its family's group.
  File& add_esp(Host from, const SaKey& key, std::uint32_t sequence, std::uint32_t spi = kSpi);
  struct Gkmp {
    std::uint8_t type;
    std::uint8_t exchange;
    std::uint8_t fragment = 0;
    std::uint16_t port = kControlPort;
    std::uint8_t group = 0x60;  // each octet of the group's id
    std::uint8_t suite = 1;
  };
  File& add_gkmp(Host from, const Gkmp& message);
  Octets octets;

 private:
  void put(std::uint32_t number);
};

/// look_at() the whole file, which must be a capture that ends well.
[[nodiscard]] Segment look(const File& file, const GroupView& group,
                           const std::vector<SaKey>& keys);

}  // namespace gkmpd::esp_open
