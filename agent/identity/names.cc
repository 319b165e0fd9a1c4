#include "agent/identity/names.h"

#include <algorithm>

namespace gkmpd::identity {

bool is_valid_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameSize) return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  });
}

}  // namespace gkmpd::identity
