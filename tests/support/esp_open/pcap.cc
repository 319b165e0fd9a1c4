#include "tests/support/esp_open/pcap.h"

namespace gkmpd::esp_open {
namespace {

constexpr std::size_t kFileHeaderSize = 24;
constexpr std::size_t kRecordHeaderSize = 16;
constexpr std::uint32_t kMicroseconds = 0xa1b2c3d4;
constexpr std::uint32_t kNanoseconds = 0xa1b23c4d;
constexpr std::uint32_t kMaxFrame = 1U << 18;

std::uint32_t read_big(View octets, std::size_t at) {
  return static_cast<std::uint32_t>(octets[at]) << 24 |
         static_cast<std::uint32_t>(octets[at + 1]) << 16 |
         static_cast<std::uint32_t>(octets[at + 2]) << 8 | octets[at + 3];
}

std::uint32_t read_little(View octets, std::size_t at) {
  return static_cast<std::uint32_t>(octets[at + 3]) << 24 |
         static_cast<std::uint32_t>(octets[at + 2]) << 16 |
         static_cast<std::uint32_t>(octets[at + 1]) << 8 | octets[at];
}

/// How the writer laid numbers down, told by the magic number.
struct Layout {
  std::uint32_t (*read)(View, std::size_t);
  std::uint64_t ns_per_unit;
};

tl::expected<Layout, std::string> find_layout(View file) {
  for (const auto read : {read_big, read_little}) {
    const std::uint32_t magic = read(file, 0);
    if (magic == kMicroseconds) return Layout{read, 1000};
    if (magic == kNanoseconds) return Layout{read, 1};
  }
  return tl::unexpected(std::string("not a capture file"));
}

tl::expected<LinkType, std::string> find_link(std::uint32_t number) {
  for (const auto link :
       {LinkType::kEthernet, LinkType::kRawIp, LinkType::kLinuxCooked, LinkType::kLinuxCooked2}) {
    if (static_cast<std::uint32_t>(link) == number) return link;
  }
  return tl::unexpected("link type " + std::to_string(number) + " is not known");
}

}  // namespace

tl::expected<Capture, std::string> read_capture(View file) {
  if (file.size() < kFileHeaderSize) return tl::unexpected(std::string("not a capture file"));
  const auto layout = find_layout(file);
  if (!layout) return tl::unexpected(layout.error());
  // The upper bits of this field carry the length of a frame check sequence; tcpdump writes none.
  const auto link = find_link(layout->read(file, 20) & 0x0fffffffU);
  if (!link) return tl::unexpected(link.error());

  Capture capture;
  capture.link = *link;
  View rest = file.subspan(kFileHeaderSize);
  while (!rest.empty()) {
    if (rest.size() < kRecordHeaderSize) {
      capture.ends_early = true;
      break;
    }
    const std::uint64_t seconds = layout->read(rest, 0);
    const std::uint64_t fraction = layout->read(rest, 4);
    const std::uint32_t kept = layout->read(rest, 8);
    const std::uint32_t on_wire = layout->read(rest, 12);
    if (kept > kMaxFrame || kept > on_wire) {
      return tl::unexpected(std::string("a record's length is wrong"));
    }
    if (rest.size() - kRecordHeaderSize < kept) {
      capture.ends_early = true;
      break;
    }
    capture.frames.push_back({seconds * 1000000000U + fraction * layout->ns_per_unit,
                              rest.subspan(kRecordHeaderSize, kept), kept < on_wire});
    rest = rest.subspan(kRecordHeaderSize + kept);
  }
  return capture;
}

}  // namespace gkmpd::esp_open
