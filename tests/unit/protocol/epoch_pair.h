// A controller and a member without a network between them, and an epoch that the one has signed.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "agent/crypto/random.h"
#include "agent/protocol/epoch.h"
#include "tests/support/pki.h"

namespace gkmpd::protocol {

inline constexpr Now kPresent{MonoTime(milliseconds(0)), test::kNow};

class EpochPair : public testing::Test {
 protected:
  explicit EpochPair(const test::PolicyOptions& options = {})
      : controller_host_(pki_.host("a", controller_options())),
        member_host_(pki_.host("b")),
        group_(pki_.group({{"a", std::nullopt}, {"b", std::nullopt}}, options)),
        controller_(context_of(controller_host_)),
        member_(context_of(member_host_)),
        token_(*identity::check_token(
            group_.token,
            {&member_->config.trust, &member_->config.limits, nullptr, nullptr, test::kNow})) {
    senders_.entries.push_back({controller_->self.hash, 1, 1, {*IpAddress::parse("10.9.0.1")}});
    epoch_.emplace(*sign_epoch(*controller_,
                               {token_,
                                {1, 1, 0, 5},
                                {wire::Creation::kCooperative, KeyId{1}, KeyId{2}, packet()},
                                senders_},
                               kPresent));
  }

  static test::HostOptions controller_options() {
    test::HostOptions options;
    options.roles.insert(identity::Role::kController);
    options.groups = {"demo"};
    return options;
  }

  static keys::GroupKeyPacket packet() {
    return {Secret::copy_of(Bytes(32, 1)), Secret::copy_of(Bytes(32, 2))};
  }

  std::unique_ptr<Context> context_of(const test::TestHost& host) {
    auto trust = pki_.trust();
    auto self = *trust.check_host(host.certificate, {}, test::kNow);
    return std::unique_ptr<Context>(new Context{.config = {std::move(trust),
                                                           {},
                                                           host.certificate,
                                                           {},
                                                           host.key,
                                                           {*IpAddress::parse("10.9.0.1")},
                                                           8480,
                                                           {}},
                                                .self = std::move(self),
                                                .random = random_,
                                                .floors = {},
                                                .out = {}});
  }

  const identity::Host& controller_self() { return controller_->self; }

  test::TestPki pki_;
  crypto::SeededRandom random_{1};
  test::TestHost controller_host_;
  test::TestHost member_host_;
  test::TestGroup group_;
  std::unique_ptr<Context> controller_;
  std::unique_ptr<Context> member_;
  identity::GroupToken token_;
  wire::SenderTable senders_;
  std::optional<Epoch> epoch_;
};

}  // namespace gkmpd::protocol
