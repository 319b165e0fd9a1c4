// What the kernel shows, read back; and whatever else may stand there or arrive.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "tests/unit/xfrm/kernel_messages.h"
#include "xfrm/usage.h"

namespace gkmpd::xfrm {
namespace {

using gkmpd::test::attribute;
using gkmpd::test::operator+;
using test::demo_group;
using test::message_of;
using test::policy_of;
using test::sa_of;
using test::shown;
using test::with;

SaState own_sa() { return sa_of(demo_group(), 0x0a000001); }

Result<std::optional<SaState>> read_sa(const Bytes& payload) {
  return decode_sa(message_of(XFRM_MSG_NEWSA, payload));
}
Result<std::optional<PolicyState>> read_policy(const Bytes& payload) {
  return decode_policy(message_of(XFRM_MSG_NEWPOLICY, payload));
}

TEST(DecodeSa, ReadsBackWhatWasEncoded) {
  for (const GroupSpec& spec : test::groups_of_all_kinds()) {
    ASSERT_TRUE(check(spec));
    for (const SaState& sa : wanted_state(spec).sas) {
      const auto read = read_sa(shown(sa));
      ASSERT_TRUE(read && *read) << sa.id().text();
      EXPECT_TRUE((*read)->same_as(sa)) << sa.id().text();
      EXPECT_EQ((*read)->suite, spec.suite);
      EXPECT_EQ((*read)->esn, spec.esn);
      EXPECT_EQ((*read)->shared(), spec.sender_mode == SenderMode::kShared);
      EXPECT_EQ((*read)->hard_lifetime_s, 3600U);
    }
  }
}

TEST(DecodeSa, EachKindOfSaIsToldFromEveryOther) {
  std::vector<GroupSpec> groups = test::groups_of_all_kinds();
  // An interface is bound by policies alone.
  std::erase_if(groups, [](const GroupSpec& spec) {
    return spec.attachment.interface != 0 && spec.attachment.if_id == 0;
  });
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (std::size_t k = 0; k < groups.size(); ++k) {
      const auto read = read_sa(shown(wanted_state(groups[i]).sas.back()));
      ASSERT_TRUE(read && *read);
      EXPECT_EQ((*read)->same_as(wanted_state(groups[k]).sas.back()), i == k) << i << " " << k;
    }
  }
}

TEST(DecodeSa, IgnoresWhatTheKernelAddsToEverySa) {
  const auto read = read_sa(shown(own_sa()) + attribute(XFRMA_LASTUSED, Bytes(8)));
  ASSERT_TRUE(read && *read);
  EXPECT_TRUE((*read)->same_as(own_sa()));
}

TEST(DecodeSa, AWindowThatNoKernelHasIsNotRegular) {
  SaState sa = own_sa();
  sa.last_received = 7;
  for (const std::uint32_t window : {kMaxReplayWindow + 1, 0xffffffffU}) {
    sa.replay_window = window;
    const auto read = read_sa(shown(sa));
    ASSERT_TRUE(read && *read);
    EXPECT_FALSE((*read)->regular);
    EXPECT_EQ((*read)->replay_window, window);
  }
}

// A kernel that is locked down for confidentiality shows zeros.
TEST(DecodeSa, AKeyThatIsNotToldMayBeAny) {
  for (const GroupSpec& group : {test::demo_group(), test::shared_group()}) {
    const SaState sa = wanted_state(group).sas.front().clone();
    SaState shown_without = sa.clone();
    shown_without.key = Secret(sa.key.size());
    auto read = read_sa(shown(shown_without));
    ASSERT_TRUE(read && *read);
    EXPECT_TRUE((*read)->regular);
    EXPECT_TRUE((*read)->key.empty());
    EXPECT_TRUE((*read)->may_have_key(sa.key));
    EXPECT_TRUE((*read)->same_as(sa));
    EXPECT_TRUE(sa.same_as(**read));
    (*read)->replay_window += 1;
    EXPECT_FALSE((*read)->same_as(sa)) << "all else counts as ever";
    // One octet that is told is enough.
    shown_without.key.expose_for_writing().back() = 1;
    EXPECT_FALSE((*read_sa(shown(shown_without)))->same_as(sa));
  }
}

TEST(DecodeUsage, TellsWhatTheKernelCounts) {
  const auto counted = with<xfrm_usersa_info>(shown(own_sa()), [](xfrm_usersa_info& sa) {
    sa.curlft = {.bytes = 700, .packets = 7, .add_time = 1'800'000'000, .use_time = 1'800'000'001};
    sa.stats = {.replay_window = 2, .replay = 1, .integrity_failed = 3};
  });
  const auto usage = decode_usage(message_of(XFRM_MSG_NEWSA, counted));
  ASSERT_TRUE(usage && *usage);
  EXPECT_EQ(**usage, (SaUsage{.id = own_sa().id(),
                              .source = own_sa().source,
                              .replay_window = kDefaultReplayWindow,
                              .packets = 7,
                              .octets = 700,
                              .added_at_s = 1'800'000'000,
                              .used_at_s = 1'800'000'001,
                              .replayed = 1,
                              .behind_window = 2,
                              .forged = 3}));
  EXPECT_TRUE((*usage)->outbound());
}

TEST(DecodeUsage, IsOfOurSasAlone) {
  const auto of = [](const Bytes& payload) {
    return decode_usage(message_of(XFRM_MSG_NEWSA, payload));
  };
  const auto foreign =
      of(with<xfrm_usersa_info>(shown(own_sa()), [](xfrm_usersa_info& sa) { sa.reqid = 9; }));
  ASSERT_TRUE(foreign);
  EXPECT_FALSE(foreign->has_value());
  const auto changed =
      of(with<xfrm_usersa_info>(shown(own_sa()), [](xfrm_usersa_info& sa) { sa.mode = 4; }));
  ASSERT_TRUE(changed);
  EXPECT_FALSE(changed->has_value());
  EXPECT_FALSE(of(Bytes(7)));
}

TEST(DecodeSa, OthersAreNoneOfOurs) {
  const Bytes ours = shown(own_sa());
  const std::vector<void (*)(xfrm_usersa_info&)> changes = {
      [](xfrm_usersa_info& sa) { sa.id.spi = 0; },
      [](xfrm_usersa_info& sa) { sa.id.proto = IPPROTO_AH; },
      [](xfrm_usersa_info& sa) { sa.reqid = 0x48000000; },
      [](xfrm_usersa_info& sa) { sa.family = AF_UNIX; }};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const auto read = read_sa(with<xfrm_usersa_info>(ours, changes[i]));
    ASSERT_TRUE(read) << i;
    EXPECT_FALSE(read->has_value()) << i;
  }
}

