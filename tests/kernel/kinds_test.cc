// Every suite and sender mode in both families, as an independent reader and our own see it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <optional>

#include "tests/kernel/groups.h"
#include "tests/kernel/independent_reader.h"
#include "xfrm/plan.h"

namespace gkmpd::test {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr std::uint32_t kOwnSpi = 0x0a000001;
constexpr std::uint32_t kOtherSpi = 0x0a000002;
constexpr std::uint32_t kSharedSpi = 0x0a000003;

struct Kind {
  Family family;
  EspSuite suite;
  bool shared;
  IpsecMode mode = IpsecMode::kTransport;
  bool esn = false;
};

std::string text_of(const Kind& kind) {
  return kind.family.name + name_of(kind.suite) + (kind.shared ? "Shared" : "") +
         (kind.mode == IpsecMode::kTunnel ? "Tunnel" : "") + (kind.esn ? "Esn" : "");
}

void PrintTo(const Kind& kind, std::ostream* out) { *out << text_of(kind); }

/// `count` words from `first` on, as hexadecimal digits: what the keys of these tests are.
std::string words(std::uint32_t first, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    char word[16];
    (void)std::snprintf(word, sizeof word, "%08x", first + static_cast<unsigned>(i));
    text += word;
  }
  return text;
}

std::string algorithms(EspSuite suite, std::uint32_t spi) {
  const auto aead = [&](const std::string& name, int key_words) {
    return "aead " + name + " " + words(spi, key_words + 1) + " icv 128";
  };
  const auto pair = [&](const std::string& cipher, int key_words, const std::string& hash,
                        int mac_words) {
    return "crypt " + cipher + " " + words(spi, key_words) + " auth hmac(" + hash + ") " +
           words(spi + static_cast<unsigned>(key_words), mac_words) + " trunc " +
           std::to_string(mac_words * 16);
  };
  switch (suite) {
    case EspSuite::kAesGcm128:
      return aead("rfc4106(gcm(aes))", 4);
    case EspSuite::kAesGcm192:
      return aead("rfc4106(gcm(aes))", 6);
    case EspSuite::kAesGcm256:
      return aead("rfc4106(gcm(aes))", 8);
    case EspSuite::kChaCha20Poly1305:
      return aead("rfc7539esp(chacha20,poly1305)", 8);
    case EspSuite::kAesGmac128:
      return aead("rfc4543(gcm(aes))", 4);
    case EspSuite::kAesGmac256:
      return aead("rfc4543(gcm(aes))", 8);
    case EspSuite::kAesCbc128HmacSha256:
      return pair("cbc(aes)", 4, "sha256", 8);
    case EspSuite::kAesCbc256HmacSha384:
      return pair("cbc(aes)", 8, "sha384", 12);
    case EspSuite::kAesCbc256HmacSha512:
      return pair("cbc(aes)", 8, "sha512", 16);
    case EspSuite::kNullHmacSha256:
      return pair("ecb(cipher_null)", 0, "sha256", 8);
    case EspSuite::kNullHmacSha384:
      return pair("ecb(cipher_null)", 0, "sha384", 12);
    case EspSuite::kNullHmacSha512:
      return pair("ecb(cipher_null)", 0, "sha512", 16);
  }
  return {};
}

/// The host is the same for all, since making one takes longer than most tests.
class Kinds : public ::testing::TestWithParam<Kind> {
 protected:
  static void SetUpTestSuite() { host_.emplace(std::vector<std::string>{"a"}); }
  static void TearDownTestSuite() { host_.reset(); }
  ~Kinds() override {
    const auto removed = agent_.kernel().remove(agent_.record());
    EXPECT_TRUE(removed && removed->complete());
  }

  /// This host sends and hears another.
  [[nodiscard]] static xfrm::GroupSpec both_ways() {
    const Family& family = GetParam().family;
    if (GetParam().shared) return shared_sending(family.host(1), kSharedSpi, GetParam().suite);
    xfrm::GroupSpec spec = sending(family.host(1), kOwnSpi, GetParam().suite);
    spec.mode = GetParam().mode;
    spec.senders.push_back(sender_sa(family.host(2), kOtherSpi, 1, false, GetParam().suite));
    spec.esn = GetParam().esn;
    return spec;
  }

