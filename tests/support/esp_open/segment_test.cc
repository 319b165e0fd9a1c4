// What a capture tells about a group, in both families.
#include <gtest/gtest.h>

#include "tests/support/esp_open/made.h"

namespace gkmpd::esp_open {
namespace {

constexpr Octets::value_type kIcmp = 1;

class SegmentOf : public ::testing::TestWithParam<int> {
 protected:
  const int version_ = GetParam();
  const Host a_{1, version_};
  const Host b_{2, version_};
  const Octets group_address_ = data_address(version_);
  const GroupView group_ = group_of(version_);
  const SaKey key_ = gcm128_key();

  [[nodiscard]] Octets sealed(std::uint32_t sequence, Octets plain, std::uint8_t next) const {
    return ip(a_, group_address_, kProtocolEsp, seal(key_, kSpi, sequence, std::move(plain), next));
  }
  [[nodiscard]] Octets to_group(Host from, std::uint16_t port, View payload) const {
    return udp(from, group_address_, port, payload);
  }
};

INSTANTIATE_TEST_SUITE_P(Families, SegmentOf, ::testing::Values(4, 6),
                         [](const auto& tested) { return "IPv" + std::to_string(tested.param); });

TEST_P(SegmentOf, CountsOpenedFramesBySpi) {
  File file;
  file.add_esp(a_, key_, 1).add_esp(a_, key_, 2).add_esp(b_, key_, 1, kSpi + 1);
  const Segment segment = look(file, group_, {sa(a_, key_), sa(b_, key_, kSpi + 1)});
  EXPECT_EQ(segment.frames, 3U);
  EXPECT_EQ(segment.esp_frames, 3U);
  EXPECT_EQ(segment.opened, 3U);
  EXPECT_EQ(segment.failed, 0U);
  ASSERT_EQ(segment.spis.size(), 2U);
  EXPECT_EQ(segment.spis.at(kSpi).frames, 2U);
  EXPECT_EQ(segment.spis.at(kSpi).opened, 2U);
  EXPECT_EQ(segment.spis.at(kSpi).first_sequence, 1U);
  EXPECT_EQ(segment.spis.at(kSpi).last_sequence, 2U);
  EXPECT_EQ(segment.spis.at(kSpi + 1).sources, std::set<std::string>{b_.text()});
}

TEST_P(SegmentOf, OpensEverySuite) {
  for (const SaKey& plain : keys_of_all_suites()) {
    for (const SaKey& key : {plain, with_esn(plain, 9)}) {
      File file;
      file.add_esp(a_, key, 1);
      EXPECT_EQ(look(file, group_, {sa(a_, key)}).opened, 1U) << key.algorithm << key.key.size();
    }
  }
}

TEST_P(SegmentOf, ASharedSaHasAnySource) {
  File file;
  file.add_esp(a_, cbc_key(), 1).add_esp(b_, cbc_key(), 1);
  SaKey shared = sa(a_, cbc_key());
  EXPECT_EQ(look(file, group_, {shared}).opened, 1U);
  shared.source = version_ == 4 ? "0.0.0.0" : "::";
  const Segment segment = look(file, group_, {shared});
  EXPECT_EQ(segment.opened, 2U);
  EXPECT_EQ(segment.spis.at(kSpi).sources, (std::set<std::string>{a_.text(), b_.text()}));
}

TEST_P(SegmentOf, OpensTunnels) {
  const std::uint8_t next = version_ == 4 ? kProtocolIpv4 : kProtocolIpv6;
  const auto inside = [&](Host from) {
    return ip(from, group_address_, kProtocolUdp, to_group(from, kDataPort, test_payload()));
  };
  File file;
  file.add(sealed(1, inside(a_), next));
  SaKey tunnel = sa(a_, key_);
  EXPECT_EQ(look(file, group_, {tunnel}).failures.at("not UDP inside"), 1U);
  tunnel.tunnel = true;
  EXPECT_EQ(look(file, group_, {tunnel}).opened, 1U);

  File bad;
  bad.add(sealed(1, inside(b_), next)).add_esp(a_, key_, 2).add(sealed(3, Octets(7), next));
  bad.add(sealed(4, ip(a_, group_address_, kIcmp, Octets(8)), next));
  const std::map<std::string, std::uint64_t> wanted{
      {"other addresses in the tunnel than around it", 1},
      {"no IP packet in the tunnel", 1},
      {"no whole packet in the tunnel", 1},
      {"not UDP inside", 1}};
  EXPECT_EQ(look(bad, group_, {tunnel}).failures, wanted);
}

// An SPI counts together with its destination.
TEST_P(SegmentOf, AnotherGroupsSaOpensNothing) {
  File file;
  file.add_esp(a_, key_, 1);
  SaKey other = sa(a_, key_);
  other.destination = version_ == 4 ? "239.1.1.2" : "ff15::1:2";
  const Segment segment = look(file, group_, {other});
  EXPECT_EQ(segment.opened, 0U);
  EXPECT_EQ(segment.failures.at("no key for the SPI"), 1U);
}

TEST_P(SegmentOf, WrongKeyFails) {
  File file;
  file.add_esp(a_, key_, 1);
  SaKey wrong = sa(a_, key_);
  wrong.key[0] ^= 1;
  const Segment segment = look(file, group_, {wrong});
  EXPECT_EQ(segment.esp_frames, 1U);
  EXPECT_EQ(segment.opened, 0U);
  EXPECT_EQ(segment.failed, 1U);
  EXPECT_EQ(segment.failures.at("tag or padding wrong"), 1U);
  // Beside a wrong one, the right one is found.
  EXPECT_EQ(look(file, group_, {wrong, sa(a_, key_)}).opened, 1U);
}

TEST_P(SegmentOf, EveryFailureHasItsReason) {
  File file;
  file.add_esp(a_, key_, 1, 0x77);                            // no such SA
  file.add_esp(b_, key_, 1);                                  // of another source
  file.add(ip(a_, group_address_, kProtocolEsp, Octets(7)));  // too short
  file.add(sealed(1, {}, 4));                                 // a tunnel's
  file.add(sealed(2, to_group(b_, 5000, test_payload()), kProtocolUdp));
  file.add(sealed(3, to_group(a_, 5001, test_payload()), kProtocolUdp));
  file.add(sealed(4, to_group(a_, 5000, Octets(40)), kProtocolUdp));
  const Segment segment = look(file, group_, {sa(a_, key_)});
  EXPECT_EQ(segment.opened, 0U);
  const std::map<std::string, std::uint64_t> wanted{{"no key for the SPI", 1},
                                                    {"source is not the SA's", 1},
                                                    {"too short", 1},
                                                    {"not UDP inside", 1},
                                                    {"another port", 1},
                                                    {"payload without magic", 1},
                                                    {"UDP length or checksum wrong", 1}};
  EXPECT_EQ(segment.failures, wanted);
  EXPECT_EQ(segment.failed, 7U);
}

// Only IPv4 knows datagrams without a checksum.
TEST_P(SegmentOf, AnAbsentChecksumIsForIpv4) {
  Octets datagram = to_group(a_, 5000, test_payload());
  datagram[6] = datagram[7] = 0;
  File file;
  file.add(sealed(1, datagram, kProtocolUdp));
  EXPECT_EQ(look(file, group_, {sa(a_, key_)}).opened, version_ == 4 ? 1U : 0U);
}

TEST_P(SegmentOf, CleartextIsCountedBySource) {
  File file;
  for (int i = 0; i < 3; ++i) {
    file.add(ip(b_, group_address_, kProtocolUdp, to_group(b_, 5000, test_payload())));
  }
  file.add(ip(a_, group_address_, kIcmp, Octets(8)));  // not only UDP
  const Octets elsewhere = other_address(version_);
  file.add(ip(a_, elsewhere, kProtocolUdp, udp(a_, elsewhere, 5000, Octets(8))));
  const Segment segment = look(file, group_, {});
  EXPECT_EQ(segment.esp_frames, 0U);
  EXPECT_EQ(segment.cleartext,
            (std::map<std::string, std::uint64_t>{{a_.text(), 1}, {b_.text(), 3}}));
}

TEST_P(SegmentOf, NamesMessagesInOrder) {
  File file;
  file.add_gkmp(a_, {1, 1}).add_gkmp(a_, {1, 1}).add_gkmp(b_, {2, 1});  // the second is a repeat
  file.add_gkmp(a_, {3, 1}).add_gkmp(a_, {3, 1, 1});  // two fragments, one message
  file.add_gkmp(a_, {15, 0}).add_gkmp(a_, {15, 9});   // heartbeats: the first only
  file.add_gkmp(a_, {9, 1, 0, 9999});                 // another port
  file.add_gkmp(a_, {5, 2}).add_gkmp(a_, {99, 2});
  const Segment segment = look(file, group_, {});
  EXPECT_EQ(segment.messages, (std::vector<std::string>{"Create_Grp_Keys_1", "Create_Grp_Keys_2",
                                                        "Negotiate_Grp_Keys_1", "Heartbeat",
                                                        "Create_Session_KEK_1", "Unknown_99"}));
  EXPECT_EQ(segment.message_repeats, 1U);
  EXPECT_EQ(segment.message_counts.at("Heartbeat"), 2U);
  EXPECT_EQ(segment.control_suites, std::set<unsigned>{1});
  EXPECT_FALSE(segment.control_after_esp);
  file.add_esp(a_, key_, 1).add_gkmp(a_, {15, 7});
  EXPECT_FALSE(look(file, group_, {}).control_after_esp);
  file.add_gkmp(a_, {10, 2});
  EXPECT_TRUE(look(file, group_, {}).control_after_esp);
}

TEST_P(SegmentOf, MessagesOfOtherGroupsDoNotCountIfTheIdIsGiven) {
  File file;
  file.add_gkmp(a_, {1, 1}).add_esp(a_, key_, 1);
  File::Gkmp other{5, 2};
  other.group = 0x61;
  other.suite = 3;
  file.add_gkmp(a_, other);
  EXPECT_EQ(look(file, group_, {}).messages.size(), 2U);
  GroupView named = group_;
  named.gkmp_id = Octets(kGkmpIdSize, 0x60);
  const Segment segment = look(file, named, {});
  EXPECT_EQ(segment.messages, std::vector<std::string>{"Create_Grp_Keys_1"});
  EXPECT_EQ(segment.control_suites, std::set<unsigned>{1});
  EXPECT_FALSE(segment.control_after_esp);
}

TEST(SegmentIpv4, SeesWhoReportedMembership) {
  const auto report = [](const Octets& group) {
    Octets out{0x22, 0, 0, 0, 0, 0, 0, 2, 4, 0, 0, 0, 239, 9, 9, 9, 4, 0, 0, 0};
    append(out, group);
    return out;
  };
  constexpr std::uint8_t kIgmp = 2;
  const Octets all_routers{224, 0, 0, 22};
  const Octets group = data_address(4);
  File file;
  file.add(ip({1}, all_routers, kIgmp, report({239, 1, 1, 2})));
  file.add(ip({2}, all_routers, kIgmp, report(group)));
  file.add(ip({3}, group, kIgmp, Octets{0x16, 0, 0, 0, 239, 1, 1, 1}));
  const Segment segment = look(file, group_of(4), {});
  EXPECT_EQ(segment.reporters, (std::set<std::string>{"10.9.0.2", "10.9.0.3"}));
  EXPECT_TRUE(segment.cleartext.empty());
}

TEST(SegmentIpv6, SeesWhoReportedMembership) {
  constexpr std::uint8_t kHopByHop = 0;
  // Router alert and filling, as RFC 3810 5 has them before every report.
  const auto mld = [](Octets message) {
    Octets out{kProtocolIcmpv6, 0, 5, 2, 0, 0, 1, 0};
    append(out, message);
    return out;
  };
  const auto report = [](const Octets& group) {
    Octets out{143, 0, 0, 0, 0, 0, 0, 2, 4, 0, 0, 1};
    append(out, Octets(16, 0xff));  // another group
    append(out, Octets(16, 0xfd));  // a source of it
    append(out, Octets{4, 0, 0, 0});
    append(out, group);
    return out;
  };
  Octets old_report{131, 0, 0, 0, 0, 0, 0, 0};
  const Octets group = data_address(6);
  append(old_report, group);
  Octets all_routers(16);
  all_routers[0] = 0xff;
  all_routers[1] = 2;
  all_routers[15] = 0x16;
  File file;
  file.add(ip({1, 6}, all_routers, kHopByHop, mld(report(Octets(16, 0xff)))));
  file.add(ip({2, 6}, all_routers, kHopByHop, mld(report(group))));
  file.add(ip({3, 6}, group, kHopByHop, mld(old_report)));
  const Segment segment = look(file, group_of(6), {});
  EXPECT_EQ(segment.reporters, (std::set<std::string>{"fd09::2", "fd09::3"}));
  EXPECT_TRUE(segment.cleartext.empty());
}

}  // namespace
}  // namespace gkmpd::esp_open