TEST(DecodeSa, AMarkOrAnInterfaceIdIsAnotherSa) {
  const Bytes ours = shown(own_sa());
  const auto marked = read_sa(ours + attribute(XFRMA_MARK, Bytes{1, 0, 0, 0, 1, 0, 0, 0}));
  ASSERT_TRUE(marked && *marked);
  EXPECT_EQ((*marked)->attachment, (Attachment{.mark = 1, .mark_mask = 1}));
  EXPECT_FALSE((*marked)->same_as(own_sa()));
  const auto with_id = read_sa(ours + attribute(XFRMA_IF_ID, Bytes{7, 0, 0, 0}));
  ASSERT_TRUE(with_id && *with_id);
  EXPECT_EQ((*with_id)->attachment, (Attachment{.if_id = 7}));
  EXPECT_FALSE((*with_id)->same_as(own_sa()));
  EXPECT_FALSE(read_sa(ours + attribute(XFRMA_MARK, Bytes(7))));
  EXPECT_FALSE(read_sa(ours + attribute(XFRMA_IF_ID, Bytes(3))));
}

TEST(DecodeSa, AnotherProtocolOrPortIsAnotherSa) {
  for (const auto change : {+[](xfrm_usersa_info& sa) { sa.sel.proto = IPPROTO_SCTP; },
                            +[](xfrm_usersa_info& sa) { sa.sel.dport = 0; },
                            +[](xfrm_usersa_info& sa) { sa.sel.dport_mask = 0; }}) {
    const auto read = read_sa(with<xfrm_usersa_info>(shown(own_sa()), change));
    ASSERT_TRUE(read && *read);
    EXPECT_FALSE((*read)->same_as(own_sa()));
  }
}

