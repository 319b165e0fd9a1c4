// What a kernel lacks, from its answers: which pieces are named, and what is sent and taken back.
#include "xfrm/offer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <set>

#include "tests/unit/xfrm/kernel_messages.h"

namespace gkmpd::xfrm {
namespace {

using gkmpd::test::answer;
using gkmpd::test::queue;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::uint32_t kProbes = 12 * 2 * 2;

/// Octets that count up.
class Counting final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& octet : out) octet = next_++;
  }

 private:
  std::uint8_t next_ = 1;
};

struct Refused {
  std::uint32_t probe;
  int error;
  std::string words = {};
};

class Offer : public ::testing::Test {
 protected:
  Offer() { mnl_doubles_reset(); }
  ~Offer() override {
    EXPECT_EQ(mnl_doubles_queued(), 0U) << "scripted answers that nobody asked for";
    mnl_doubles_reset();
  }

  /// Scripts the refusals, and that those which went in go again.
  void script(const std::vector<Refused>& refusals, std::uint32_t went_in) {
    Bytes all;
    bool last_answered = false;
    for (const Refused& refused : refusals) {
      append(all, answer(refused.probe + 1, refused.error, refused.words));
      last_answered = refused.probe + 1 == kProbes;
    }
    if (!last_answered) append(all, answer(kProbes, 0));
    queue(all);
    if (went_in > 0) queue(answer(kProbes + went_in, 0));
  }
  /// Each probe refused alike.
  void script_all(int error, const std::string& words = {}) {
    std::vector<Refused> refusals;
    for (std::uint32_t i = 0; i < kProbes; ++i) refusals.push_back({i, error, words});
    script(refusals, 0);
  }

  /// The messages of the i-th send.
  template <typename T>
  static std::vector<T> sent(std::size_t i, int type) {
    std::size_t size = 0;
    const std::uint8_t* octets = mnl_doubles_sent(i, &size);
    std::vector<T> out;
    EXPECT_TRUE(netlink::for_each_message(
        {octets, size}, [&](const netlink::Message& request) -> Result<void> {
          EXPECT_EQ(request.type, type);
          out.push_back(netlink::read_object<T>(request.payload).value());
          return {};
        }));
    return out;
  }

  Counting random_;
};

/// Place of a probe in the batch.
std::uint32_t at(EspSuite suite, IpFamily family, bool esn) {
  return (static_cast<std::uint32_t>(suite) - 1) * 4 + (family == IpFamily::kV6 ? 2U : 0U) +
         (esn ? 1U : 0U);
}

TEST_F(Offer, AKernelThatHasAllLacksNothing) {
  script({}, kProbes);
  const auto lacks = find_lacks(random_);
  ASSERT_TRUE(lacks) << lacks.error().text();
  EXPECT_THAT(*lacks, IsEmpty());
}

TEST_F(Offer, ProbesAreShortLivedAndWhereNobodyIs) {
  script({}, kProbes);
  ASSERT_TRUE(find_lacks(random_));
  ASSERT_EQ(mnl_doubles_sent_count(), 2U);
  const auto added = sent<xfrm_usersa_info>(0, XFRM_MSG_NEWSA);
  const auto removed = sent<xfrm_usersa_id>(1, XFRM_MSG_DELSA);
  ASSERT_THAT(added, SizeIs(kProbes));
  ASSERT_THAT(removed, SizeIs(kProbes));
  int with_esn = 0;
  std::set<std::uint32_t> spis;
  for (std::size_t i = 0; i < added.size(); ++i) {
    const auto& sa = added[i];
    EXPECT_EQ(sa.reqid, 0x47fffffeU);
    EXPECT_EQ(sa.lft.hard_add_expires_seconds, 2U);
    const auto octets = netlink::object_bytes(sa.id.daddr);
    EXPECT_EQ(to_hex(octets), sa.family == AF_INET ? "e9fc0001000000000000000000000000"
                                                   : "ff0e00000000000000000db800000001");
    with_esn += sa.flags == XFRM_STATE_ESN;
    EXPECT_EQ(removed[i].spi, sa.id.spi);
    spis.insert(sa.id.spi);
  }
  EXPECT_EQ(with_esn, static_cast<int>(kProbes / 2));
  EXPECT_THAT(spis, SizeIs(kProbes));
}

TEST_F(Offer, WhatIsRefusedIsALackOnceWithTheReasonOfThePlainProbe) {
  const auto suite = EspSuite::kChaCha20Poly1305;
  const std::string words = "Requested AEAD algorithm not found";
  script({{at(suite, IpFamily::kV4, false), ENOSYS, words},
          {at(suite, IpFamily::kV4, true), ENOSYS, words},
          {at(suite, IpFamily::kV6, true), ENOENT, {}}},
         kProbes - 3);
  const auto lacks = find_lacks(random_);
  ASSERT_TRUE(lacks) << lacks.error().text();
  ASSERT_THAT(*lacks, SizeIs(2));
  EXPECT_EQ((*lacks)[0],
            (KernelLack{suite, IpFamily::kV4, false,
                        "the kernel says ENOSYS (Function not implemented): Requested AEAD "
                        "algorithm not found: modprobe -a chacha20poly1305 "
                        "(CONFIG_CRYPTO_CHACHA20POLY1305)"}));
  EXPECT_EQ((*lacks)[1].family, IpFamily::kV6);
  EXPECT_TRUE((*lacks)[1].only_esn);
  EXPECT_THAT(sent<xfrm_usersa_id>(1, XFRM_MSG_DELSA), SizeIs(kProbes - 3));
}

