// The formats read: captures, IP packets in them, key files, addresses.
#include <gtest/gtest.h>

#include <sstream>

#include "tests/support/esp_open/made.h"

namespace gkmpd::esp_open {
namespace {

constexpr Host kA{1};
constexpr Host kA6{1, 6};

TEST(Pcap, AnyTruncationIsSeen) {
  File file;
  file.add_esp(kA, gcm128_key(), 1);
  const std::size_t one = file.octets.size();
  file.add_esp(kA, gcm128_key(), 2);
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
  file.add_esp(kA, gcm128_key(), 1);
  file.octets[24 + 12] = static_cast<std::uint8_t>(file.octets[24 + 12] + 1);
  const Segment segment = look(file, group_of(4), {sa(kA, gcm128_key())});
  EXPECT_EQ(segment.frames, 1U);
  EXPECT_EQ(segment.esp_frames, 0U);
}

/// What is found is a view into `packet`.
std::optional<IpPacket> read(const Octets& packet) {
  return find_ip(LinkType::kRawIp, Frame{0, packet, false});
}

TEST(PacketIpv6, IsTakenApart) {
  const Octets octets = ip(kA6, data_address(6), kProtocolEsp, Octets{1, 2, 3});
  const auto packet = read(octets);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->version, 6);
  EXPECT_EQ(packet->source, "fd09::1");
  EXPECT_EQ(packet->destination, "ff15::1:1");
  EXPECT_EQ(packet->protocol, kProtocolEsp);
  EXPECT_FALSE(packet->fragment);
  EXPECT_EQ(Octets(packet->payload.begin(), packet->payload.end()), (Octets{1, 2, 3}));
}

TEST(PacketIpv6, EspIsFoundBehindExtensionHeaders) {
  Octets payload{60, 0, 1, 4, 0, 0, 0, 0};                      // hop by hop, 8 octets
  append(payload, Octets{kProtocolEsp, 1, 1, 12, 0, 0, 0, 0});  // destination options, 16
  append(payload, Octets(8));
  append(payload, Octets{0, 0, 0, 7, 0, 0, 0, 1});
  const Octets octets = ip(kA6, data_address(6), 0, payload);
  const auto packet = read(octets);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->protocol, kProtocolEsp);
  const auto esp = read_esp(packet->payload);
  ASSERT_TRUE(esp);
  EXPECT_EQ(esp->spi, 7U);
  // Headers that are longer than the packet, or never end.
  EXPECT_FALSE(read(ip(kA6, data_address(6), 0, View(payload).first(20))));
  EXPECT_FALSE(read(ip(kA6, data_address(6), 60, Octets(8 * 20, 0))));
}

TEST(PacketIpv6, FragmentsAreKnown) {
  Octets payload{kProtocolEsp, 0, 0, 1, 0, 0, 0, 9};
  append(payload, Octets(16));
  const Octets fragment = ip(kA6, data_address(6), 44, payload);
  const auto packet = read(fragment);
  ASSERT_TRUE(packet);
  EXPECT_TRUE(packet->fragment);
  EXPECT_EQ(packet->protocol, kProtocolEsp);
  File file;
  file.add(fragment);
  const Segment segment = look(file, group_of(6), {sa(kA6, gcm128_key())});
  EXPECT_EQ(segment.esp_frames, 1U);
  EXPECT_EQ(segment.failures.at("fragment"), 1U);
}

TEST(PacketIpv6, ALengthBeyondTheFrameIsNone) {
  const Octets packet = ip(kA6, data_address(6), kProtocolEsp, Octets(16));
  for (std::size_t size = 1; size < packet.size(); ++size) {
    EXPECT_FALSE(read(Octets(packet.begin(), packet.begin() + static_cast<long>(size)))) << size;
  }
}

TEST(Addresses, AreWrittenInOneWay) {
  EXPECT_EQ(plain_address("FF15:0:0:0::0001:1"), "ff15::1:1");
  EXPECT_EQ(plain_address("239.1.1.1"), "239.1.1.1");
  EXPECT_EQ(plain_address("demo"), std::nullopt);
}

TEST(SaKeys, FileGivesBackWhatWentIn) {
  SaKey short_key = gcm128_key();
  short_key.key = {0, 0xff};
  const std::vector<SaKey> keys{sa(kA, gcm128_key()), sa(kA6, cbc_key()), sa({2}, short_key, 7),
                                sa(kA, with_esn(null_sha512_key(), 0xfffffffe))};
  std::stringstream file;
  write_keys(file, keys);
  const auto again = read_keys(file);
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(*again, keys);
  for (const char* bad : {"1 a b c", "1 a b c - 1 2 3 00", "1 a b c - 1 2 3 abc -",
                          "1 a b c - 1 2 3 xy -", "1 a b c d 1 2 3 00 0"}) {
    std::stringstream line(bad);
    EXPECT_FALSE(read_keys(line)) << bad;
  }
}

}  // namespace
}  // namespace gkmpd::esp_open
