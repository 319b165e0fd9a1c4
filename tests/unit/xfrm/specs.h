// Groups for the tests of plan, encode and kernel.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "xfrm/plan.h"
#include "xfrm/state.h"

namespace gkmpd::xfrm::test {

[[nodiscard]] inline IpAddress ip(const std::string& text) { return *IpAddress::parse(text); }

/// A suite's key material, counting up from `first`.
[[nodiscard]] inline Secret counting_key(std::uint8_t first,
                                         EspSuite suite = EspSuite::kAesGcm128) {
  Bytes key(key_material_size(suite));
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
  spec.address_slot = 7;
  spec.destination = ip("239.1.1.1");
  spec.port = 5000;
  spec.own_source = ip("10.9.0.1");
  spec.active_generation = 1;
  spec.senders.push_back(sender(0x0a000001, "10.9.0.1", true));
  spec.senders.push_back(sender(0x0a000002, "10.9.0.2", false));
  return spec;
}

/// The same with IPv6: ff05::1111, this host is fd09::1, fd09::2 is heard.
[[nodiscard]] inline GroupSpec ipv6_group() {
  GroupSpec spec = demo_group();
  spec.destination = ip("ff05::1111");
  spec.own_source = ip("fd09::1");
  spec.senders[0].source = ip("fd09::1");
  spec.senders[1].source = ip("fd09::2");
  return spec;
}

/// `spec` with another suite, and keys to it.
[[nodiscard]] inline GroupSpec with_suite(GroupSpec spec, EspSuite suite) {
  spec.suite = suite;
  for (SenderSa& sa : spec.senders) sa.key = counting_key(static_cast<std::uint8_t>(sa.spi), suite);
  return spec;
}

/// The SA of all senders in a generation. `any` is the unspecified address of the family.
[[nodiscard]] inline SenderSa shared_sa(std::uint32_t spi, const std::string& any, bool outbound,
                                        Generation generation = 1) {
  SenderSa sa = sender(spi, any, outbound, generation);
  sa.key = counting_key(static_cast<std::uint8_t>(spi), EspSuite::kAesCbc128HmacSha256);
  return sa;
}

/// `spec` in shared mode: this host is a sender as before, and hears all others under the same SA,
/// 0x0a000003.
[[nodiscard]] inline GroupSpec with_shared_sa(GroupSpec spec) {
  spec.suite = EspSuite::kAesCbc128HmacSha256;
  spec.sender_mode = SenderMode::kShared;
  spec.replay_window = 0;
  spec.senders.clear();
  spec.senders.push_back(
      shared_sa(0x0a000003, spec.destination.family == IpFamily::kV4 ? "0.0.0.0" : "::", true));
  return spec;
}
[[nodiscard]] inline GroupSpec shared_group() { return with_shared_sa(demo_group()); }
/// The shared group on a host that only listens.
[[nodiscard]] inline GroupSpec shared_listener() {
  GroupSpec spec = shared_group();
  spec.own_source.reset();
  spec.active_generation.reset();
  spec.senders[0].outbound = false;
  return spec;
}

[[nodiscard]] inline GroupSpec in_tunnel_mode(GroupSpec spec) {
  spec.mode = IpsecMode::kTunnel;
  return spec;
}

[[nodiscard]] inline GroupSpec with_esn(GroupSpec spec) {
  spec.esn = true;
  return spec;
}

/// As one whose packets carry a mark and go through an XFRM interface.
[[nodiscard]] inline GroupSpec attached(GroupSpec spec) {
  spec.attachment = {.interface = 5, .if_id = 7, .mark = 0x2a, .mark_mask = 0xff};
  return spec;
}

/// As one that is bound to an interface.
[[nodiscard]] inline GroupSpec on_interface(GroupSpec spec) {
  spec.attachment = {.interface = 5, .if_id = 0, .mark = 0, .mark_mask = 0};
  return spec;
}

/// Every suite, sender mode and IPsec mode in both families, with and without ESN.
[[nodiscard]] inline std::vector<GroupSpec> groups_of_all_kinds() {
  std::vector<GroupSpec> groups;
  for (const auto family : {demo_group, ipv6_group}) {
    for (const EspSuite suite : kEspSuites) {
      groups.push_back(with_suite(family(), suite));
      groups.push_back(with_esn(with_suite(family(), suite)));
    }
    groups.push_back(with_shared_sa(family()));
    groups.push_back(in_tunnel_mode(family()));
    groups.push_back(attached(family()));
    groups.push_back(on_interface(family()));
  }
  return groups;
}

/// Specs hold secrets and are not copied by accident.
[[nodiscard]] inline GroupSpec copy_of(const GroupSpec& spec) {
  GroupSpec copy = demo_group();
  copy.group_name = spec.group_name;
  copy.slot = spec.slot;
  copy.address_slot = spec.address_slot;
  copy.attachment = spec.attachment;
  copy.destination = spec.destination;
  copy.ip_protocol = spec.ip_protocol;
  copy.port = spec.port;
  copy.suite = spec.suite;
  copy.mode = spec.mode;
  copy.sender_mode = spec.sender_mode;
  copy.replay_window = spec.replay_window;
  copy.esn = spec.esn;
  copy.own_source = spec.own_source;
  copy.active_generation = spec.active_generation;
  copy.earlier = spec.earlier;
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