TEST(DecodeSa, WhatDiffersFromOursIsNotRegular) {
  const Bytes ours = shown(own_sa());
  const std::vector<void (*)(xfrm_usersa_info&)> changes = {
      [](xfrm_usersa_info& sa) { sa.mode = XFRM_MODE_BEET; },
      [](xfrm_usersa_info& sa) { sa.flags = XFRM_STATE_NOECN; },
      [](xfrm_usersa_info& sa) { sa.replay_window = 32; },
      [](xfrm_usersa_info& sa) { sa.sel.prefixlen_s = 24; },
      [](xfrm_usersa_info& sa) { sa.sel.saddr.a4 = 1; },
      [](xfrm_usersa_info& sa) { sa.sel.prefixlen_d = 8; },
      [](xfrm_usersa_info& sa) { sa.sel.dport_mask = 0xff00; },
      [](xfrm_usersa_info& sa) { sa.sel.sport_mask = 0xffff; },
      [](xfrm_usersa_info& sa) { sa.sel.ifindex = 2; },
      [](xfrm_usersa_info& sa) { sa.lft.hard_packet_limit = 5; },
      [](xfrm_usersa_info& sa) { sa.lft.hard_add_expires_seconds = 0; },
      [](xfrm_usersa_info& sa) { sa.lft.soft_use_expires_seconds = 5; }};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const auto read = read_sa(with<xfrm_usersa_info>(ours, changes[i]));
    ASSERT_TRUE(read && *read) << i;
    EXPECT_FALSE((*read)->regular) << i;
    EXPECT_EQ((*read)->id(), own_sa().id()) << i;
  }
  constexpr std::uint16_t kXfrmaSaDir = 33;
  for (const std::uint16_t type : std::initializer_list<std::uint16_t>{
           kXfrmaSaDir, XFRMA_ENCAP, XFRMA_ALG_AUTH, XFRMA_ALG_AUTH_TRUNC, XFRMA_ALG_CRYPT,
           XFRMA_ALG_COMP, XFRMA_COADDR, XFRMA_SET_MARK, XFRMA_SA_EXTRA_FLAGS, XFRMA_OFFLOAD_DEV}) {
    const auto read = read_sa(ours + attribute(type, Bytes(80)));
    ASSERT_TRUE(read && *read);
    EXPECT_FALSE((*read)->regular) << type;
  }
}

TEST(DecodeSa, AnotherAlgorithmIsNotRegular) {
  constexpr std::size_t kAead = sizeof(xfrm_usersa_info) + sizeof(nlattr);
  const Bytes ours = shown(own_sa());
  for (const std::size_t changed : {kAead, kAead + 64, kAead + 68}) {  // name, key and ICV bits
    Bytes other = ours;
    other[changed] ^= 0x20;
    const auto read = read_sa(other);
    ASSERT_TRUE(read && *read) << changed;
    EXPECT_FALSE((*read)->regular) << changed;
    EXPECT_TRUE((*read)->key.empty()) << changed;
  }
}

/// The attributes that a kernel shows of CBC and HMAC, changed one by one below.
struct CbcHmac {
  std::string cipher = "cbc(aes)";
  std::uint32_t cipher_key_bits = 128;
  std::string mac = "hmac(sha256)";
  std::uint32_t mac_key_bits = 256;
  std::uint32_t mac_bits = 128;
  std::string old_mac = "hmac(sha256)";
  std::uint32_t old_mac_key_bits = 256;
  std::uint8_t old_mac_key_begins = 0x13;
  bool with_old_mac = true;

