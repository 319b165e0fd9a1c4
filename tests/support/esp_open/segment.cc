#include "tests/support/esp_open/segment.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <utility>

#include "tests/support/esp_open/esp_cipher.h"

namespace gkmpd::esp_open {
namespace {

constexpr std::size_t kGkmpHeaderSize = 40;
constexpr std::size_t kGkmpTypeAt = 4;
constexpr std::size_t kGkmpFragmentAt = 36;

constexpr std::array<std::pair<std::uint8_t, const char*>, 12> kMessageNames{{
    {1, "Create_Grp_Keys_1"},
    {2, "Create_Grp_Keys_2"},
    {3, "Negotiate_Grp_Keys_1"},
    {4, "Negotiate_Grp_Keys_2"},
    {5, "Create_Session_KEK_1"},
    {6, "Create_Session_KEK_2"},
    {7, "Negotiate_Session_Keys_1"},
    {8, "Negotiate_Session_Keys_2"},
    {9, "Download_Grp_Keys"},
    {10, "Key_Download_Ack"},
    {15, "Heartbeat"},
    {16, "Refusal"},
}};
constexpr std::string_view kHeartbeat = "Heartbeat";

/// First in every datagram of the traffic tools.
constexpr std::string_view kPayloadMagic = "GKTRAFIC";

bool has_magic(View payload) {
  return payload.size() >= kPayloadMagic.size() &&
         std::equal(kPayloadMagic.begin(), kPayloadMagic.end(), payload.begin());
}

/// Why a frame could not be opened; nothing if it was.
std::optional<std::string> try_key(const IpPacket& packet, const EspFrame& esp,
                                   const GroupView& group, const SaKey& key) {
  if (key.source != packet.source) return "source is not the SA's";
  if (key.algorithm != "rfc4106(gcm(aes))" || key.icv_bits != 128) return "algorithm not known";
  const auto content = open_esp(esp, key.key);
  if (!content) return "tag or padding wrong";
  if (content->next_header != kProtocolUdp) return "not UDP inside";
  const auto udp = read_udp(packet, content->payload, /*check=*/true);
  if (!udp) return "UDP length or checksum wrong";
  if (udp->destination_port != group.data_port) return "another port";
  if (!has_magic(udp->payload)) return "payload without magic";
  return std::nullopt;
}

/// Walks the frames and keeps count.
class Observer {
 public:
  Observer(const GroupView& group, const std::vector<SaKey>& keys) : group_(group), keys_(keys) {}

  void take(const IpPacket& packet) {
    if (packet.destination == group_.data_address) {
      if (packet.protocol == kProtocolEsp) {
        take_esp(packet);
      } else {
        take_cleartext(packet);
      }
    } else if (packet.protocol == kProtocolUdp) {
      take_control(packet);
    } else if (packet.protocol == kProtocolIgmp) {
      take_igmp(packet);
    }
  }

  Segment segment;

 private:
  void take_esp(const IpPacket& packet) {
    ++segment.esp_frames;
    const auto why = open(packet);
    if (!why) {
      ++segment.opened;
      return;
    }
    ++segment.failed;
    ++segment.failures[*why];
  }

  std::optional<std::string> open(const IpPacket& packet) {
    if (packet.fragment) return "fragment";
    const auto esp = read_esp(packet.payload);
    if (!esp) return "too short";
    SpiCount& count = segment.spis[esp->spi];
    if (count.frames++ == 0) count.first_sequence = esp->sequence;
    count.last_sequence = esp->sequence;
    count.sources.insert(packet.source);
    // Hosts that disagree about a key give several of one SPI; any that opens will do, and a frame
    // that none opens tells the last one's reason.
    std::optional<std::string> why = "no key for the SPI";
    for (const SaKey& key : keys_) {
      if (key.spi != esp->spi || key.destination != packet.destination) continue;
      why = try_key(packet, *esp, group_, key);
      if (!why) {
        ++count.opened;
        return std::nullopt;
      }
    }
    return why;
  }

  void take_cleartext(const IpPacket& packet) {
    // A membership report of IGMP version 2 goes to the group itself and is meant to be in clear.
    if (packet.protocol == kProtocolIgmp) {
      take_igmp(packet);
    } else {
      ++segment.cleartext[packet.source];
    }
  }

  void take_control(const IpPacket& packet) {
    // Senders leave the checksum to their card, and a bridge of namespaces has none.
    const auto udp = read_udp(packet, packet.payload, /*check=*/false);
    if (!udp || udp->destination_port != group_.control_port) return;
    const auto name = gkmp_message_name(udp->payload);
    if (!name || udp->payload[kGkmpFragmentAt] != 0) return;
    ++segment.message_counts[*name];
    if (*name != kHeartbeat) segment.control_after_esp |= segment.esp_frames > 0;
    std::string header(udp->payload.begin(), udp->payload.begin() + kGkmpHeaderSize);
    if (*name == kHeartbeat) header.resize(kGkmpTypeAt + 1);
    if (seen_headers_.insert(packet.source + '/' + header).second) {
      segment.messages.push_back(*name);
    } else if (*name != kHeartbeat) {
      ++segment.message_repeats;
    }
  }

  /// RFC 2236 2 and RFC 3376 4.2: version 2 reports one group, version 3 a list of records.
  void take_igmp(const IpPacket& packet) {
    constexpr std::uint8_t kReport2 = 0x16;
    constexpr std::uint8_t kReport3 = 0x22;
    constexpr std::size_t kRecordHeaderSize = 8;
    const View octets = packet.payload;
    if (octets.size() < 8) return;
    if (octets[0] == kReport2) note_report(packet, octets.subspan(4, 4));
    if (octets[0] != kReport3) return;
    View records = octets.subspan(8);
    while (records.size() >= kRecordHeaderSize) {
      note_report(packet, records.subspan(4, 4));
      const std::size_t sources = static_cast<std::size_t>(records[2]) << 8 | records[3];
      const std::size_t size = kRecordHeaderSize + 4 * (sources + records[1]);
      if (records.size() < size) return;
      records = records.subspan(size);
    }
  }

  void note_report(const IpPacket& packet, View address) {
    std::array<char, INET_ADDRSTRLEN> text{};
    inet_ntop(AF_INET, address.data(), text.data(), text.size());
    if (group_.data_address == text.data()) segment.reporters.insert(packet.source);
  }

  const GroupView& group_;
  const std::vector<SaKey>& keys_;
  std::set<std::string> seen_headers_;
};

}  // namespace

std::optional<std::string> gkmp_message_name(View datagram) {
  if (datagram.size() < kGkmpHeaderSize || datagram[0] != 'G' || datagram[1] != 'K') {
    return std::nullopt;
  }
  for (const auto& [number, name] : kMessageNames) {
    if (number == datagram[kGkmpTypeAt]) return name;
  }
  return "Unknown_" + std::to_string(datagram[kGkmpTypeAt]);
}

Segment look_at(const Capture& capture, const GroupView& group, const std::vector<SaKey>& keys) {
  Observer observer(group, keys);
  for (const Frame& frame : capture.frames) {
    ++observer.segment.frames;
    if (const auto packet = find_ip(capture.link, frame)) observer.take(*packet);
  }
  return std::move(observer.segment);
}

}  // namespace gkmpd::esp_open
