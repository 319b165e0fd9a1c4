// Groups for the tests of plan, encode and kernel.
#pragma once

#include <string>
#include <utility>

#include "xfrm/plan.h"
#include "xfrm/state.h"

namespace gkmpd::xfrm::test {

[[nodiscard]] inline IpAddress ip(const std::string& text) { return *IpAddress::parse(text); }

/// A key of 20 octets counting up from `first`.
[[nodiscard]] inline Secret counting_key(std::uint8_t first) {
  Bytes key(key_material_size(EspSuite::kAesGcm128));
  for (std::uint8_t& octet : key) octet = first++;
  return Secret::take(std::move(key));
}

[[nodiscard]] inline SenderSa sender(std::uint32_t spi, const std::string& source, bool outbound,
                                     Generation generation = 1) {
  SenderSa sa;
  sa.spi = spi;
  sa.source = ip(source);
  sa.outbound = outbound;
  sa.generation = generation;
  sa.key = counting_key(static_cast<std::uint8_t>(spi));
  sa.hard_lifetime_s = 3600;
  return sa;
}

/// 239.1.1.1:5000 in slot 7; this host is 10.9.0.1 and sends in generation 1, 10.9.0.2 is heard.
[[nodiscard]] inline GroupSpec demo_group() {
  GroupSpec spec;
  spec.group_name = "demo";
  spec.slot = 7;
  spec.destination = ip("239.1.1.1");
  spec.port = 5000;
  spec.own_source = ip("10.9.0.1");
  spec.active_generation = 1;
  spec.senders.push_back(sender(0x0a000001, "10.9.0.1", true));
  spec.senders.push_back(sender(0x0a000002, "10.9.0.2", false));
  return spec;
}

/// Specs hold secrets and are not copied by accident.
[[nodiscard]] inline GroupSpec copy_of(const GroupSpec& spec) {
  GroupSpec copy = demo_group();
  copy.group_name = spec.group_name;
  copy.slot = spec.slot;
  copy.destination = spec.destination;
  copy.port = spec.port;
  copy.replay_window = spec.replay_window;
  copy.own_source = spec.own_source;
  copy.active_generation = spec.active_generation;
  copy.senders.clear();
  for (const SenderSa& sa : spec.senders) copy.senders.push_back(sa.clone());
  return copy;
}

[[nodiscard]] inline PolicyState policy_of(const GroupSpec& spec, PolicyKind kind) {
  for (const PolicyState& policy : wanted_state(spec).policies)
    if (policy.kind == kind) return policy;
  return {};
}

[[nodiscard]] inline SaState sa_of(const GroupSpec& spec, std::uint32_t spi) {
  for (const SaState& sa : wanted_state(spec).sas)
    if (sa.spi == spi) return sa.clone();
  return {};
}

}  // namespace gkmpd::xfrm::test