  [[nodiscard]] Bytes shown() const {
    const Bytes whole = test::shown(test::sa_of(test::shared_group(), 0x0a000003));
    const Bytes fixed(whole.begin(), whole.begin() + sizeof(xfrm_usersa_info));
    Bytes all = fixed + attribute(XFRMA_ALG_CRYPT, algorithm(cipher, cipher_key_bits, {}, 0x03)) +
                attribute(XFRMA_ALG_AUTH_TRUNC, algorithm(mac, mac_key_bits, mac_bits, 0x13));
    if (with_old_mac)
      append(all, attribute(XFRMA_ALG_AUTH,
                            algorithm(old_mac, old_mac_key_bits, {}, old_mac_key_begins)));
    return all;
  }

 private:
  static Bytes algorithm(const std::string& name, std::uint32_t key_bits,
                         std::optional<std::uint32_t> icv_bits, std::uint8_t key_begins) {
    Bytes out(64);
    std::ranges::copy(name, out.begin());
    append(out, netlink::object_bytes(key_bits));
    if (icv_bits) append(out, netlink::object_bytes(*icv_bits));
    for (std::uint32_t i = 0; i < key_bits / 8; ++i)
      out.push_back(static_cast<std::uint8_t>(key_begins + i));
    return out;
  }
};

TEST(DecodeSa, AMacIsShownTwiceByTheKernel) {
  for (const bool twice : {true, false}) {
    const auto read = read_sa(CbcHmac{.with_old_mac = twice}.shown());
    ASSERT_TRUE(read && *read);
    EXPECT_TRUE((*read)->same_as(sa_of(test::shared_group(), 0x0a000003)));
  }
}

TEST(DecodeSa, AnotherCipherOrMacIsNotRegular) {
  const CbcHmac others[] = {{.cipher = "ecb(cipher_null)"},
                            {.cipher = "ctr(aes)"},
                            {.mac = "hmac(sha384)", .mac_key_bits = 384, .mac_bits = 192},
                            {.cipher = "cbc(aes"},
                            {.cipher = "cbc(aes)x"},
                            {.cipher_key_bits = 256},
                            {.cipher_key_bits = 120},
                            {.mac = "hmac(sha1)"},
                            {.mac_key_bits = 160},
                            {.mac_key_bits = 512},
                            {.mac_bits = 96},
                            {.mac_bits = 256},
                            {.old_mac = "hmac(sha1)"},
                            {.old_mac_key_bits = 160},
                            {.old_mac_key_begins = 0x14}};
  for (std::size_t i = 0; i < std::size(others); ++i) {
    const auto read = read_sa(others[i].shown());
    ASSERT_TRUE(read && *read) << i;
    EXPECT_FALSE((*read)->regular) << i;
    EXPECT_TRUE((*read)->key.empty()) << i;
  }
}

TEST(DecodeSa, ACipherWithoutMacOrAMacWithoutCipherIsNotRegular) {
  const Bytes whole = CbcHmac{.with_old_mac = false}.shown();
  constexpr std::ptrdiff_t kFixed = sizeof(xfrm_usersa_info);
  constexpr std::ptrdiff_t kCipher = sizeof(nlattr) + 64 + 4 + 16;
  const Bytes cipher_only(whole.begin(), whole.begin() + kFixed + kCipher);
  Bytes mac_only(whole.begin(), whole.begin() + kFixed);
  mac_only.insert(mac_only.end(), whole.begin() + kFixed + kCipher, whole.end());
  const Bytes neither(whole.begin(), whole.begin() + kFixed);
  for (const Bytes& part : {cipher_only, mac_only, neither}) {
    const auto read = read_sa(part);
    ASSERT_TRUE(read && *read) << part.size();
    EXPECT_FALSE((*read)->regular) << part.size();
  }
}

TEST(DecodeSa, AnAeadKeyOfNoSuiteIsNotRegular) {
  for (const std::size_t size : {19U, 27U, 32U, 35U, 37U, 48U}) {
    SaState sa = own_sa();
    sa.key = Secret(size);
    const auto read = read_sa(shown(sa));
    ASSERT_TRUE(read && *read) << size;
    EXPECT_FALSE((*read)->regular) << size;
  }
}