  /// By the kernel's numbers.
  [[nodiscard]] static std::string mode() {
    return GetParam().mode == IpsecMode::kTunnel ? " mode 1" : " mode 0";
  }
  /// `source` and `prefix` as an SA's selector has them.
  [[nodiscard]] static std::string sa(const std::string& source, const std::string& prefix,
                                      const std::string& spi, const std::string& reqid) {
    const std::string group = GetParam().family.group;
    const auto number = static_cast<std::uint32_t>(std::stoul(spi, nullptr, 16));
    return "esp " + source + " > " + group + " spi " + spi + " reqid " + reqid + mode() +
           " flags " + (GetParam().esn ? "128" : "0") + " sel " + source + "/" + prefix + " > " +
           group + "/" + GetParam().family.prefix + " proto 17 port 5000 " +
           algorithms(GetParam().suite, number) + " window " +
           (GetParam().shared ? "none, old form 0" : "1024") + " hard 3600";
  }

  [[nodiscard]] static std::string policy(const std::string& direction, const std::string& from,
                                          const std::string& flow, const std::string& rest) {
    return direction + " " + from + " > " + GetParam().family.group + "/" +
           GetParam().family.prefix + " " + flow + " " + rest;
  }
  [[nodiscard]] static std::string tmpl(const std::string& source, const std::string& reqid) {
    return " tmpl " + source + " > " + GetParam().family.group + " proto 50 spi 0x00000000 reqid " +
           reqid + mode() + " optional 0 algos 0xffffffff0xffffffff0xffffffff";
  }

  inline static std::optional<Segment> host_;
  const Segment& segment_ = *host_;
  Agent agent_{segment_, "a"};
};

TEST_P(Kinds, IndependentReaderSeesWhatTheSpecMeans) {
  const Family& family = GetParam().family;
  const std::string any = family.any;
  const std::string own = family.host(1);
  const std::string whole = family.prefix;
  // Of MLD, which is ICMPv6, only reports go out.
  const bool ipv4 = ip_of(any).family == IpFamily::kV4;
  const std::string queries = ipv4 ? "proto 2" : "proto 58";
  const std::string reports = ipv4 ? "proto 2" : "proto 58 from 131 mask ffff";
  agent_.apply(both_ways());
  if (GetParam().shared)
    EXPECT_THAT(read_sas(segment_, "a"),
                UnorderedElementsAre(sa(any, "0", "0x0a000003", "0x47007003")));
  else
    EXPECT_THAT(read_sas(segment_, "a"),
                UnorderedElementsAre(sa(own, whole, "0x0a000001", "0x47007003"),
                                     sa(family.host(2), whole, "0x0a000002", "0x47007002")));
  EXPECT_THAT(read_policies(segment_, "a"),
              UnorderedElementsAre(
                  policy("out", any + "/0", "proto 0", "block priority 2000 index 0x47000709"),
                  policy("in", any + "/0", "proto 0", "block priority 2000 index 0x47000710"),
                  policy("out", any + "/0", reports, "allow priority 500 index 0x47000729"),
                  policy("in", any + "/0", queries, "allow priority 500 index 0x47000730"),
                  policy("in", any + "/0", "proto 17 port 5000",
                         "allow priority 1000 index 0x47000720" + tmpl(any, "0x00000000")),
                  policy("out", own + "/" + whole, "proto 17 port 5000",
                         "allow priority 1000 index 0x47000719" + tmpl(own, "0x47007003"))));
}

TEST_P(Kinds, OurOwnReaderSeesTheSame) {
  agent_.apply(both_ways());
  const auto state = agent_.kernel().read(agent_.record());
  ASSERT_TRUE(state) << state.error().text();
  for (const xfrm::SaState& sa : state->sas) EXPECT_TRUE(sa.regular) << sa.id().text();
  EXPECT_THAT(xfrm::plan(*state, xfrm::wanted_state(both_ways())), IsEmpty());
}

