// Every request, octet by octet, against files that a person can read.
#include "xfrm/encode.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "netlink/errors.h"
#include "tests/unit/xfrm/specs.h"

namespace gkmpd::xfrm {
namespace {

using test::demo_group;
using test::ipv6_group;
using test::policy_of;
using test::sa_of;

/// Hexadecimal digits of a file; blanks, and what follows a '#', are for people.
std::string golden(const std::string& name) {
  std::ifstream file(std::string(GKMPD_GOLDEN_DIR) + "/" + name + ".hex");
  EXPECT_TRUE(file) << name;
  std::string digits;
  for (std::string line; std::getline(file, line);) {
    line.erase(std::min(line.find('#'), line.size()));
    for (const char c : line)
      if (c != ' ') digits.push_back(c);
  }
  return digits;
}

constexpr std::uint32_t kSequence = 0x11;
constexpr std::uint32_t kPort = 0x22;

using EncodeInto = std::function<Result<std::size_t>(netlink::Batch&)>;

void expect_golden_of(const std::string& name, const EncodeInto& encode_into) {
  netlink::Batch batch;
  ASSERT_TRUE(encode_into(batch));
  batch.seal(kSequence, kPort);
  EXPECT_EQ(to_hex(batch.bytes()), golden(name)) << name;
}

void expect_golden(const std::string& name, const Operation& operation) {
  expect_golden_of(name, [&](netlink::Batch& batch) { return encode(batch, operation); });
}

TEST(Encode, AddSa) {
  expect_golden("add_sa_outbound", AddSa{sa_of(demo_group(), 0x0a000001)});
  expect_golden("add_sa_inbound", AddSa{sa_of(demo_group(), 0x0a000002)});
}

TEST(Encode, DeleteSa) {
  const SaState sa = sa_of(demo_group(), 0x0a000001);
  expect_golden("delete_sa", DeleteSa{sa.id(), sa.source});
}

TEST(Encode, PutPolicies) {
  expect_golden("new_guard", PutPolicy{policy_of(demo_group(), PolicyKind::kGuard), false});
  expect_golden("new_in", PutPolicy{policy_of(demo_group(), PolicyKind::kIn), false});
  expect_golden("new_in_guard", PutPolicy{policy_of(demo_group(), PolicyKind::kInGuard), false});
  expect_golden("new_protect", PutPolicy{policy_of(demo_group(), PolicyKind::kProtect), false});
}

TEST(Encode, MembershipIsToldInClear) {
  for (const auto& [kind, name] : {std::pair{PolicyKind::kMembershipOut, "new_membership_out"},
                                   {PolicyKind::kMembershipIn, "new_membership_in"}}) {
    expect_golden(name, PutPolicy{policy_of(demo_group(), kind), false});
    expect_golden(name + std::string("_ipv6"), PutPolicy{policy_of(ipv6_group(), kind), false});
  }
}

TEST(Encode, MarkAndInterfaceIdGoWithEveryRequest) {
  const GroupSpec spec = test::attached(demo_group());
  ASSERT_TRUE(check(spec));
  expect_golden("add_sa_attached", AddSa{sa_of(spec, 0x0a000002)});
  const SaState sa = sa_of(spec, 0x0a000001);
  expect_golden("delete_sa_attached", DeleteSa{sa.id(), sa.source, sa.attachment});
  const PolicyState protect = policy_of(spec, PolicyKind::kProtect);
  expect_golden("new_protect_attached", PutPolicy{protect, false});
  expect_golden("delete_protect_attached", DeletePolicy{protect});
  expect_golden("new_in_attached", PutPolicy{policy_of(spec, PolicyKind::kIn), false});
  expect_golden("new_passage", PutPolicy{policy_of(spec, PolicyKind::kPassage), false});
  expect_golden("new_guard", PutPolicy{policy_of(spec, PolicyKind::kGuard), false});
}

TEST(Encode, AnInterfaceIsInTheSelectorsOfPolicies) {
  const GroupSpec spec = test::on_interface(demo_group());
  ASSERT_TRUE(check(spec));
  expect_golden("new_protect_on_interface",
                PutPolicy{policy_of(spec, PolicyKind::kProtect), false});
  expect_golden("add_sa_inbound", AddSa{sa_of(spec, 0x0a000002)});
}

TEST(Encode, SwitchToTheNextGeneration) {
  GroupSpec spec = demo_group();
  spec.senders.push_back(test::sender(0x0a010001, "10.9.0.1", true, 2));
  spec.active_generation = 2;
  expect_golden("update_protect", PutPolicy{policy_of(spec, PolicyKind::kProtect), true});
}

TEST(Encode, ProtectAnyPort) {
  GroupSpec spec = demo_group();
  spec.port = 0;
  expect_golden("new_protect_any_port", PutPolicy{policy_of(spec, PolicyKind::kProtect), false});
}

TEST(Encode, DeletePolicies) {
  expect_golden("delete_guard", DeletePolicy{policy_of(demo_group(), PolicyKind::kGuard)});
  expect_golden("delete_in", DeletePolicy{policy_of(demo_group(), PolicyKind::kIn)});
  expect_golden("delete_protect", DeletePolicy{policy_of(demo_group(), PolicyKind::kProtect)});
}

TEST(Encode, GetPolicies) {
  const PolicyState guard = policy_of(demo_group(), PolicyKind::kGuard);
  expect_golden_of("get_guard_by_index",
                   [&](netlink::Batch& batch) { return encode_get_by_index(batch, guard); });
  expect_golden_of("get_guard_by_selector",
                   [&](netlink::Batch& batch) { return encode_get_by_selector(batch, guard); });
}

// A dump request is a header alone: its type is all there is of it.
TEST(Encode, DumpRequests) {
  EXPECT_EQ(dump_sas_request(), 0x12);       // XFRM_MSG_GETSA
  EXPECT_EQ(dump_policies_request(), 0x15);  // XFRM_MSG_GETPOLICY
}

TEST(Encode, AddSaOfTheOtherSuites) {
  for (const auto& [suite, name] : {std::pair{EspSuite::kAesGcm256, "add_sa_gcm256"},
                                    {EspSuite::kAesCbc128HmacSha256, "add_sa_cbc_sha256"},
                                    {EspSuite::kAesGcm192, "add_sa_gcm192"},
                                    {EspSuite::kChaCha20Poly1305, "add_sa_chacha"},
                                    {EspSuite::kAesCbc256HmacSha384, "add_sa_cbc_sha384"},
                                    {EspSuite::kAesCbc256HmacSha512, "add_sa_cbc_sha512"},
                                    {EspSuite::kAesGmac128, "add_sa_gmac128"},
                                    {EspSuite::kAesGmac256, "add_sa_gmac256"},
                                    {EspSuite::kNullHmacSha256, "add_sa_null_sha256"},
                                    {EspSuite::kNullHmacSha384, "add_sa_null_sha384"},
                                    {EspSuite::kNullHmacSha512, "add_sa_null_sha512"}}) {
    const GroupSpec spec = test::with_suite(demo_group(), suite);
    ASSERT_TRUE(check(spec));
    expect_golden(name, AddSa{sa_of(spec, 0x0a000001)});
  }
}

// The smallest window, so that a person can read its bitmap.
TEST(Encode, AddSaThatGoesOnFromASequenceNumber) {
  GroupSpec spec = test::with_esn(demo_group());
  spec.replay_window = kMinReplayWindow;
  expect_golden("add_sa_esn", AddSa{sa_of(spec, 0x0a000001)});
  spec.senders[1].last_received = 0x0000000100000020;
  ASSERT_TRUE(check(spec));
  expect_golden("add_sa_esn_seeded", AddSa{sa_of(spec, 0x0a000002)});
}

// A stage of the largest requests goes in sends of kMaxBatch.
TEST(Encode, ABatchHasRoomForTheLargestRequests) {
  GroupSpec spec = test::with_esn(test::with_suite(ipv6_group(), EspSuite::kAesCbc256HmacSha512));
  spec.replay_window = kMaxReplayWindow;
  spec.senders[1].last_received = 1;
  ASSERT_TRUE(check(spec));
  const SaState sa = sa_of(spec, 0x0a000002);
  netlink::Batch batch;
  for (std::size_t i = 0; i < netlink::kMaxBatch; ++i)
    EXPECT_EQ(encode(batch, AddSa{sa.clone()}), i);
}

TEST(Encode, AddSharedSa) {
  ASSERT_TRUE(check(test::shared_group()));
  expect_golden("add_sa_shared", AddSa{sa_of(test::shared_group(), 0x0a000003)});
  const SaState shared = sa_of(test::with_shared_sa(ipv6_group()), 0x0a000003);
  expect_golden("add_sa_shared_ipv6", AddSa{shared.clone()});
  expect_golden("delete_sa_shared_ipv6", DeleteSa{shared.id(), shared.source});
}

TEST(Encode, AnotherFamilyOfAddresses) {
  ASSERT_TRUE(check(ipv6_group()));
  const SaState sa = sa_of(ipv6_group(), 0x0a000001);
  expect_golden("add_sa_ipv6", AddSa{sa.clone()});
  expect_golden("delete_sa_ipv6", DeleteSa{sa.id(), sa.source});
  expect_golden("new_guard_ipv6", PutPolicy{policy_of(ipv6_group(), PolicyKind::kGuard), false});
  expect_golden("new_in_ipv6", PutPolicy{policy_of(ipv6_group(), PolicyKind::kIn), false});
  const PolicyState protect = policy_of(ipv6_group(), PolicyKind::kProtect);
  expect_golden("new_protect_ipv6", PutPolicy{protect, false});
  expect_golden("delete_protect_ipv6", DeletePolicy{protect});
}

TEST(Encode, TunnelModeHasTheGroupOutsideToo) {
  const GroupSpec spec = test::in_tunnel_mode(demo_group());
  ASSERT_TRUE(check(spec));
  expect_golden("add_sa_tunnel", AddSa{sa_of(spec, 0x0a000001)});
  expect_golden("new_guard", PutPolicy{policy_of(spec, PolicyKind::kGuard), false});
  expect_golden("new_in_tunnel", PutPolicy{policy_of(spec, PolicyKind::kIn), false});
  expect_golden("new_protect_tunnel", PutPolicy{policy_of(spec, PolicyKind::kProtect), false});
  const GroupSpec ipv6 = test::in_tunnel_mode(ipv6_group());
  expect_golden("new_protect_tunnel_ipv6", PutPolicy{policy_of(ipv6, PolicyKind::kProtect), false});
}

// The protect policy stays bound to this host's address: only the SA is any sender's.
TEST(Encode, ProtectIsTheSameInSharedMode) {
  expect_golden("new_protect",
                PutPolicy{policy_of(test::shared_group(), PolicyKind::kProtect), false});
}

TEST(Encode, AFullBatchIsNamed) {
  netlink::Batch batch(400);
  const AddSa add{sa_of(demo_group(), 0x0a000001)};
  EXPECT_EQ(encode(batch, AddSa{add.sa.clone()}), 0U);
  const auto over = encode(batch, AddSa{add.sa.clone()});
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().kind, netlink::kBatchFull);
  EXPECT_EQ(batch.size(), 1U);
}

}  // namespace
}  // namespace gkmpd::xfrm
