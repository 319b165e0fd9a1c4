#include <linux/xfrm.h>
#include <netlink/netlink.h>
#include <netlink/xfrm/sa.h>

#include <algorithm>
#include <array>
#include <memory>

#include "tests/support/esp_open/packet.h"
#include "tests/support/esp_open/sa_keys.h"

namespace gkmpd::esp_open {
namespace {

/// libnl's getters write without asking for a size.
constexpr std::size_t kUnsizedBuffer = 512;
constexpr unsigned kBitsPerOctet = 8;

/// Without the prefix length that libnl adds to some addresses.
std::string text_of(nl_addr* address) {
  std::array<char, kUnsizedBuffer> buffer{};
  const std::string text = nl_addr2str(address, buffer.data(), buffer.size());
  return text.substr(0, text.find('/'));
}

/// Window, and the upper halves of the sequence numbers. Windows above 32 packets have a state of
/// their own, and the old field is 0 then.
void read_replay_state(xfrmnl_sa* sa, SaKey& key) {
  unsigned unused = 0;
  unsigned window = 0;
  unsigned sent_high = 0;
  unsigned received_high = 0;
  std::array<unsigned, kUnsizedBuffer> bitmap{};
  const int error = xfrmnl_sa_get_replay_state_esn(sa, &unused, &unused, &sent_high, &received_high,
                                                   &window, &unused, bitmap.data());
  key.replay_window =
      error < 0 ? static_cast<std::uint32_t>(xfrmnl_sa_get_replay_window(sa)) : window;
  key.esn = (xfrmnl_sa_get_flags(sa) & XFRM_STATE_ESN) != 0;
  if (key.esn) key.sequence_high = std::max(sent_high, received_high);
}

Octets octets_of(const std::array<char, kUnsizedBuffer>& buffer, unsigned bits) {
  return {buffer.begin(), buffer.begin() + bits / kBitsPerOctet};
}

/// Algorithms and keys; false if there is neither an AEAD nor a cipher with a MAC.
bool read_algorithms(xfrmnl_sa* sa, SaKey& key) {
  std::array<char, kUnsizedBuffer> name{};
  std::array<char, kUnsizedBuffer> octets{};
  unsigned key_bits = 0;
  unsigned icv_bits = 0;
  if (xfrmnl_sa_get_aead_params(sa, name.data(), &key_bits, &icv_bits, octets.data()) >= 0) {
    key.algorithm = name.data();
    key.icv_bits = icv_bits;
    key.key = octets_of(octets, key_bits);
    return true;
  }
  if (xfrmnl_sa_get_crypto_params(sa, name.data(), &key_bits, octets.data()) < 0) return false;
  key.algorithm = name.data();
  key.key = octets_of(octets, key_bits);
  if (xfrmnl_sa_get_auth_params(sa, name.data(), &key_bits, &icv_bits, octets.data()) < 0) {
    return false;
  }
  key.auth = name.data();
  key.icv_bits = icv_bits;
  key.auth_key = octets_of(octets, key_bits);
  return true;
}

/// False if the SA is none that SaKey can describe.
bool read_sa(xfrmnl_sa* sa, SaKey& key) {
  if (xfrmnl_sa_get_proto(sa) != kProtocolEsp || !read_algorithms(sa, key)) return false;
  key.spi = static_cast<std::uint32_t>(xfrmnl_sa_get_spi(sa));
  key.source = text_of(xfrmnl_sa_get_saddr(sa));
  key.destination = text_of(xfrmnl_sa_get_daddr(sa));
  key.reqid = static_cast<std::uint32_t>(xfrmnl_sa_get_reqid(sa));
  read_replay_state(sa, key);
  key.tunnel = xfrmnl_sa_get_mode(sa) == XFRM_MODE_TUNNEL;
  return true;
}

}  // namespace

tl::expected<std::vector<SaKey>, std::string> dump_kernel_keys() {
  const std::unique_ptr<nl_sock, decltype(&nl_socket_free)> socket(nl_socket_alloc(),
                                                                   nl_socket_free);
  int error = nl_connect(socket.get(), NETLINK_XFRM);
  nl_cache* dumped = nullptr;
  if (error == 0) error = xfrmnl_sa_alloc_cache(socket.get(), &dumped);
  if (error != 0) return tl::unexpected(std::string("XFRM dump: ") + nl_geterror(error));
  const std::unique_ptr<nl_cache, decltype(&nl_cache_free)> cache(dumped, nl_cache_free);

  std::vector<SaKey> keys;
  for (nl_object* object = nl_cache_get_first(cache.get()); object != nullptr;
       object = nl_cache_get_next(object)) {
    SaKey key;
    if (read_sa(reinterpret_cast<xfrmnl_sa*>(object), key)) keys.push_back(std::move(key));
  }
  return keys;
}

}  // namespace gkmpd::esp_open
