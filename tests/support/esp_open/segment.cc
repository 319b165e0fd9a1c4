#include "tests/support/esp_open/segment.h"

#include <algorithm>
#include <array>
#include <utility>

#include "tests/support/esp_open/esp_cipher.h"
#include "tests/support/esp_open/membership.h"

namespace gkmpd::esp_open {
namespace {

constexpr std::size_t kGkmpHeaderSize = 40;
constexpr std::size_t kGkmpSuiteAt = 3;
constexpr std::size_t kGkmpTypeAt = 4;
constexpr std::size_t kGkmpGroupAt = 16;
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

/// A shared SA has no source of its own.
bool is_any(const std::string& source) { return source == "0.0.0.0" || source == "::"; }

/// What is wrong with a datagram of the traffic tools that lay inside ESP; nothing if it is right.
std::optional<std::string> try_datagram(const IpPacket& packet, std::uint8_t protocol, View octets,
                                        const GroupView& group) {
  if (protocol != kProtocolUdp) return "not UDP inside";
  const auto udp = read_udp(packet, octets, /*check=*/true);
  if (!udp) return "UDP length or checksum wrong";
  if (udp->destination_port != group.data_port) return "another port";
  if (!has_magic(udp->payload)) return "payload without magic";
  return std::nullopt;
}

/// The same in a tunnel, whose packet has the addresses of the one around it.
std::optional<std::string> try_tunnelled(const IpPacket& outside, View octets,
                                         const GroupView& group) {
  const auto inside = find_ip(LinkType::kRawIp, {.octets = octets});
  if (!inside || inside->fragment) return "no whole packet in the tunnel";
  if (inside->source != outside.source || inside->destination != outside.destination) {
    return "other addresses in the tunnel than around it";
  }
  return try_datagram(*inside, inside->protocol, inside->payload, group);
}

/// Why a frame could not be opened; nothing if it was.
std::optional<std::string> try_key(const IpPacket& packet, const EspFrame& esp,
                                   const GroupView& group, const SaKey& key) {
  if (!is_any(key.source) && key.source != packet.source) return "source is not the SA's";
  const auto content = open_esp(esp, key);
  if (!content) return content.error();
  if (key.tunnel) {
    const bool fits = content->next_header == (packet.version == 4 ? kProtocolIpv4 : kProtocolIpv6);
    return fits ? try_tunnelled(packet, content->payload, group) : "no IP packet in the tunnel";
  }
  return try_datagram(packet, content->next_header, content->payload, group);
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
    } else {
      take_report(packet);
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
    // Membership reports of the older versions go to the group itself and are meant to be in clear.
    if (!take_report(packet)) ++segment.cleartext[packet.source];
  }

  void take_control(const IpPacket& packet) {
    // Senders leave the checksum to their card, and a bridge of namespaces has none.
    const auto udp = read_udp(packet, packet.payload, /*check=*/false);
    if (!udp || udp->destination_port != group_.control_port) return;
    const auto name = gkmp_message_name(udp->payload);
    if (!name || !is_of_group(udp->payload) || udp->payload[kGkmpFragmentAt] != 0) return;
    ++segment.message_counts[*name];
    segment.control_suites.insert(udp->payload[kGkmpSuiteAt]);
    if (*name != kHeartbeat) segment.control_after_esp |= segment.esp_frames > 0;
    std::string header(udp->payload.begin(), udp->payload.begin() + kGkmpHeaderSize);
    if (*name == kHeartbeat) header.resize(kGkmpTypeAt + 1);
    if (seen_headers_.insert(packet.source + '/' + header).second) {
      segment.messages.push_back(*name);
    } else if (*name != kHeartbeat) {
      ++segment.message_repeats;
    }
  }

  bool is_of_group(View message) const {
    const View id = message.subspan(kGkmpGroupAt, kGkmpIdSize);
    return group_.gkmp_id.empty() || std::ranges::equal(id, group_.gkmp_id);
  }

  /// False if the packet reports no membership at all.
  bool take_report(const IpPacket& packet) {
    const auto groups = reported_groups(packet);
    if (std::ranges::find(groups, group_.data_address) != groups.end()) {
      segment.reporters.insert(packet.source);
    }
    return !groups.empty();
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
