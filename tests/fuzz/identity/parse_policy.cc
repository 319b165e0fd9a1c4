// A policy that is taken keeps the promises that the layers above build on.
#include <cstdlib>

#include "agent/identity/token.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const gkmpd::identity::GroupPolicy& policy) {
  using namespace gkmpd::identity;
  require(policy.kind == kTokenKind && policy.version >= 1);
  require(is_valid_name(policy.group));
  require(policy.not_before < policy.not_after && policy.not_before >= gkmpd::WallTime{});
  require(!policy.controllers.empty() && policy.controllers.size() <= kMaxControllers);
  require(policy.senders.size() <= kMaxSenders && !policy.actions.empty());
  require(policy.address.is_multicast() && !policy.address.is_link_scope_multicast());
  require(policy.control_address.is_multicast() && policy.control_address != policy.address);
  require(policy.control_port != 0 && policy.spi_prefix != 0);
  require(policy.activation_delay_ms < policy.deactivation_delay_ms);
  require(policy.deactivation_delay_ms / 1000 < policy.rekey_interval_s);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto policy = gkmpd::identity::parse_policy(gkmpd::as_text({data, size}));
  if (policy) {
    check(*policy);
  } else {
    // Errors are shown to people and logs: one printable line.
    for (const char c : policy.error().detail) require(c >= ' ' && c <= '~');
  }
  return 0;
}
