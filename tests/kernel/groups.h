// Groups and agents' kernels for the tests on a real kernel.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "tests/kernel/segment.h"
#include "tests/support/apply.h"
#include "xfrm/kernel.h"

namespace gkmpd::test {

inline constexpr char kGroup[] = "239.1.1.1";
inline constexpr char kGroup6[] = "ff05::1111";
inline constexpr unsigned short kPort = 5000;
inline constexpr xfrm::GroupSlot kSlot = 7;
/// Policies of a group that has its address alone and no attachment: at a host that sends, and at
/// one that does not.
inline constexpr std::size_t kPoliciesSending = 6;
inline constexpr std::size_t kPoliciesListening = 5;

[[nodiscard]] inline IpAddress ip_of(const std::string& text) { return *IpAddress::parse(text); }

/// The addresses of one family in a segment.
struct Family {
  const char* name;  // as part of a test's name
  const char* group;
  const char* other_group;
  const char* net;  // what the addresses of all hosts begin with
  const char* any;
  const char* prefix;       // length of the whole address
  const char* add_options;  // for `ip addr add`

  [[nodiscard]] std::string host(int number) const { return net + std::to_string(number); }
  /// Arguments of `ip` that give a host one more address.
  [[nodiscard]] std::string add_address(int number) const {
    return "addr add " + host(number) + "/" + prefix + " dev eth0" + add_options;
  }
};
inline constexpr Family kIpv4{"IPv4", kGroup, "239.1.1.2", "10.9.0.", "0.0.0.0", "32", ""};
inline constexpr Family kIpv6{"IPv6", kGroup6, "ff05::1112", "fd09::", "::", "128", " nodad"};

inline void PrintTo(const Family& family, std::ostream* out) { *out << family.name; }

using xfrm::EspSuite;
using xfrm::IpsecMode;

[[nodiscard]] inline std::string name_of(IpsecMode mode) {
  switch (mode) {
    case IpsecMode::kTransport:
      return "Transport";
    case IpsecMode::kTunnel:
      return "Tunnel";
  }
  return {};
}

[[nodiscard]] inline std::string name_of(EspSuite suite) {
  switch (suite) {
    case EspSuite::kAesGcm128:
      return "Gcm128";
    case EspSuite::kAesGcm256:
      return "Gcm256";
    case EspSuite::kAesCbc128HmacSha256:
      return "CbcSha256";
    case EspSuite::kAesGcm192:
      return "Gcm192";
    case EspSuite::kChaCha20Poly1305:
      return "ChaCha";
    case EspSuite::kAesCbc256HmacSha384:
      return "CbcSha384";
    case EspSuite::kAesCbc256HmacSha512:
      return "CbcSha512";
    case EspSuite::kAesGmac128:
      return "Gmac128";
    case EspSuite::kAesGmac256:
      return "Gmac256";
    case EspSuite::kNullHmacSha256:
      return "NullSha256";
    case EspSuite::kNullHmacSha384:
      return "NullSha384";
    case EspSuite::kNullHmacSha512:
      return "NullSha512";
  }
  return {};
}

/// For a suite of tests over families and modes.
struct FamilyAndMode {
  template <typename Info>
  std::string operator()(const Info& info) const {
    return std::get<Family>(info.param).name + name_of(std::get<IpsecMode>(info.param));
  }
};

/// A sender's SA whose key is made of its SPI, so that hosts agree on it without more ado.
[[nodiscard]] inline xfrm::SenderSa sender_sa(const std::string& source, std::uint32_t spi,
                                              xfrm::Generation generation, bool outbound,
                                              EspSuite suite = EspSuite::kAesGcm128) {
  xfrm::SenderSa sa;
  sa.spi = spi;
  sa.source = ip_of(source);
  sa.outbound = outbound;
  sa.generation = generation;
  Bytes key;
  for (std::uint32_t i = 0; 4 * i < xfrm::key_material_size(suite); ++i) append_u32(key, spi + i);
  sa.key = Secret::take(std::move(key));
  sa.hard_lifetime_s = 3600;
  return sa;
}

[[nodiscard]] inline xfrm::GroupSpec empty_group(const Family& family = kIpv4,
                                                 EspSuite suite = EspSuite::kAesGcm128) {
  xfrm::GroupSpec spec;
  spec.group_name = "demo";
  spec.slot = kSlot;
  spec.address_slot = kSlot;
  spec.destination = ip_of(family.group);
  spec.port = kPort;
  spec.suite = suite;
  return spec;
}

/// The family that an address is of.
[[nodiscard]] inline const Family& family_of(const std::string& address) {
  return ip_of(address).family == IpFamily::kV4 ? kIpv4 : kIpv6;
}

/// The group as a host that only listens to `source` holds it.
[[nodiscard]] inline xfrm::GroupSpec listening(const std::string& source, std::uint32_t spi,
                                               EspSuite suite = EspSuite::kAesGcm128) {
  xfrm::GroupSpec spec = empty_group(family_of(source), suite);
  spec.senders.push_back(sender_sa(source, spi, 1, false, suite));
  return spec;
}

/// The group as the host that sends from `source` holds it.
[[nodiscard]] inline xfrm::GroupSpec sending(const std::string& source, std::uint32_t spi,
                                             EspSuite suite = EspSuite::kAesGcm128) {
  xfrm::GroupSpec spec = empty_group(family_of(source), suite);
  spec.own_source = ip_of(source);
  spec.active_generation = 1;
  spec.senders.push_back(sender_sa(source, spi, 1, true, suite));
  return spec;
}

/// The SA that all senders of a family share in one generation.
[[nodiscard]] inline xfrm::SenderSa shared_sa(const Family& family, std::uint32_t spi,
                                              xfrm::Generation generation, bool outbound,
                                              EspSuite suite = EspSuite::kAesCbc128HmacSha256) {
  return sender_sa(family.any, spi, generation, outbound, suite);
}

/// The group in shared mode as a host that only listens holds it.
[[nodiscard]] inline xfrm::GroupSpec shared_listening(
    const Family& family, std::uint32_t spi, EspSuite suite = EspSuite::kAesCbc128HmacSha256) {
  xfrm::GroupSpec spec = empty_group(family, suite);
  spec.sender_mode = xfrm::SenderMode::kShared;
  spec.replay_window = 0;
  spec.senders.push_back(shared_sa(family, spi, 1, false, suite));
  return spec;
}

/// The group in shared mode as a host that also sends, from `source`, holds it.
[[nodiscard]] inline xfrm::GroupSpec shared_sending(
    const std::string& source, std::uint32_t spi, EspSuite suite = EspSuite::kAesCbc128HmacSha256) {
  xfrm::GroupSpec spec = shared_listening(family_of(source), spi, suite);
  spec.own_source = ip_of(source);
  spec.active_generation = 1;
  spec.senders[0].outbound = true;
  return spec;
}

/// An agent's view of one host: its kernel, and the record that the daemon would keep.
class Agent {
 public:
  Agent(const Segment& segment, const std::string& host) : kernel_(open(segment, host)) {}

  /// Applies as the daemon does, and expects that everything went through.
  void apply(const xfrm::GroupSpec& spec) {
    const auto applied = try_apply(spec);
    ASSERT_TRUE(applied) << applied.error().text();
    for (const xfrm::Refusal& refusal : applied->refusals) ADD_FAILURE() << refusal.error.text();
  }
  [[nodiscard]] Result<xfrm::Applied> try_apply(const xfrm::GroupSpec& spec) {
    for (const xfrm::ObjectId& id : xfrm::objects_of(spec)) record_.push_back(id);
    return test::apply(kernel_, spec, record_);
  }

  [[nodiscard]] xfrm::Kernel& kernel() { return kernel_; }
  [[nodiscard]] const std::vector<xfrm::ObjectId>& record() const { return record_; }

 private:
  static xfrm::Kernel open(const Segment& segment, const std::string& host) {
    const Inside inside(segment.host(host));
    auto kernel = xfrm::Kernel::open();
    if (!kernel) {
      ADD_FAILURE() << kernel.error().text();
      std::abort();
    }
    return std::move(*kernel);
  }

  xfrm::Kernel kernel_;
  std::vector<xfrm::ObjectId> record_;
};

}  // namespace gkmpd::test
