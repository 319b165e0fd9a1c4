#include <cstdlib>
#include <set>

#include "agent/identity/token.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gkmpd;
  const auto list = identity::parse_member_list(as_text({data, size}), "demo");
  if (!list) return 0;
  std::set<std::string> names;
  for (const auto& member : list->members) {
    const bool good = identity::is_valid_name(member.name) && names.insert(member.name).second &&
                      !(member.address && member.address->is_multicast());
    if (!good) std::abort();
  }
  if (names.empty() || names.size() > identity::kMaxMembers) std::abort();
  return 0;
}
