// What a capture of the segment tells about one group.
#pragma once

#include <map>
#include <set>

#include "tests/support/esp_open/packet.h"
#include "tests/support/esp_open/sa_keys.h"

namespace gkmpd::esp_open {

/// Octets of a group's id in GKMP's header.
inline constexpr std::size_t kGkmpIdSize = 16;

struct GroupView {
  std::string data_address;  // as plain_address() writes it
  std::uint16_t data_port = 0;
  std::uint16_t control_port = 0;
  /// kGkmpIdSize octets; empty: messages of any group count.
  Octets gkmp_id;
};

struct SpiCount {
  std::uint64_t frames = 0;
  std::uint64_t opened = 0;
  std::uint32_t first_sequence = 0;
  std::uint32_t last_sequence = 0;
  std::set<std::string> sources;
};

struct Segment {
  std::uint64_t frames = 0;      // all in the capture
  std::uint64_t esp_frames = 0;  // ESP to the group
  std::uint64_t opened = 0;      // of these: tag, padding, UDP header, port, payload all right
  std::uint64_t failed = 0;      // the others, whatever was wrong
  std::map<std::string, std::uint64_t> failures;  // why
  std::map<std::uint32_t, SpiCount> spis;
  /// Anything to the group that is not ESP, by source.
  std::map<std::string, std::uint64_t> cleartext;
  /// GKMP messages in the order of their first appearance: repeats of a message are counted, not
  /// listed, and so are heartbeats after the first.
  std::vector<std::string> messages;
  std::map<std::string, std::uint64_t> message_counts;
  std::uint64_t message_repeats = 0;
  /// Suite numbers of these messages.
  std::set<unsigned> control_suites;
  /// Who reported membership of the group by IGMP or MLD; the latter is sent from link-local
  /// addresses.
  std::set<std::string> reporters;
  bool control_after_esp = false;  // an exchange's message came after the first ESP frame
};

[[nodiscard]] Segment look_at(const Capture& capture, const GroupView& group,
                              const std::vector<SaKey>& keys);

/// RFC 2093's name of a GKMP message in a datagram; none if it is no GKMP.
[[nodiscard]] std::optional<std::string> gkmp_message_name(View datagram);

}  // namespace gkmpd::esp_open
