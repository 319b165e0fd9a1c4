#include "tests/support/esp_open/membership.h"

namespace gkmpd::esp_open {
namespace {

constexpr std::size_t kHeaderSize = 8;        // of every report
constexpr std::size_t kRecordHeaderSize = 4;  // before a record's address

/// How one protocol lays its reports down.
struct Layout {
  std::uint8_t old_report;  // one group
  std::uint8_t new_report;  // a list of records
  std::size_t old_address_at;
  std::size_t address_size;
};
constexpr Layout kIgmp{0x16, 0x22, 4, 4};  // RFC 2236 2, RFC 3376 4.2
constexpr Layout kMld{131, 143, 8, 16};    // RFC 2710 3, RFC 3810 5.2

std::vector<std::string> groups_of_records(View records, const Layout& layout) {
  std::vector<std::string> groups;
  while (records.size() >= kRecordHeaderSize + layout.address_size) {
    groups.push_back(address_text(records.subspan(kRecordHeaderSize, layout.address_size)));
    const std::size_t sources = static_cast<std::size_t>(records[2]) << 8 | records[3];
    const std::size_t auxiliary = std::size_t{records[1]} * 4;
    const std::size_t size = kRecordHeaderSize + layout.address_size * (1 + sources) + auxiliary;
    if (records.size() < size) break;
    records = records.subspan(size);
  }
  return groups;
}

std::vector<std::string> read_report(View octets, const Layout& layout) {
  if (octets.size() < kHeaderSize) return {};
  if (octets[0] == layout.new_report) {
    return groups_of_records(octets.subspan(kHeaderSize), layout);
  }
  if (octets[0] != layout.old_report ||
      octets.size() < layout.old_address_at + layout.address_size) {
    return {};
  }
  return {address_text(octets.subspan(layout.old_address_at, layout.address_size))};
}

}  // namespace

std::vector<std::string> reported_groups(const IpPacket& packet) {
  if (packet.fragment) return {};
  if (packet.version == 4 && packet.protocol == kProtocolIgmp) {
    return read_report(packet.payload, kIgmp);
  }
  if (packet.version == 6 && packet.protocol == kProtocolIcmpv6) {
    return read_report(packet.payload, kMld);
  }
  return {};
}

}  // namespace gkmpd::esp_open
