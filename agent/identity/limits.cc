#include "agent/identity/limits.h"

#include <algorithm>
#include <charconv>

#include "agent/identity/errors.h"

namespace gkmpd::identity {
namespace {

bool has_bit(const IpAddress& address, std::size_t bit) {
  return (address.octets[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

bool contains(const LocalLimits::Prefix& prefix, const IpAddress& address) {
  if (prefix.address.family != address.family) return false;
  for (std::size_t bit = 0; bit < prefix.length; ++bit) {
    if (has_bit(prefix.address, bit) != has_bit(address, bit)) return false;
  }
  return true;
}

bool allows(const std::vector<LocalLimits::Prefix>& prefixes, const IpAddress& address) {
  return prefixes.empty() || std::ranges::any_of(prefixes, [&](const LocalLimits::Prefix& prefix) {
           return contains(prefix, address);
         });
}

bool allows(const std::vector<std::string>& names, const std::string& name) {
  return names.empty() || std::ranges::count(names, name) != 0;
}

tl::unexpected<Error> beyond(const std::string& what, const char* key) {
  return fail(kTokenLimits, what + " is beyond this host's [limits] " + key +
                                "; widen that in its configuration if the token is meant");
}

tl::unexpected<Error> not_a_prefix() {
  return fail(kTokenLimits,
              "not an address prefix: write address/length, with zeros behind the length, such as "
              "\"239.0.0.0/8\"");
}

}  // namespace

Result<LocalLimits::Prefix> parse_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return not_a_prefix();
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return not_a_prefix();
  const std::string_view digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), length);
  if (error != std::errc() || end != digits.end()) return not_a_prefix();
  const std::size_t bits = address->size() * 8;
  if (length > bits) return not_a_prefix();
  for (std::size_t bit = length; bit < bits; ++bit) {
    if (has_bit(*address, bit)) return not_a_prefix();
  }
  return LocalLimits::Prefix{*address, static_cast<std::uint8_t>(length)};
}

Result<void> check_limits(const GroupPolicy& policy, const LocalLimits& limits) {
  if (!allows(limits.groups, policy.group))
    return beyond("group \"" + policy.group + "\"", "groups");
  for (const std::string& controller : policy.controllers) {
    if (!allows(limits.controllers, controller)) {
      return beyond("controller \"" + controller + "\"", "controllers");
    }
  }
  if (!allows(limits.data_addresses, policy.address)) {
    return beyond("data address " + policy.address.text(), "data_addresses");
  }
  if (!allows(limits.control_addresses, policy.control_address)) {
    return beyond("control address " + policy.control_address.text(), "control_addresses");
  }
  if (!limits.data_ports.empty() && std::ranges::count(limits.data_ports, policy.port) == 0) {
    return beyond("data port " + std::to_string(policy.port), "data_ports");
  }
  if (!limits.data_protocols.empty() &&
      std::ranges::count(limits.data_protocols, policy.protocol) == 0) {
    return beyond("data protocol " + std::to_string(policy.protocol), "data_protocols");
  }
  if (!limits.suites.empty() && std::ranges::count(limits.suites, policy.suite) == 0) {
    return beyond("suite " + std::string(to_text(policy.suite)), "suites");
  }
  if (policy.rekey_interval_s > limits.max_rekey_interval_s) {
    return beyond("rekey interval " + std::to_string(policy.rekey_interval_s) + " s",
                  "max_rekey_interval_s");
  }
  return {};
}

}  // namespace gkmpd::identity
