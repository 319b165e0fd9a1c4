// One host whose agent ends and starts again: the daemon's installer with a real store and a real
// kernel.
#pragma once

#include <gtest/gtest.h>

#include <optional>

#include "agent/daemon/installer.h"
#include "tests/kernel/groups.h"
#include "tests/unit/store/scratch.h"

namespace gkmpd::test {

inline constexpr std::uint32_t kOwnSpi = 0x0a000001;
inline constexpr std::uint32_t kOtherSpi = 0x0a000002;
inline const WallTime kInstalledAt = from_unix(1'800'000'000);

class OneHost : public ::testing::Test {
 protected:
  /// Host a, and others beside it.
  explicit OneHost(const std::vector<std::string>& hosts = {"a"}) : segment_(hosts) {}

  /// A run of the agent on host a; the one before it is gone without a word.
  daemon::Installer::Takeover start_agent(WallTime now = kInstalledAt) {
    end_agent();
    store_.emplace(store::open_or_die(scratch_.path()));
    const Inside inside(segment_.host("a"));
    installer_.emplace(std::move(xfrm::Kernel::open().value()), *store_,
                       daemon::KernelPlace::current().value());
    auto taken = installer_->take_over(now);
    EXPECT_TRUE(taken) << taken.error().text();
    return taken.value_or(daemon::Installer::Takeover{});
  }
  void end_agent() {
    installer_.reset();
    store_.reset();
  }

  /// The demo group in an epoch of that number: a sends, and hears 10.9.0.2.
  static protocol::InstallGroup epoch(std::uint8_t number) {
    const std::uint32_t offset = (number - 1U) << 16;
    xfrm::GroupSpec spec = empty_group();
    spec.own_source = ip_of("10.9.0.1");
    spec.active_generation = number;
    spec.senders.push_back(sender_sa("10.9.0.1", kOwnSpi + offset, number, true));
    spec.senders.push_back(sender_sa("10.9.0.2", kOtherSpi + offset, number, false));
    return {1,
            GroupId{1},
            EpochId{number},
            std::move(spec),
            {.role = protocol::GroupRole::kMember,
             .controller = "b",
             .control_multicast = {ip_of("239.1.1.2"), 8480},
             .tuple = {1, 1, 0, number},
             .not_after = kInstalledAt + seconds(3600)}};
  }
  Result<void> install(std::uint8_t number) { return installer_->install(epoch(number)); }

  /// Somebody else's, in the same places.
  void add_foreign() const {
    segment_.ip("a",
                "xfrm state add src 10.9.0.9 dst 239.1.1.1 proto esp spi 0x900 reqid 9 mode "
                "transport aead rfc4106(gcm(aes)) "
                "0x000102030405060708090a0b0c0d0e0f10111213 128");
    segment_.ip("a", "xfrm policy add src 10.9.0.9/32 dst 239.1.1.1/32 dir out action block");
  }

  Segment segment_;
  store::Scratch scratch_;
  std::optional<store::Store> store_;
  std::optional<daemon::Installer> installer_;
};

}  // namespace gkmpd::test
