// The version that programs name; CMake's project() says it.
#pragma once

#include <string_view>

namespace gkmpd::daemon {

inline constexpr std::string_view kVersion = GKMPD_VERSION;

}  // namespace gkmpd::daemon