TEST_P(Kinds, WhatWasInstalledGoesAgain) {
  agent_.apply(both_ways());
  const auto removed = agent_.kernel().remove(agent_.record());
  ASSERT_TRUE(removed) << removed.error().text();
  EXPECT_TRUE(removed->complete());
  EXPECT_THAT(read_sas(segment_, "a"), IsEmpty());
  EXPECT_THAT(read_policies(segment_, "a"), IsEmpty());
}

// `ip` can say what we would take for ours by identity: only what is just as ours may stay.
TEST_P(Kinds, AnSaOfOursWithAnotherKeyIsReplaced) {
  xfrm::GroupSpec spec = both_ways();
  for (xfrm::SenderSa& sender : spec.senders)
    sender.key = Secret::take(Bytes(xfrm::key_material_size(spec.suite), 0x5a));
  agent_.apply(spec);
  const auto before = read_sas(segment_, "a");
  agent_.apply(both_ways());
  const auto after = read_sas(segment_, "a");
  EXPECT_EQ(after.size(), before.size());
  for (const std::string& line : before) EXPECT_FALSE(after.contains(line)) << line;
  const auto state = agent_.kernel().read(agent_.record());
  ASSERT_TRUE(state) << state.error().text();
  EXPECT_THAT(xfrm::plan(*state, xfrm::wanted_state(both_ways())), IsEmpty());
}

std::vector<Kind> all_kinds() {
  std::vector<Kind> kinds;
  for (const Family& family : {kIpv4, kIpv6}) {
    bool esn_in_tunnel = family.group == kIpv4.group;
    for (const EspSuite suite : xfrm::kEspSuites) {
      for (const bool esn : {false, true})
        kinds.push_back({family, suite, false, IpsecMode::kTransport, esn});
      kinds.push_back({family, suite, false, IpsecMode::kTunnel, esn_in_tunnel});
      esn_in_tunnel = !esn_in_tunnel;
      if (!xfrm::is_counter_mode(suite)) kinds.push_back({family, suite, true});
    }
  }
  return kinds;
}

INSTANTIATE_TEST_SUITE_P(All, Kinds, ::testing::ValuesIn(all_kinds()),
                         [](const auto& kind) { return text_of(kind.param); });

// An administrator's MAC of 96 bits at our place: the truncation is compared too.
TEST(KindsFromOutside, AMacOfAnotherLengthIsReplaced) {
  const Segment segment({"a"});
  Agent agent(segment, "a");
  const xfrm::GroupSpec spec = shared_listening(kIpv4, kSharedSpi);
  const std::string common =
      "xfrm state add src 0.0.0.0 dst 239.1.1.1 proto esp spi 0x0a000003 reqid 1191211010 mode "
      "transport enc cbc(aes) 0x" +
      words(kSharedSpi, 4) + " auth-trunc hmac(sha256) 0x" + words(kSharedSpi + 4, 8);
  for (const std::string length : {"96", "256"}) {
    segment.ip("a", common + " " + length);
    agent.apply(spec);
    const auto sas = read_sas(segment, "a");
    ASSERT_EQ(sas.size(), 1U);
    EXPECT_NE(sas.begin()->find(" trunc 128 "), std::string::npos) << *sas.begin();
    segment.ip("a", "xfrm state flush");
  }
  // The same in every field, but a selector that binds nothing is what a shared SA has.
  segment.ip("a", common +
                      " 128 limit time-hard 3600 sel src 0.0.0.0/0 dst 239.1.1.1/32 "
                      "proto 17 dport 5000");
  const auto objects = xfrm::objects_of(spec);
  const auto state = agent.kernel().read(objects);
  ASSERT_TRUE(state) << state.error().text();
  ASSERT_EQ(state->sas.size(), 1U);
  EXPECT_TRUE(state->sas[0].same_as(xfrm::wanted_state(spec).sas[0]));
}

}  // namespace
}  // namespace gkmpd::test
