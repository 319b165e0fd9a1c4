// Runs that are broken on purpose: each has to be noticed by the rule that is there for it. If one
// of these fails, the simulator proves nothing.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "agent/wire/header.h"
#include "tests/sim/scene.h"

namespace gkmpd::sim {
namespace {

constexpr std::size_t kHosts = 4;
constexpr std::uint64_t kSeed = 1;

WorldOptions options_with(Tampering tampering, unsigned loss_permille = 0) {
  WorldOptions options;
  options.seed = kSeed;
  options.network.loss_permille = loss_permille;
  options.tampering = std::move(tampering);
  return options;
}

/// Runs a group and gives the rules that it broke.
Findings run(Tampering tampering, unsigned loss_permille = 0) {
  Scene scene(kHosts, options_with(std::move(tampering), loss_permille));
  const GroupPlan plan = scene.plan();
  scene.begin(plan);
  (void)scene.world.run_until([&] { return scene.world.is_settled(plan); }, kSettleLimit);
  scene.world.finish();
  return scene.world.findings();
}

/// The same, and the controller starts a second term.
Findings run_two_terms(Tampering tampering) {
  Scene scene(kHosts, options_with(std::move(tampering)));
  const GroupPlan plan = scene.plan();
  for (int term = 0; term < 2; ++term) {
    scene.begin(plan);
    (void)scene.world.run_until([&] { return scene.world.is_settled(plan); }, kSettleLimit);
    scene.world.crash(0);
    scene.world.start(0);
  }
  return scene.world.findings();
}

TEST(SimCanary, AnUntouchedRunBreaksNoRule) {
  const Findings findings = run({});
  EXPECT_TRUE(findings.none()) << findings.text();
  EXPECT_TRUE(run_two_terms({}).none());
}

TEST(SimCanary, AnotherKeyInOneKernel) {
  const auto findings = run({.install = [](HostIndex host, protocol::InstallGroup& install) {
    if (host == 2 && !install.spec.senders.empty()) {
      install.spec.senders[0].key.expose_for_writing()[0] ^= 1;
    }
  }});
  EXPECT_TRUE(findings.has("sender-keys-differ")) << findings.text();
}

TEST(SimCanary, AReceiverWithoutASender) {
  const auto findings = run({.install = [](HostIndex host, protocol::InstallGroup& install) {
    // Of another sender, the SA that it sends under.
    const auto heard = [](const xfrm::SenderSa& sa) { return !sa.outbound; };
    if (host != 2) return;
    const auto first = std::ranges::find_if(install.spec.senders, heard);
    if (first != install.spec.senders.end()) install.spec.senders.erase(first);
  }});
  EXPECT_TRUE(findings.has("receiver-lacks-sender")) << findings.text();
}

TEST(SimCanary, AKeyOfTheWrongSize) {
  const auto findings = run({.install = [](HostIndex, protocol::InstallGroup& install) {
    if (!install.spec.senders.empty()) install.spec.senders[0].key = Secret(19);
  }});
  EXPECT_TRUE(findings.has("sa-form")) << findings.text();
}

TEST(SimCanary, OneSpiForTwoEpochs) {
  const auto findings = run_two_terms({.install = [](HostIndex, protocol::InstallGroup& install) {
    if (!install.spec.senders.empty()) install.spec.senders[0].spi = 0x0a000001;
  }});
  EXPECT_TRUE(findings.has("spi-clash")) << findings.text();
}

/// Keyed, but its acknowledgement never comes through; it loses its kernel, and is keyed again.
TEST(SimCanary, AKeyThatIsUsedForOutputTwice) {
  for (const bool forgets : {false, true}) {
    bool mute = true;
    Tampering tampering;
    tampering.forgets_used_keys = forgets;
    tampering.transmit = [&mute](HostIndex host, protocol::Transmit& transmit) {
      constexpr auto kAck = static_cast<std::uint8_t>(wire::MessageType::kKeyDownloadAck);
      if (mute && host == 1 && transmit.octets[4] == kAck) transmit.octets.back() ^= 1;
    };
    Scene scene(kHosts, options_with(std::move(tampering)));
    const GroupPlan plan = scene.plan();
    scene.begin(plan);
    ASSERT_TRUE(
        scene.world.run_until([&] { return scene.world.holds_keys(1, plan); }, kSettleLimit));
    mute = false;
    scene.world.crash(1);
    scene.world.start(1);
    ASSERT_EQ(scene.world.run_until([&] { return scene.world.holds_keys(1, plan); }, kSettleLimit),
              !forgets);
    EXPECT_EQ(scene.world.findings().has("outbound-twice"), forgets)
        << scene.world.findings().text();
  }
}

TEST(SimCanary, AStandingGroupThatIsNotAdopted) {
  Findings findings;
  KeyRules keys(findings);
  KernelRules kernels(findings, keys);
  kernels.on_start({}, 0, {});
  EXPECT_TRUE(findings.none());
  kernels.on_start({}, 0, {protocol::GroupView{}});
  EXPECT_TRUE(findings.has("not-adopted"));
}

TEST(SimCanary, OutboundFromAStrangeAddress) {
  const auto findings = run({.install = [](HostIndex, protocol::InstallGroup& install) {
    for (auto& sa : install.spec.senders) sa.source = Fleet::address(100);
  }});
  EXPECT_TRUE(findings.has("outbound")) << findings.text();
}

TEST(SimCanary, SendingBeforeTheActivationDelay) {
  const auto findings = run({.install = [](HostIndex, protocol::InstallGroup& install) {
    for (const auto& sa : install.spec.senders) {
      if (sa.outbound) install.spec.active_generation = sa.generation;
    }
  }});
  EXPECT_TRUE(findings.has("early-protect")) << findings.text();
}

TEST(SimCanary, AHostThatIsNotEntitled) {
  Scene scene(kHosts, options_with({}));
  GroupPlan plan = scene.plan();
  plan.facts.entitled.erase(2);
  scene.world.watch(plan);
  scene.begin(plan);
  EXPECT_FALSE(scene.world.run_until([&] { return scene.world.is_settled(plan); }, kSettleLimit));
  EXPECT_TRUE(scene.world.findings().has("keys-only-to-members"));
  EXPECT_TRUE(scene.world.findings().has("install-outsider"));
}

TEST(SimCanary, ASaveThatDidNotHappen) {
  const auto findings = run({.save = [](HostIndex host, protocol::SaveFloor& save) {
    if (host == 1) save.floor.tuple.epoch = 0;
  }});
  EXPECT_TRUE(findings.has("keys-before-save")) << findings.text();
  EXPECT_TRUE(findings.has("install-before-save")) << findings.text();
}

TEST(SimCanary, AFloorThatFalls) {
  int saves = 0;
  const auto findings = run_two_terms({.save = [&](HostIndex host, protocol::SaveFloor& save) {
    if (host == 0 && ++saves == 2) save.floor.tuple.term = 0;
  }});
  EXPECT_TRUE(findings.has("floor-fell")) << findings.text();
}

TEST(SimCanary, ALargeDatagram) {
  const auto findings = run({.transmit = [](HostIndex host, protocol::Transmit& transmit) {
    if (host == 1) transmit.octets.resize(wire::kMaxDatagram + 1);
  }});
  EXPECT_TRUE(findings.has("datagram-size")) << findings.text();
}

TEST(SimCanary, ADatagramWithoutForm) {
  const auto findings = run({.transmit = [](HostIndex host, protocol::Transmit& transmit) {
    if (host == 1) transmit.octets[0] ^= 1;
  }});
  EXPECT_TRUE(findings.has("datagram-form")) << findings.text();
}

TEST(SimCanary, TwoCiphertextsUnderOneNonce) {
  constexpr auto kNegotiate = static_cast<std::uint8_t>(wire::MessageType::kNegotiateGrpKeys1);
  std::uint8_t count = 0;
  const auto findings = run({.transmit =
                                 [&](HostIndex host, protocol::Transmit& transmit) {
                                   if (host == 0 && transmit.octets[4] == kNegotiate) {
                                     transmit.octets.back() ^= ++count;
                                   }
                                 }},
                            300);
  EXPECT_TRUE(findings.has("nonce-reuse")) << findings.text();
}

TEST(SimCanary, AGroupKeyInADatagram) {
  World* world = nullptr;
  GroupId group{};
  Tampering tampering;
  tampering.transmit = [&](HostIndex host, protocol::Transmit& transmit) {
    const auto held = world->endpoint(host).held_keys(group);
    if (held && transmit.octets.size() < 1000) append(transmit.octets, held->gkek.expose());
  };
  Scene scene(kHosts, options_with(std::move(tampering)));
  world = &scene.world;
  const GroupPlan plan = scene.plan();
  group = plan.id();
  scene.begin(plan);
  (void)scene.world.run_until([] { return false; }, seconds(5));
  scene.world.finish();
  EXPECT_TRUE(scene.world.findings().has("secret-shown"));
}

TEST(SimCanary, AnEspKeyInAReport) {
  const Bytes key = *from_hex("00112233445566778899aabbccddeeff01234567");
  Findings findings;
  WireRules rules(findings);
  rules.on_report(0, {.what = "keyed", .group = "demo", .peer = {}, .detail = to_hex(key)});
  rules.at_end({}, {Bytes(key.rbegin(), key.rend())});
  EXPECT_TRUE(findings.none());
  rules.at_end({}, {key});
  EXPECT_TRUE(findings.has("secret-shown"));
}

/// Two worlds make the same first epoch of the same group, with keys of their own.
TEST(SimCanary, OneTupleWithTwoEpochs) {
  Findings findings;
  KeyRules rules(findings);
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    WorldOptions options;
    options.seed = seed;
    Scene scene(2, options);
    const GroupPlan plan = scene.plan();
    scene.key(plan);
    rules.watch(plan.facts);
    const auto floor = scene.world.floor(0, plan.id());
    ASSERT_TRUE(floor);
    rules.on_saved(seed, plan.id(), *floor);
    rules.after_step({}, seed, scene.world.endpoint(0));
    EXPECT_EQ(findings.has("same-tuple-same-keys"), seed == 2) << findings.text();
  }
}

/// A host goes back to the epoch before, and another is called keyed that never was.
TEST(SimCanary, AnEpochThatGoesBackAndAMemberThatWasNeverKeyed) {
  Findings findings;
  KeyRules rules(findings);
  WorldOptions options;
  options.seed = kSeed;
  Scene scene(2, options);
  const GroupPlan plan = scene.plan();
  rules.watch(plan.facts);
  scene.key(plan);
  rules.on_saved(0, plan.id(), *scene.world.floor(0, plan.id()));
  rules.sweep({}, 0, scene.world.endpoint(0).groups());
  EXPECT_TRUE(findings.has("keyed-without-keys"));

  World older(options);
  older.add(Fleet::shared().good(0));
  older.add(Fleet::shared().good(1));
  older.watch(plan);
  ASSERT_TRUE(older.command(plan));
  ASSERT_TRUE(older.run_until([&] { return older.is_settled(plan); }, kSettleLimit));
  scene.world.crash(0);
  scene.world.start(0);
  scene.key(plan);
  rules.after_step({}, 0, scene.world.endpoint(0));
  EXPECT_FALSE(findings.has("epoch-went-back"));
  rules.after_step({}, 0, older.endpoint(0));
  EXPECT_TRUE(findings.has("epoch-went-back"));
}

TEST(SimCanary, AHostThatNeverGetsItsKeys) {
  Scene scene(kHosts, options_with({}));
  const GroupPlan plan = scene.plan();
  scene.world.network().isolate(3);
  scene.begin(plan);
  EXPECT_FALSE(scene.world.run_until([&] { return scene.world.is_settled(plan); }, kSettleLimit));
  EXPECT_TRUE(scene.world.is_settled(plan, {3}));
}

TEST(SimCanary, AFailedSeedIsNamed) {
  bool failed = false;
  EXPECT_NONFATAL_FAILURE(for_each_seed(3,
                                        [&](std::uint64_t) {
                                          if (!std::exchange(failed, true)) ADD_FAILURE();
                                        }),
                          "to run it again: --gtest_filter=SimCanary.AFailedSeedIsNamed");
}

}  // namespace
}  // namespace gkmpd::sim
