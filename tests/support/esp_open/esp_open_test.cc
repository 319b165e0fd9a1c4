// The decryptor against captures made here by hand: no agent, no kernel, no tcpdump.
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <memory>
#include <sstream>
#include <string_view>

#include "tests/support/esp_open/esp_cipher.h"
#include "tests/support/esp_open/segment.h"

namespace gkmpd::esp_open {
namespace {

constexpr std::uint32_t kSpi = 0x0a001001;
const GroupView kGroup{"239.1.1.1", 5000, 8480};
const Octets kKey{0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19,
                  0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23};

void append(Octets& out, View more) { out.insert(out.end(), more.begin(), more.end()); }
void append16(Octets& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}
void append32(Octets& out, std::uint32_t value) {
  append16(out, value >> 16);
  append16(out, value & 0xffff);
}

std::uint16_t checksum(View octets, std::uint64_t sum = 0) {
  for (std::size_t i = 0; i < octets.size(); ++i) {
    sum += static_cast<std::uint64_t>(octets[i]) << (i % 2 == 0 ? 8 : 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

struct Host {
  std::uint8_t last;  // 10.9.0.last
  [[nodiscard]] std::string text() const { return "10.9.0." + std::to_string(last); }
};
const Octets kDataAddress{239, 1, 1, 1};
const Octets kOtherAddress{10, 9, 0, 9};

Octets ipv4(Host from, const Octets& to, std::uint8_t protocol, View payload) {
  Octets out{0x45, 0};
  append16(out, 20 + payload.size());
  append(out, Octets{0, 1, 0x40, 0, 16, protocol, 0, 0, 10, 9, 0, from.last});
  append(out, to);
  const std::uint16_t sum = checksum(out);
  out[10] = static_cast<std::uint8_t>(sum >> 8);
  out[11] = static_cast<std::uint8_t>(sum);
  append(out, payload);
  return out;
}

Octets udp(Host from, std::uint16_t to_port, View payload) {
  Octets out;
  append16(out, 40000);
  append16(out, to_port);
  append16(out, 8 + payload.size());
  append16(out, 0);
  append(out, payload);
  Octets pseudo{10, 9, 0, from.last};
  append(pseudo, kDataAddress);
  append16(pseudo, kProtocolUdp);
  append16(pseudo, out.size());
  append(pseudo, out);
  const std::uint16_t sum = checksum(pseudo);
  out[6] = static_cast<std::uint8_t>(sum >> 8);
  out[7] = static_cast<std::uint8_t>(sum);
  return out;
}

Octets test_payload() {
  constexpr std::string_view kText = "GKTRAFIC and whatever follows";
  return {kText.begin(), kText.end()};
}

/// RFC 4106 done here once more; `plain` has its trailer.
Octets seal_with_trailer(std::uint32_t spi, std::uint32_t sequence, View key, View plain) {
  Octets out;
  append32(out, spi);
  append32(out, sequence);
  const Octets associated = out;
  const Octets iv{0xf1, 0xa9, 0xe9, 2, 0xa6, 0xdc, 0x8a, static_cast<std::uint8_t>(sequence)};
  append(out, iv);
  Octets nonce(key.begin() + 16, key.end());
  append(nonce, iv);

  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(
      EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  Octets sealed(plain.size());
  Octets tag(16);
  int length = 0;
  EXPECT_EQ(
      EVP_EncryptInit_ex2(context.get(), EVP_aes_128_gcm(), key.data(), nonce.data(), nullptr), 1);
  EXPECT_EQ(EVP_EncryptUpdate(context.get(), nullptr, &length, associated.data(),
                              static_cast<int>(associated.size())),
            1);
  EXPECT_EQ(EVP_EncryptUpdate(context.get(), sealed.data(), &length, plain.data(),
                              static_cast<int>(plain.size())),
            1);
  EXPECT_EQ(EVP_EncryptFinal_ex(context.get(), sealed.data() + length, &length), 1);
  EXPECT_EQ(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, 16, tag.data()), 1);
  append(out, sealed);
  append(out, tag);
  return out;
}

Octets seal(std::uint32_t spi, std::uint32_t sequence, View key, Octets plain,
            std::uint8_t next_header) {
  std::uint8_t pad = 0;
  while ((plain.size() + 2) % 4 != 0) plain.push_back(++pad);
  plain.push_back(pad);
  plain.push_back(next_header);
  return seal_with_trailer(spi, sequence, key, plain);
}

/// A capture file of Ethernet frames, numbers little-endian as on most machines.
class File {
 public:
  File() {
    for (const std::uint32_t number : {0xa1b2c3d4U, 0x00040002U, 0U, 0U, 65535U, 1U}) put(number);
  }
  File& add(View ip_packet) {
    const auto size = static_cast<std::uint32_t>(14 + ip_packet.size());
    for (const std::uint32_t number : {1800000000U, 5U, size, size}) put(number);
    append(octets, Octets{1, 0, 0x5e, 1, 1, 1, 2, 0, 0, 0, 0, 1, 8, 0});
    append(octets, ip_packet);
    return *this;
  }
  File& add_esp(Host from, View key, std::uint32_t sequence, std::uint32_t spi = kSpi) {
    return add(
        ipv4(from, kDataAddress, kProtocolEsp,
             seal(spi, sequence, key, udp(from, kGroup.data_port, test_payload()), kProtocolUdp)));
  }
  File& add_gkmp(Host from, std::uint8_t type, std::uint8_t exchange, std::uint8_t fragment = 0,
                 std::uint16_t port = 8480) {
    Octets header(40);
    header[0] = 'G';
    header[1] = 'K';
    header[4] = type;
    header[8] = exchange;
    header[36] = fragment;
    return add(ipv4(from, kOtherAddress, kProtocolUdp, udp(from, port, header)));
  }
  Octets octets;

 private:
  void put(std::uint32_t number) {
    for (int i = 0; i < 4; ++i) octets.push_back(static_cast<std::uint8_t>(number >> (8 * i)));
  }
};

SaKey sa(Host from, const Octets& key, std::uint32_t spi = kSpi) {
  return {spi, from.text(), kGroup.data_address, "rfc4106(gcm(aes))", 128, 0x47000000, 1024, key};
}

Segment look(const File& file, const std::vector<SaKey>& keys) {
  const auto capture = read_capture(file.octets);
  EXPECT_TRUE(capture) << capture.error();
  if (!capture) return {};
  EXPECT_FALSE(capture->ends_early);
  return look_at(*capture, kGroup, keys);
}

constexpr Host kA{1};
constexpr Host kB{2};

// Made with another implementation (Python's cryptography, AESGCM) from kKey, SPI 0x0a001001,
// sequence number 1, IV f1a9e902a6dc8a01, and the text "abcdef" with next header 59.
TEST(EspCipher, OpensAForeignVector) {
  const Octets frame{0x0a, 0x00, 0x10, 0x01, 0x00, 0x00, 0x00, 0x01, 0xf1, 0xa9,
                     0xe9, 0x02, 0xa6, 0xdc, 0x8a, 0x01, 0xa1, 0xe5, 0xb4, 0xff,
                     0x53, 0x1d, 0x2e, 0x97, 0xba, 0xa0, 0x4c, 0xe6, 0xda, 0xa9,
                     0x8e, 0x34, 0x48, 0x58, 0xdc, 0x88, 0x58, 0xe6, 0xe4, 0xc1};
  const auto esp = read_esp(frame);
  ASSERT_TRUE(esp);
  EXPECT_EQ(esp->spi, kSpi);
  EXPECT_EQ(esp->sequence, 1U);
  const auto content = open_esp(*esp, kKey);
  ASSERT_TRUE(content);
  EXPECT_EQ(content->next_header, 59);
  EXPECT_EQ(std::string(content->payload.begin(), content->payload.end()), "abcdef");
}

TEST(EspCipher, EveryOctetCounts) {
  const Octets frame = seal(kSpi, 1, kKey, {1, 2, 3}, 59);
  for (std::size_t i = 0; i < frame.size(); ++i) {
    auto changed = frame;
    changed[i] ^= 1;
    EXPECT_FALSE(open_esp(*read_esp(changed), kKey)) << i;
  }
  for (std::size_t size = 8; size < frame.size(); ++size) {
    EXPECT_FALSE(open_esp(*read_esp(View(frame).first(size)), kKey)) << size;
  }
}

TEST(EspCipher, TakesOnlyPaddingThatCounts) {
  const auto opens = [](const Octets& plain) {
    return open_esp(*read_esp(seal_with_trailer(kSpi, 1, kKey, plain)), kKey).has_value();
  };
  EXPECT_TRUE(opens({0xaa, 1, 2, 3, 3, 59}));
  EXPECT_FALSE(opens({0xaa, 1, 2, 4, 3, 59}));
  EXPECT_FALSE(opens({1, 2, 3, 59}));  // three octets of padding, two there
}

TEST(EspCipher, RefusesAKeyOfAnotherLength) {
  const Octets frame = seal(kSpi, 1, kKey, {}, 59);
  EXPECT_FALSE(open_esp(*read_esp(frame), View(kKey).first(19)));
}

TEST(Segment, CountsOpenedFramesBySpi) {
  File file;
  file.add_esp(kA, kKey, 1).add_esp(kA, kKey, 2).add_esp(kB, kKey, 1, kSpi + 1);
  const Segment segment = look(file, {sa(kA, kKey), sa(kB, kKey, kSpi + 1)});
  EXPECT_EQ(segment.frames, 3U);
  EXPECT_EQ(segment.esp_frames, 3U);
  EXPECT_EQ(segment.opened, 3U);
  EXPECT_EQ(segment.failed, 0U);
  ASSERT_EQ(segment.spis.size(), 2U);
  EXPECT_EQ(segment.spis.at(kSpi).frames, 2U);
  EXPECT_EQ(segment.spis.at(kSpi).opened, 2U);
  EXPECT_EQ(segment.spis.at(kSpi).first_sequence, 1U);
  EXPECT_EQ(segment.spis.at(kSpi).last_sequence, 2U);
  EXPECT_EQ(segment.spis.at(kSpi + 1).sources, std::set<std::string>{"10.9.0.2"});
}

TEST(Segment, WrongKeyFails) {
  File file;
  file.add_esp(kA, kKey, 1);
  Octets wrong = kKey;
  wrong[0] ^= 1;
  const Segment segment = look(file, {sa(kA, wrong)});
  EXPECT_EQ(segment.esp_frames, 1U);
  EXPECT_EQ(segment.opened, 0U);
  EXPECT_EQ(segment.failed, 1U);
  EXPECT_EQ(segment.failures.at("tag or padding wrong"), 1U);
  // Beside a wrong one, the right one is found.
  EXPECT_EQ(look(file, {sa(kA, wrong), sa(kA, kKey)}).opened, 1U);
}

TEST(Segment, EveryFailureHasItsReason) {
  File file;
  file.add_esp(kA, kKey, 1, 0x77);                                             // no such SA
  file.add_esp(kB, kKey, 1);                                                   // of another source
  file.add(ipv4(kA, kDataAddress, kProtocolEsp, Octets(7)));                   // too short
  file.add(ipv4(kA, kDataAddress, kProtocolEsp, seal(kSpi, 1, kKey, {}, 4)));  // a tunnel's
  file.add(ipv4(kA, kDataAddress, kProtocolEsp,
                seal(kSpi, 2, kKey, udp(kB, 5000, test_payload()), kProtocolUdp)));
  file.add(ipv4(kA, kDataAddress, kProtocolEsp,
                seal(kSpi, 3, kKey, udp(kA, 5001, test_payload()), kProtocolUdp)));
  file.add(ipv4(kA, kDataAddress, kProtocolEsp,
                seal(kSpi, 4, kKey, udp(kA, 5000, Octets(40)), kProtocolUdp)));
  const Segment segment = look(file, {sa(kA, kKey)});
  EXPECT_EQ(segment.opened, 0U);
  const std::map<std::string, std::uint64_t> wanted{{"no key for the SPI", 1},
                                                    {"source is not the SA's", 1},
                                                    {"too short", 1},
                                                    {"not UDP inside", 1},
                                                    {"another port", 1},
                                                    {"payload without magic", 1},
                                                    {"UDP length or checksum wrong", 1}};
  EXPECT_EQ(segment.failures, wanted);
  EXPECT_EQ(segment.failed, 7U);
}

TEST(Segment, CleartextIsCountedBySource) {
  File file;
  for (int i = 0; i < 3; ++i) {
    file.add(ipv4(kB, kDataAddress, kProtocolUdp, udp(kB, 5000, test_payload())));
  }
  file.add(ipv4(kA, kDataAddress, 1, Octets(8)));                             // not only UDP
  file.add(ipv4(kA, kOtherAddress, kProtocolUdp, udp(kA, 5000, Octets(8))));  // not the group
  const Segment segment = look(file, {});
  EXPECT_EQ(segment.esp_frames, 0U);
  EXPECT_EQ(segment.cleartext,
            (std::map<std::string, std::uint64_t>{{"10.9.0.1", 1}, {"10.9.0.2", 3}}));
}

TEST(Segment, NamesMessagesInOrder) {
  File file;
  file.add_gkmp(kA, 1, 1).add_gkmp(kA, 1, 1).add_gkmp(kB, 2, 1);  // the second is a repeat
  file.add_gkmp(kA, 3, 1).add_gkmp(kA, 3, 1, 1);                  // two fragments, one message
  file.add_gkmp(kA, 15, 0).add_gkmp(kA, 15, 9);                   // heartbeats: the first only
  file.add_gkmp(kA, 9, 1, 0, 9999);                               // another port
  file.add_gkmp(kA, 5, 2).add_gkmp(kA, 99, 2);
  const Segment segment = look(file, {});
  EXPECT_EQ(segment.messages, (std::vector<std::string>{"Create_Grp_Keys_1", "Create_Grp_Keys_2",
                                                        "Negotiate_Grp_Keys_1", "Heartbeat",
                                                        "Create_Session_KEK_1", "Unknown_99"}));
  EXPECT_EQ(segment.message_repeats, 1U);
  EXPECT_EQ(segment.message_counts.at("Heartbeat"), 2U);
  EXPECT_FALSE(segment.control_after_esp);
  file.add_esp(kA, kKey, 1).add_gkmp(kA, 15, 7);
  EXPECT_FALSE(look(file, {}).control_after_esp);
  file.add_gkmp(kA, 10, 2);
  EXPECT_TRUE(look(file, {}).control_after_esp);
}

TEST(Segment, SeesWhoReportedMembership) {
  const auto report = [](const Octets& group) {
    Octets out{0x22, 0, 0, 0, 0, 0, 0, 2, 4, 0, 0, 0, 239, 9, 9, 9, 4, 0, 0, 0};
    append(out, group);
    return out;
  };
  File file;
  const Octets all_routers{224, 0, 0, 22};
  file.add(ipv4(kA, all_routers, kProtocolIgmp, report({239, 1, 1, 2})));
  file.add(ipv4(kB, all_routers, kProtocolIgmp, report(kDataAddress)));
  file.add(ipv4({3}, kDataAddress, kProtocolIgmp, Octets{0x16, 0, 0, 0, 239, 1, 1, 1}));
  const Segment segment = look(file, {});
  EXPECT_EQ(segment.reporters, (std::set<std::string>{"10.9.0.2", "10.9.0.3"}));
  EXPECT_TRUE(segment.cleartext.empty());
}

TEST(Pcap, AnyTruncationIsSeen) {
  File file;
  file.add_esp(kA, kKey, 1);
  const std::size_t one = file.octets.size();
  file.add_esp(kA, kKey, 2);
  for (std::size_t size = 0; size < file.octets.size(); ++size) {
    const auto capture = read_capture(View(file.octets).first(size));
    if (size < 24) {
      EXPECT_FALSE(capture) << size;
      continue;
    }
    ASSERT_TRUE(capture) << size;
    EXPECT_EQ(capture->ends_early, size != 24 && size != one) << size;
    EXPECT_EQ(capture->frames.size(), size < one ? 0U : 1U) << size;
  }
}

TEST(Pcap, RefusesWhatItDoesNotKnow) {
  File file;
  file.octets[20] = 195;
  EXPECT_FALSE(read_capture(file.octets));
  EXPECT_FALSE(read_capture(Octets(64)));
  File long_record;
  long_record.add(Octets(20));
  long_record.octets[24 + 8 + 3] = 0x7f;
  EXPECT_FALSE(read_capture(long_record.octets));
}

TEST(Packet, ACutFrameIsNone) {
  File file;
  file.add_esp(kA, kKey, 1);
  file.octets[24 + 12] = static_cast<std::uint8_t>(file.octets[24 + 12] + 1);
  const Segment segment = look(file, {sa(kA, kKey)});
  EXPECT_EQ(segment.frames, 1U);
  EXPECT_EQ(segment.esp_frames, 0U);
}

TEST(SaKeys, FileGivesBackWhatWentIn) {
  const std::vector<SaKey> keys{sa(kA, kKey), sa(kB, Octets{0, 0xff}, 7)};
  std::stringstream file;
  write_keys(file, keys);
  const auto again = read_keys(file);
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(*again, keys);
  for (const char* bad : {"1 a b c", "1 a b c 1 2 3 abc", "1 a b c 1 2 3 xy"}) {
    std::stringstream line(bad);
    EXPECT_FALSE(read_keys(line)) << bad;
  }
}

}  // namespace
}  // namespace gkmpd::esp_open
