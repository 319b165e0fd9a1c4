// Names as configuration, certificates and tokens write them.
#pragma once

#include <cstddef>
#include <string_view>

namespace gkmpd::identity {

inline constexpr std::size_t kMaxNameSize = 64;  // names of hosts, groups, categories; octets

/// One to kMaxNameSize octets of a-z 0-9 . - _
[[nodiscard]] bool is_valid_name(std::string_view name);

}  // namespace gkmpd::identity