TEST(DecodeSa, AWindowIsReadAndMustHaveOurForm) {
  const SaState shared = sa_of(test::shared_group(), 0x0a000003);
  // The kernel shows the state of its old form where an SA has no window.
  EXPECT_TRUE((*read_sa(shown(shared) + attribute(XFRMA_REPLAY_VAL, Bytes(12))))->same_as(shared));

  xfrm_replay_state_esn state{};
  const auto none =
      read_sa(shown(shared) + attribute(XFRMA_REPLAY_ESN_VAL, netlink::object_bytes(state)));
  EXPECT_EQ((*none)->replay_window, 0U);
  EXPECT_FALSE((*none)->regular);

  state.replay_window = 64;
  const auto wide =
      read_sa(shown(shared) + attribute(XFRMA_REPLAY_ESN_VAL, netlink::object_bytes(state)));
  EXPECT_EQ((*wide)->replay_window, 64U);
  EXPECT_FALSE((*wide)->same_as(shared));
}

TEST(DecodeSa, TheSequenceNumberReceivedIsReadBack) {
  SaState sa = sa_of(test::with_esn(demo_group()), 0x0a000002);
  sa.last_received = 0x0000000200000009;
  const auto read = read_sa(shown(sa));
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->last_received, 0x0000000200000009U);
  EXPECT_TRUE((*read)->same_as(sa));
  EXPECT_TRUE((*read)->esn);
}

// Half of the peers would compute another ICV.
TEST(DecodeSa, AnSaWithoutEsnIsNotOneWith) {
  const SaState with_esn = sa_of(test::with_esn(demo_group()), 0x0a000001);
  EXPECT_FALSE((*read_sa(shown(own_sa())))->same_as(with_esn));
  EXPECT_FALSE((*read_sa(shown(with_esn)))->same_as(own_sa()));
}

TEST(DecodeSa, TheSelectorOfASharedSaIsAnySource) {
  const SaState shared = sa_of(test::shared_group(), 0x0a000003);
  const std::vector<void (*)(xfrm_usersa_info&)> changes = {
      [](xfrm_usersa_info& sa) { sa.sel.prefixlen_s = 32; },
      [](xfrm_usersa_info& sa) { sa.sel.prefixlen_s = 8; },
      [](xfrm_usersa_info& sa) { sa.sel.saddr.a4 = 1; }};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const auto read = read_sa(with<xfrm_usersa_info>(shown(shared), changes[i]));
    ASSERT_TRUE(read && *read) << i;
    EXPECT_FALSE((*read)->regular) << i;
  }
  const auto unbound = read_sa(with<xfrm_usersa_info>(
      shown(own_sa()), [](xfrm_usersa_info& sa) { sa.sel.prefixlen_s = 0; }));
  EXPECT_FALSE((*unbound)->regular);
}

TEST(DecodeSa, AKeyShorterThanItSaysIsRefused) {
  Bytes torn = shown(own_sa());
  torn[sizeof(xfrm_usersa_info) + sizeof(nlattr) + 65] = 0x01;  // key bits: 160 + 256
  const auto read = read_sa(torn);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, kBadMessage);
}

TEST(DecodeSa, EveryTruncationIsRefusedOrNotRegular) {
  for (const GroupSpec& spec : test::groups_of_all_kinds()) {
    const SaState sa = wanted_state(spec).sas.back().clone();
    const Bytes whole = shown(sa);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const Bytes torn(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      const auto read = read_sa(torn);
      if (read) {
        ASSERT_TRUE(read->has_value()) << size;
        EXPECT_FALSE((*read)->same_as(sa)) << size;
      } else {
        EXPECT_EQ(read.error().kind, kBadMessage) << size;
      }
    }
    EXPECT_FALSE(decode_sa(message_of(XFRM_MSG_NEWPOLICY, whole)));
  }
}

TEST(DecodeSa, EveryCutThroughAnAlgorithmIsNamed) {
  for (const std::uint16_t type :
       {XFRMA_ALG_AEAD, XFRMA_ALG_CRYPT, XFRMA_ALG_AUTH, XFRMA_ALG_AUTH_TRUNC}) {
    for (std::size_t size = 0; size < 68; ++size) {
      const auto read = read_sa(shown(own_sa()) + attribute(type, Bytes(size)));
      ASSERT_FALSE(read) << type << " " << size;
      EXPECT_EQ(read.error().kind, kBadMessage);
    }
  }
}

