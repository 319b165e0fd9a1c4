// Reader of classic capture files, as tcpdump -w writes them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace gkmpd::esp_open {

using Octets = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

/// Link types this reader knows (the numbers of the file format).
enum class LinkType : std::uint32_t {
  kEthernet = 1,
  kRawIp = 101,
  kLinuxCooked = 113,
  kLinuxCooked2 = 276,
};

struct Frame {
  std::uint64_t time_ns = 0;  // since 1970
  View octets;                // into the file's octets
  bool cut = false;           // the capture kept less than the wire had
};

struct Capture {
  LinkType link = LinkType::kEthernet;
  std::vector<Frame> frames;
  bool ends_early = false;  // the last record is not whole
};

/// The frames are views into `file`. Fails on what is no capture file, on another link type, and on
/// record lengths that no capture has.
[[nodiscard]] tl::expected<Capture, std::string> read_capture(View file);

}  // namespace gkmpd::esp_open
