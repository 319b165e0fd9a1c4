// Bodies taken apart and put together by hand, without the code under test.
#pragma once

#include <vector>

#include "agent/base/bytes.h"

namespace gkmpd::wire {

struct RawItem {
  std::uint16_t tag = 0;  // with the critical bit
  Bytes value;
};

[[nodiscard]] inline std::vector<RawItem> take_apart(ByteView body) {
  std::vector<RawItem> items;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t length = static_cast<std::size_t>(body[at + 2] << 8 | body[at + 3]);
    items.push_back({static_cast<std::uint16_t>(body[at] << 8 | body[at + 1]),
                     to_bytes(body.subspan(at + 4, length))});
    at += 4 + length;
  }
  return items;
}

[[nodiscard]] inline Bytes put_together(const std::vector<RawItem>& items) {
  Bytes body;
  for (const RawItem& item : items) {
    append_u16(body, item.tag);
    append_u16(body, static_cast<std::uint16_t>(item.value.size()));
    append(body, item.value);
  }
  return body;
}

/// "3333" for ("33", 2).
[[nodiscard]] inline std::string repeat(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

}  // namespace gkmpd::wire