/// What a group without an attachment has.
constexpr std::array kAlways{
    PolicyKind::kGuard,        PolicyKind::kInGuard, PolicyKind::kMembershipOut,
    PolicyKind::kMembershipIn, PolicyKind::kIn,      PolicyKind::kProtect};

TEST(DecodePolicy, ReadsBackWhatWasEncoded) {
  for (const GroupSpec& spec : test::groups_of_all_kinds()) {
    for (const PolicyState& policy : wanted_state(spec).policies) {
      const auto read = read_policy(shown(policy));
      ASSERT_TRUE(read && *read) << policy.id().text();
      EXPECT_EQ(**read, policy) << policy.id().text();
      EXPECT_EQ(decode_policy_index(message_of(XFRM_MSG_NEWPOLICY, shown(policy))), policy.index);
    }
  }
}

TEST(DecodePolicy, OthersAreNoneOfOurs) {
  const std::vector<void (*)(xfrm_userpolicy_info&)> changes = {
      [](xfrm_userpolicy_info& p) { p.index = 0x48000709; },
      [](xfrm_userpolicy_info& p) { p.index = 0x47000701; },  // no kind of ours
      [](xfrm_userpolicy_info& p) { p.dir = 2; },
      [](xfrm_userpolicy_info& p) { p.sel.prefixlen_d = 24; },
      [](xfrm_userpolicy_info& p) { p.sel.prefixlen_s = 8; },
      [](xfrm_userpolicy_info& p) { p.sel.sport_mask = 0xffff; },
      [](xfrm_userpolicy_info& p) { p.sel.dport_mask = 0xff00; },
      [](xfrm_userpolicy_info& p) { p.sel.family = AF_UNIX; }};
  for (const PolicyKind kind : kAlways) {
    const Bytes ours = shown(policy_of(demo_group(), kind));
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const auto read = read_policy(with<xfrm_userpolicy_info>(ours, changes[i]));
      ASSERT_TRUE(read) << i;
      EXPECT_FALSE(read->has_value()) << i;
    }
    EXPECT_FALSE(
        read_policy(ours + attribute(XFRMA_POLICY_TYPE, Bytes{XFRM_POLICY_TYPE_SUB, 0, 0, 0, 0, 0}))
            ->has_value());
    EXPECT_TRUE(read_policy(ours + attribute(XFRMA_POLICY_TYPE,
                                             Bytes{XFRM_POLICY_TYPE_MAIN, 0, 0, 0, 0, 0}))
                    ->has_value());
  }
}

TEST(DecodePolicy, ThoseOfTheAddressHaveNoAttachment) {
  for (const PolicyKind kind : kAlways) {
    const Bytes ours = shown(policy_of(demo_group(), kind));
    const auto on_interface = read_policy(
        with<xfrm_userpolicy_info>(ours, [](xfrm_userpolicy_info& p) { p.sel.ifindex = 3; }));
    const auto marked = read_policy(ours + attribute(XFRMA_MARK, Bytes{1, 0, 0, 0, 1, 0, 0, 0}));
    const auto with_id = read_policy(ours + attribute(XFRMA_IF_ID, Bytes{7, 0, 0, 0}));
    ASSERT_TRUE(on_interface && marked && with_id);
    EXPECT_EQ(on_interface->has_value(), !is_of_address(kind));
    EXPECT_EQ(marked->has_value(), !is_of_address(kind));
    EXPECT_EQ(with_id->has_value(), !is_of_address(kind));
    if (is_of_address(kind)) continue;
    EXPECT_EQ((*on_interface)->attachment.interface, 3U);
    EXPECT_EQ((*marked)->attachment.mark_mask, 1U);
    EXPECT_EQ((*with_id)->attachment.if_id, 7U);
    EXPECT_FALSE(read_policy(ours + attribute(XFRMA_MARK, Bytes(7))));
    EXPECT_FALSE(read_policy(ours + attribute(XFRMA_IF_ID, Bytes(3))));
  }
}

