#include "tests/support/esp_open/made.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <memory>
#include <numeric>
#include <string_view>

namespace gkmpd::esp_open {
namespace {

constexpr std::size_t kSaltSize = 4;
constexpr std::size_t kBlockSize = 16;
constexpr std::size_t kTagSize = 16;

void append16(Octets& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}
void append32(Octets& out, std::uint32_t value) {
  append16(out, value >> 16);
  append16(out, value & 0xffff);
}

std::uint16_t checksum(View octets) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    sum += static_cast<std::uint64_t>(octets[i]) << (i % 2 == 0 ? 8 : 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

void put_checksum(Octets& out, std::size_t at, std::uint16_t sum) {
  out[at] = static_cast<std::uint8_t>(sum >> 8);
  out[at + 1] = static_cast<std::uint8_t>(sum);
}

Octets counting(std::uint8_t first, std::size_t size) {
  Octets out(size);
  std::iota(out.begin(), out.end(), first);
  return out;
}

using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

const EVP_CIPHER* cipher_of(const SaKey& key) {
  const std::size_t size = key.key.size();
  if (key.algorithm == "cbc(aes)") return size == 32 ? EVP_aes_256_cbc() : EVP_aes_128_cbc();
  if (key.algorithm == chacha_key().algorithm) return EVP_chacha20_poly1305();
  if (size == 36) return EVP_aes_256_gcm();
  return size == 28 ? EVP_aes_192_gcm() : EVP_aes_128_gcm();
}

/// What is sealed, and its tag. GMAC has everything among what is associated, and nothing sealed.
void seal_aead(Octets& out, const SaKey& key, View iv, View plain) {
  Octets associated(out.begin(), out.begin() + 4);
  if (key.esn) append32(associated, key.sequence_high);
  append(associated, View(out).subspan(4));
  append(out, iv);
  Octets nonce(key.key.end() - kSaltSize, key.key.end());
  append(nonce, iv);
  const bool gmac = key.algorithm == gmac128_key().algorithm;
  if (gmac) {
    append(associated, iv);
    append(associated, plain);
    append(out, plain);
    plain = {};
  }
  const Context context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  Octets sealed(plain.size() + 1);
  Octets tag(kTagSize);
  int length = 0;
  EXPECT_EQ(
      EVP_EncryptInit_ex2(context.get(), cipher_of(key), key.key.data(), nonce.data(), nullptr), 1);
  EXPECT_EQ(EVP_EncryptUpdate(context.get(), nullptr, &length, associated.data(),
                              static_cast<int>(associated.size())),
            1);
  EXPECT_EQ(EVP_EncryptUpdate(context.get(), sealed.data(), &length, plain.data(),
                              static_cast<int>(plain.size())),
            1);
  EXPECT_EQ(EVP_EncryptFinal_ex(context.get(), sealed.data() + length, &length), 1);
  EXPECT_EQ(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagSize, tag.data()), 1);
  append(out, View(sealed).first(plain.size()));
  append(out, tag);
}

void seal_cbc(Octets& out, const SaKey& key, View iv, View plain) {
  append(out, iv);
  const Context context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  Octets sealed(plain.size());
  int length = 0;
  EXPECT_EQ(EVP_EncryptInit_ex2(context.get(), cipher_of(key), key.key.data(), iv.data(), nullptr),
            1);
  EXPECT_EQ(EVP_CIPHER_CTX_set_padding(context.get(), 0), 1);
  EXPECT_EQ(EVP_EncryptUpdate(context.get(), sealed.data(), &length, plain.data(),
                              static_cast<int>(plain.size())),
            1);
  EXPECT_EQ(static_cast<std::size_t>(length), plain.size());
  append(out, sealed);
}

SaKey aead_key(const char* algorithm, std::size_t size) {
  SaKey key;
  key.algorithm = algorithm;
  key.icv_bits = 128;
  key.key = counting(0x10, size + kSaltSize);
  return key;
}

SaKey mac_key(const char* cipher, std::size_t cipher_size, const char* mac, std::size_t mac_size) {
  SaKey key;
  key.algorithm = cipher;
  key.auth = mac;
  key.icv_bits = static_cast<std::uint32_t>(mac_size * 4);
  key.key = counting(0x10, cipher_size);
  key.auth_key = counting(0x40, mac_size);
  return key;
}

}  // namespace

void append(Octets& out, View more) { out.insert(out.end(), more.begin(), more.end()); }

Octets data_address(int version) {
  if (version == 4) return {239, 1, 1, 1};
  return {0xff, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1};
}

Octets other_address(int version) { return Host{9, version}.octets(); }

GroupView group_of(int version) {
  return {address_text(data_address(version)), kDataPort, kControlPort, {}};
}

Octets Host::octets() const {
  if (version == 4) return {10, 9, 0, last};
  return {0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last};
}

Octets ip(Host from, const Octets& to, std::uint8_t protocol, View payload) {
  const Octets source = from.octets();
  Octets out;
  if (to.size() == 4) {
    out = {0x45, 0};
    append16(out, 20 + payload.size());
    append(out, Octets{0, 1, 0x40, 0, 16, protocol, 0, 0});
  } else {
    out = {0x60, 0, 0, 0};
    append16(out, payload.size());
    append(out, Octets{protocol, 16});
  }
  append(out, source);
  append(out, to);
  if (to.size() == 4) put_checksum(out, 10, checksum(out));
  append(out, payload);
  return out;
}

Octets udp(Host from, const Octets& to, std::uint16_t to_port, View payload) {
  Octets out;
  append16(out, 40000);
  append16(out, to_port);
  append16(out, 8 + payload.size());
  append16(out, 0);
  append(out, payload);
  Octets covered = from.octets();
  append(covered, to);
  append16(covered, kProtocolUdp);
  append16(covered, out.size());
  append(covered, out);
  put_checksum(out, 6, checksum(covered));
  return out;
}

Octets test_payload() {
  constexpr std::string_view kText = "GKTRAFIC and whatever follows";
  return {kText.begin(), kText.end()};
}

SaKey gcm128_key() { return aead_key("rfc4106(gcm(aes))", 16); }
SaKey gcm192_key() { return aead_key("rfc4106(gcm(aes))", 24); }
SaKey gcm256_key() { return aead_key("rfc4106(gcm(aes))", 32); }
SaKey chacha_key() { return aead_key("rfc7539esp(chacha20,poly1305)", 32); }
SaKey gmac128_key() { return aead_key("rfc4543(gcm(aes))", 16); }
SaKey gmac256_key() { return aead_key("rfc4543(gcm(aes))", 32); }
SaKey cbc_key() { return mac_key("cbc(aes)", 16, "hmac(sha256)", 32); }
SaKey cbc_sha384_key() { return mac_key("cbc(aes)", 32, "hmac(sha384)", 48); }
SaKey cbc_sha512_key() { return mac_key("cbc(aes)", 32, "hmac(sha512)", 64); }
SaKey null_sha256_key() { return mac_key("ecb(cipher_null)", 0, "hmac(sha256)", 32); }
SaKey null_sha384_key() { return mac_key("ecb(cipher_null)", 0, "hmac(sha384)", 48); }
SaKey null_sha512_key() { return mac_key("ecb(cipher_null)", 0, "hmac(sha512)", 64); }

std::vector<SaKey> keys_of_all_suites() {
  return {gcm128_key(),     gcm192_key(),      gcm256_key(),      chacha_key(),
          gmac128_key(),    gmac256_key(),     cbc_key(),         cbc_sha384_key(),
          cbc_sha512_key(), null_sha256_key(), null_sha384_key(), null_sha512_key()};
}

SaKey with_esn(SaKey key, std::uint32_t high) {
  key.esn = true;
  key.sequence_high = high;
  return key;
}

SaKey sa(Host from, SaKey key, std::uint32_t spi) {
  key.spi = spi;
  key.source = from.text();
  key.destination = group_of(from.version).data_address;
  key.reqid = 0x47000000;
  key.replay_window = 1024;
  return key;
}

Octets seal_with_trailer(const SaKey& key, std::uint32_t spi, std::uint32_t sequence, View plain) {
  Octets out;
  append32(out, spi);
  append32(out, sequence);
  if (key.auth.empty()) {
    const Octets iv{0xf1, 0xa9, 0xe9, 2, 0xa6, 0xdc, 0x8a, static_cast<std::uint8_t>(sequence)};
    seal_aead(out, key, iv, plain);
    return out;
  }
  if (key.key.empty()) {
    append(out, plain);
  } else {
    Octets iv = counting(0xa0, kBlockSize);
    iv.back() = static_cast<std::uint8_t>(sequence);
    seal_cbc(out, key, iv, plain);
  }
  append_icv(out, key);
  return out;
}

Octets seal(const SaKey& key, std::uint32_t spi, std::uint32_t sequence, Octets plain,
            std::uint8_t next_header) {
  const std::size_t unit = key.algorithm == "cbc(aes)" ? kBlockSize : 4;
  std::uint8_t pad = 0;
  while ((plain.size() + 2) % unit != 0) plain.push_back(++pad);
  plain.push_back(pad);
  plain.push_back(next_header);
  return seal_with_trailer(key, spi, sequence, plain);
}

void append_icv(Octets& out, const SaKey& key) {
  const auto* hash = key.auth_key.size() == 32   ? EVP_sha256()
                     : key.auth_key.size() == 48 ? EVP_sha384()
                                                 : EVP_sha512();
  Octets covered = out;
  if (key.esn) append32(covered, key.sequence_high);
  Octets mac(EVP_MAX_MD_SIZE);
  EXPECT_NE(HMAC(hash, key.auth_key.data(), static_cast<int>(key.auth_key.size()), covered.data(),
                 covered.size(), mac.data(), nullptr),
            nullptr);
  mac.resize(key.icv_bits / 8);
  append(out, mac);
}

File::File() {
  for (const std::uint32_t number : {0xa1b2c3d4U, 0x00040002U, 0U, 0U, 65535U, 1U}) put(number);
}

File& File::add(View ip_packet) {
  const auto size = static_cast<std::uint32_t>(14 + ip_packet.size());
  for (const std::uint32_t number : {1800000000U, 5U, size, size}) put(number);
  append(octets, Octets{1, 0, 0x5e, 1, 1, 1, 2, 0, 0, 0, 0, 1});
  append16(octets, !ip_packet.empty() && ip_packet[0] >> 4 == 6 ? 0x86dd : 0x0800);
  append(octets, ip_packet);
  return *this;
}

File& File::add_esp(Host from, const SaKey& key, std::uint32_t sequence, std::uint32_t spi) {
  const Octets to = data_address(from.version);
  return add(ip(from, to, kProtocolEsp,
                seal(key, spi, sequence, udp(from, to, kDataPort, test_payload()), kProtocolUdp)));
}

File& File::add_gkmp(Host from, const Gkmp& message) {
  Octets header(40);
  header[0] = 'G';
  header[1] = 'K';
  header[3] = message.suite;
  header[4] = message.type;
  header[8] = message.exchange;
  std::fill_n(header.begin() + 16, kGkmpIdSize, message.group);
  header[36] = message.fragment;
  const Octets to = other_address(from.version);
  return add(ip(from, to, kProtocolUdp, udp(from, to, message.port, header)));
}

void File::put(std::uint32_t number) {
  for (int i = 0; i < 4; ++i) octets.push_back(static_cast<std::uint8_t>(number >> (8 * i)));
}

Segment look(const File& file, const GroupView& group, const std::vector<SaKey>& keys) {
  const auto capture = read_capture(file.octets);
  EXPECT_TRUE(capture) << capture.error();
  if (!capture) return {};
  EXPECT_FALSE(capture->ends_early);
  return look_at(*capture, group, keys);
}

}  // namespace gkmpd::esp_open
