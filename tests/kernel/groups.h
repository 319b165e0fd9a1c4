// Groups and agents' kernels for the tests on a real kernel.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/kernel/segment.h"
#include "xfrm/kernel.h"

namespace gkmpd::test {

inline constexpr char kGroup[] = "239.1.1.1";
inline constexpr unsigned short kPort = 5000;
inline constexpr xfrm::GroupSlot kSlot = 7;

[[nodiscard]] inline IpAddress ip_of(const std::string& text) { return *IpAddress::parse(text); }

/// A sender's SA whose key is made of its SPI, so that hosts agree on it without more ado.
[[nodiscard]] inline xfrm::SenderSa sender_sa(const std::string& source, std::uint32_t spi,
                                              xfrm::Generation generation, bool outbound) {
  xfrm::SenderSa sa;
  sa.spi = spi;
  sa.source = ip_of(source);
  sa.outbound = outbound;
  sa.generation = generation;
  Bytes key;
  for (int i = 0; i < 5; ++i) append_u32(key, spi + static_cast<std::uint32_t>(i));
  sa.key = Secret::take(std::move(key));
  sa.hard_lifetime_s = 3600;
  return sa;
}

[[nodiscard]] inline xfrm::GroupSpec empty_group() {
  xfrm::GroupSpec spec;
  spec.group_name = "demo";
  spec.slot = kSlot;
  spec.destination = ip_of(kGroup);
  spec.port = kPort;
  return spec;
}

/// The group as a host that only listens to `source` holds it.
[[nodiscard]] inline xfrm::GroupSpec listening(const std::string& source, std::uint32_t spi) {
  xfrm::GroupSpec spec = empty_group();
  spec.senders.push_back(sender_sa(source, spi, 1, false));
  return spec;
}

/// The group as the host that sends from `source` holds it.
[[nodiscard]] inline xfrm::GroupSpec sending(const std::string& source, std::uint32_t spi) {
  xfrm::GroupSpec spec = empty_group();
  spec.own_source = ip_of(source);
  spec.active_generation = 1;
  spec.senders.push_back(sender_sa(source, spi, 1, true));
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
    return kernel_.apply(spec, record_);
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