TEST(DecodePolicy, WhatDiffersFromOursIsNotRegular) {
  const std::vector<void (*)(xfrm_userpolicy_info&)> changes = {
      [](xfrm_userpolicy_info& p) { p.action ^= 1; },
      [](xfrm_userpolicy_info& p) { p.priority += 1; },
      [](xfrm_userpolicy_info& p) { p.flags = XFRM_POLICY_LOCALOK; },
      [](xfrm_userpolicy_info& p) { p.lft.hard_add_expires_seconds = 5; },
      [](xfrm_userpolicy_info& p) { p.lft.hard_byte_limit = 5; }};
  for (const PolicyKind kind : kAlways) {
    const Bytes ours = shown(policy_of(demo_group(), kind));
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const auto read = read_policy(with<xfrm_userpolicy_info>(ours, changes[i]));
      ASSERT_TRUE(read && *read) << i;
      EXPECT_FALSE((*read)->regular) << i;
    }
  }
}

TEST(DecodePolicy, AnotherTemplateIsNotRegular) {
  const std::vector<void (*)(xfrm_user_tmpl&)> changes = {[](xfrm_user_tmpl& t) { t.id.spi = 1; },
                                                          [](xfrm_user_tmpl& t) { t.id.proto = IPPROTO_AH; },
                                                          [](xfrm_user_tmpl& t) { t.id.daddr.a4 = 1; },
                                                          [](xfrm_user_tmpl& t) { t.saddr.a4 = 1; },
                                                          [](xfrm_user_tmpl& t) { t.family = AF_INET6; },
                                                          [](xfrm_user_tmpl& t) { t.mode = XFRM_MODE_BEET; },
                                                          [](xfrm_user_tmpl& t) { t.optional = 1; },
                                                          [](xfrm_user_tmpl& t) { t.aalgos = 1; },
                                                          [](xfrm_user_tmpl& t) { t.ealgos = 1; },
                                                          [](xfrm_user_tmpl& t) { t.calgos = 1; }};
  constexpr std::size_t kTemplate = sizeof(xfrm_userpolicy_info) + sizeof(nlattr);
  for (const PolicyKind kind : {PolicyKind::kIn, PolicyKind::kProtect}) {
    const Bytes ours = shown(policy_of(demo_group(), kind));
    const Bytes fixed(ours.begin(), ours.begin() + kTemplate);
    const Bytes rest(ours.begin() + kTemplate, ours.end());
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const auto read = read_policy(fixed + with<xfrm_user_tmpl>(rest, changes[i]));
      ASSERT_TRUE(read && *read) << i;
      EXPECT_FALSE((*read)->regular) << i;
    }
    const Bytes none(ours.begin(), ours.begin() + sizeof(xfrm_userpolicy_info));
    EXPECT_FALSE((*read_policy(none))->regular);
  }
  const Bytes guard = shown(policy_of(demo_group(), PolicyKind::kGuard));
  EXPECT_FALSE((*read_policy(guard + attribute(XFRMA_TMPL, Bytes(64))))->regular);
  const auto in = policy_of(demo_group(), PolicyKind::kIn);
  PolicyState narrowed = in;
  narrowed.reqid = 9;
  EXPECT_FALSE((*read_policy(shown(narrowed)))->regular);
}

TEST(DecodePolicy, EveryTruncationIsRefusedOrNotRegular) {
  const PolicyState protect = policy_of(demo_group(), PolicyKind::kProtect);
  const Bytes whole = shown(protect);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes torn(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const auto read = read_policy(torn);
    if (read) {
      ASSERT_TRUE(read->has_value()) << size;
      EXPECT_NE(**read, protect) << size;
    } else {
      EXPECT_EQ(read.error().kind, kBadMessage) << size;
    }
  }
  EXPECT_FALSE(decode_policy(message_of(XFRM_MSG_NEWSA, whole)));
  EXPECT_FALSE(decode_policy_index(message_of(XFRM_MSG_NEWPOLICY, Bytes(10))));
}

}  // namespace
}  // namespace gkmpd::xfrm