// It was made before the place was looked at, so the kernel has the suite; and it is not ours.
TEST_F(Offer, APlaceThatIsTakenIsNoLackAndIsLeftAlone) {
  script({{0, EEXIST}}, kProbes - 1);
  const auto lacks = find_lacks(random_);
  ASSERT_TRUE(lacks) << lacks.error().text();
  EXPECT_THAT(*lacks, IsEmpty());
  EXPECT_THAT(sent<xfrm_usersa_id>(1, XFRM_MSG_DELSA), SizeIs(kProbes - 1));
}

TEST_F(Offer, AKernelWithoutEspLacksAllAndNothingIsTakenOut) {
  script_all(EPROTONOSUPPORT, "Requested type not found");
  const auto lacks = find_lacks(random_);
  ASSERT_TRUE(lacks) << lacks.error().text();
  EXPECT_THAT(*lacks, SizeIs(24));
  EXPECT_THAT((*lacks)[0].remedy, HasSubstr("modprobe -a esp4 (CONFIG_INET_ESP)"));
  EXPECT_THAT((*lacks)[1].remedy, HasSubstr("modprobe -a esp6 (CONFIG_INET6_ESP)"));
  EXPECT_EQ(mnl_doubles_sent_count(), 1U);
}

TEST_F(Offer, WhoMayNotAskLearnsThat) {
  script_all(EPERM);
  const auto lacks = find_lacks(random_);
  ASSERT_FALSE(lacks);
  EXPECT_EQ(lacks.error().kind, kRefused);
  EXPECT_THAT(lacks.error().detail, HasSubstr("EPERM"));
}

// A suite that was taken for missing would be refused until the next start.
TEST_F(Offer, AKernelWithoutMemoryLacksNoSuite) {
  script_all(ENOMEM);
  const auto lacks = find_lacks(random_);
  ASSERT_FALSE(lacks);
  EXPECT_THAT(lacks.error().detail, HasSubstr("ENOMEM"));
}

TEST(Remedy, NamesThePieceThatTheKernelMisses) {
  struct Case {
    Probe probe;
    int error;
    const char* words;
    const char* pieces;
  };
  const Probe cbc{EspSuite::kAesCbc256HmacSha384, IpFamily::kV4, false};
  const Probe cbc_esn{EspSuite::kAesCbc256HmacSha384, IpFamily::kV4, true};
  const Probe null{EspSuite::kNullHmacSha256, IpFamily::kV6, false};
  const Probe gmac{EspSuite::kAesGmac128, IpFamily::kV6, false};
  for (const Case& tried : std::initializer_list<Case>{
           {cbc, ENOSYS, "Requested CRYPT algorithm not found",
            ": modprobe -a cbc (CONFIG_CRYPTO_CBC)"},
           {cbc, ENOSYS, "Requested AUTH_TRUNC algorithm not found",
            ": modprobe -a hmac sha512 (CONFIG_CRYPTO_HMAC CONFIG_CRYPTO_SHA512)"},
           {null, ENOSYS, "Requested CRYPT algorithm not found",
            ": modprobe -a crypto_null (CONFIG_CRYPTO_NULL)"},
           {null, ENOENT, "Kernel was unable to initialize cryptographic operations",
            ": modprobe -a crypto_null hmac sha256 authenc (CONFIG_CRYPTO_NULL CONFIG_CRYPTO_HMAC "
            "CONFIG_CRYPTO_SHA256 CONFIG_CRYPTO_AUTHENC)"},
           {cbc_esn, ENOENT, "",
            ": modprobe -a cbc hmac sha512 authencesn echainiv drbg (CONFIG_CRYPTO_CBC "
            "CONFIG_CRYPTO_HMAC "
            "CONFIG_CRYPTO_SHA512 CONFIG_CRYPTO_AUTHENC CONFIG_CRYPTO_ECHAINIV "
            "CONFIG_CRYPTO_DRBG_MENU)"},
           {gmac, ENOSYS, "",
            ": modprobe -a gcm seqiv drbg (CONFIG_CRYPTO_GCM CONFIG_CRYPTO_SEQIV "
            "CONFIG_CRYPTO_DRBG_MENU)"},
           {gmac, EPROTONOSUPPORT, "", ": modprobe -a esp6 (CONFIG_INET6_ESP)"},
           {gmac, EAFNOSUPPORT, "IPv6 support disabled", "the kernel has no IPv6 (CONFIG_IPV6)"}})
    EXPECT_THAT(remedy_of(tried.probe, tried.error, tried.words),
                ::testing::EndsWith(tried.pieces));
}

}  // namespace
}  // namespace gkmpd::xfrm
