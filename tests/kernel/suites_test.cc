// Every suite on the wire: sent by one kernel, received by another, opened by neither's code; and
// sequence numbers beyond 32 bits. The table of docs/SUITES.md is made of what `Suites` and
// `SharedCounterMode` record.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>

#include "agent/identity/token.h"
#include "tests/kernel/groups.h"
#include "tests/support/esp_open/esp_cipher.h"
#include "xfrm/errors.h"

namespace gkmpd::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint32_t kSpi = 0x0a000001;

struct Kind {
  EspSuite suite = EspSuite::kAesGcm128;
  Family family = kIpv4;
  bool esn = false;
  IpsecMode mode = IpsecMode::kTransport;
  bool shared = false;  // one SA of all senders
};

std::string text_of(const Kind& kind) {
  return name_of(kind.suite) + kind.family.name + (kind.shared ? "Shared" : "") +
         (kind.mode == IpsecMode::kTunnel ? "Tunnel" : "") + (kind.esn ? "Esn" : "");
}
void PrintTo(const Kind& kind, std::ostream* out) { *out << text_of(kind); }

/// All that a group may be.
std::vector<Kind> kinds() {
  std::vector<Kind> out;
  for (const EspSuite suite : xfrm::kEspSuites) {
    for (const Family& family : {kIpv4, kIpv6}) {
      for (const IpsecMode mode : {IpsecMode::kTransport, IpsecMode::kTunnel}) {
        for (const bool esn : {false, true}) out.push_back({suite, family, esn, mode});
      }
      if (!xfrm::is_counter_mode(suite))
        out.push_back({suite, family, false, IpsecMode::kTransport, true});
    }
  }
  return out;
}

/// What a group may not be, although the kernel would.
std::vector<Kind> unsafe_kinds() {
  std::vector<Kind> out;
  for (const EspSuite suite : xfrm::kEspSuites) {
    for (const Family& family : {kIpv4, kIpv6}) {
      if (xfrm::is_counter_mode(suite))
        out.push_back({suite, family, false, IpsecMode::kTransport, true});
    }
  }
  return out;
}

/// a sends, c listens, d sees the wire. The hosts are the same for all, since making them takes
/// longer than most tests.
class OnWire : public ::testing::Test {
 public:
  static void SetUpTestSuite() { hosts_.emplace(std::vector<std::string>{"a", "c", "d"}); }
  static void TearDownTestSuite() { hosts_.reset(); }

 protected:
  explicit OnWire(const Kind& kind) : kind_(kind) {}
  ~OnWire() override {
    for (Agent* agent : {&a_, &c_}) {
      const auto removed = agent->kernel().remove(agent->record());
      EXPECT_TRUE(removed && removed->complete());
    }
  }

  [[nodiscard]] xfrm::GroupSpec at_sender() const {
    if (kind_.shared) return shared_sending(a_address_, kSpi, kind_.suite);
    xfrm::GroupSpec spec = sending(a_address_, kSpi, kind_.suite);
    spec.mode = kind_.mode;
    spec.esn = kind_.esn;
    return spec;
  }
  /// With a window that starts behind `last_received`.
  [[nodiscard]] xfrm::GroupSpec at_listener(std::uint64_t last_received = 0) const {
    if (kind_.shared) return shared_listening(kind_.family, kSpi, kind_.suite);
    xfrm::GroupSpec spec = listening(a_address_, kSpi, kind_.suite);
    spec.mode = kind_.mode;
    spec.esn = kind_.esn;
    spec.senders[0].last_received = last_received;
    return spec;
  }

  /// Puts a sender's SA of ours in place by hand, whose next sequence number is one above `last`.
  void send_from(std::uint64_t last) {
    a_.apply(at_sender());
    ASSERT_EQ(kind_.suite, EspSuite::kAesGcm128);
    std::string key;
    for (const char* word : {"0a000001", "0a000002", "0a000003", "0a000004", "0a000005"})
      key += word;
    const std::string place =
        "src " + a_address_ + " dst " + group_ + " proto esp spi " + std::to_string(kSpi);
    segment_.ip("a", "xfrm state delete " + place);
    segment_.ip("a", "xfrm state add " + place + " reqid " + std::to_string(0x47007003) +
                         " mode transport replay-window 1024 " +
                         (kind_.esn ? "flag esn replay-oseq-hi " + std::to_string(last >> 32) + " "
                                    : std::string()) +
                         "replay-oseq " + std::to_string(last & 0xffffffff) +
                         " aead rfc4106(gcm(aes)) 0x" + key + " 128");
  }

  /// The listener hears just these next. One at a time: where there are several processors, one may
  /// overtake another.
  void expect_heard(int count, const std::string& name) {
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ(from_a_.send(group_, kPort, name + std::to_string(i)), 0);
      EXPECT_EQ(at_c_.next(), name + std::to_string(i));
    }
    sent_ += static_cast<std::size_t>(count);
  }
  /// The listener's kernel refuses just these, and counts so.
  void expect_refused(int count, const std::string& name, const std::string& counter) {
    const auto before = segment_.xfrm_counter("c", counter);
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ(from_a_.send(group_, kPort, name + std::to_string(i)), 0);
      const auto wanted = before + static_cast<unsigned long>(i) + 1;
      EXPECT_EQ(segment_.xfrm_counter_at("c", counter, wanted), wanted);
    }
    sent_ += static_cast<std::size_t>(count);
  }

  /// Sequence number and UDP payload of each ESP packet of the group on the wire, opened with the
  /// keys that c's kernel gives out; in order of sequence number.
  std::vector<std::pair<std::uint64_t, std::string>> opened() {
    std::vector<std::pair<std::uint64_t, std::string>> out;
    const auto keys = keys_of("c");
    (void)wire_.protocols(a_address_, group_, sent_);
    for (const std::string& octets : wire_.packets()) {
      const esp_open::Octets packet(octets.begin(), octets.end());
      const auto ip = esp_open::find_ip(esp_open::LinkType::kRawIp, {0, packet, false});
      if (!ip || ip->destination != group_) continue;
      const auto esp = esp_open::read_esp(ip->payload);
      if (ip->protocol != esp_open::kProtocolEsp || !esp || keys.size() != 1) {
        ADD_FAILURE() << "no ESP, or " << keys.size() << " keys";
        continue;
      }
      const auto content = esp_open::open_esp(*esp, keys[0]);
      if (!content) {
        ADD_FAILURE() << content.error();
        continue;
      }
      // In tunnel mode a packet with the same addresses is inside.
      const bool tunnel = kind_.mode == IpsecMode::kTunnel;
      const auto inner =
          esp_open::find_ip(esp_open::LinkType::kRawIp, {0, content->payload, false});
      if (tunnel != inner.has_value() || (inner && inner->destination != group_)) {
        ADD_FAILURE() << "another mode";
        continue;
      }
      const auto udp =
          esp_open::read_udp(inner ? *inner : *ip, inner ? inner->payload : content->payload, true);
      if (!udp) {
        ADD_FAILURE() << "no UDP inside";
        continue;
      }
      EXPECT_EQ(udp->destination_port, kPort);
      out.emplace_back(content->sequence, std::string(udp->payload.begin(), udp->payload.end()));
    }
    std::ranges::sort(out);
    return out;
  }
  /// How many octets of ESP are in each packet of the group on the wire: of one size, if one is
  /// right.
  std::set<std::size_t> esp_octets() {
    std::set<std::size_t> out;
    for (const std::string& octets : wire_.packets()) {
      const esp_open::Octets packet(octets.begin(), octets.end());
      const auto ip = esp_open::find_ip(esp_open::LinkType::kRawIp, {0, packet, false});
      if (ip && ip->destination == group_) out.insert(ip->payload.size());
    }
    return out;
  }
  [[nodiscard]] std::vector<esp_open::SaKey> keys_of(const std::string& host) const {
    const Inside inside(segment_.host(host));
    auto keys = esp_open::dump_kernel_keys();
    EXPECT_TRUE(keys) << keys.error();
    return keys.value_or(std::vector<esp_open::SaKey>{});
  }

  /// For the table: what this kernel made of this kind.
  void record(const std::string& seen) const {
    utsname kernel{};
    ASSERT_EQ(uname(&kernel), 0);
    RecordProperty("kernel", kernel.release);
    RecordProperty("suite", std::string(identity::to_text(kind_.suite)));
    RecordProperty("family", kind_.family.name);
    RecordProperty("mode", kind_.shared ? "Shared" : name_of(kind_.mode));
    RecordProperty("esn", kind_.esn ? "yes" : "no");
    RecordProperty("seen", seen);
  }

  inline static std::optional<Segment> hosts_;
  const Kind kind_;
  const std::string group_ = kind_.family.group;
  const std::string a_address_ = kind_.family.host(1);
  const Segment& segment_ = *hosts_;
  Agent a_{segment_, "a"};
  Agent c_{segment_, "c"};
  Sniffer wire_{segment_, "d"};
  Listener at_c_{segment_, "c", group_, kPort};
  Sender from_a_{segment_, "a", a_address_};
  std::size_t sent_ = 0;
};

class Suites : public OnWire, public ::testing::WithParamInterface<Kind> {
 protected:
  Suites() : OnWire(GetParam()) {}
};

// Of 64 octets each, for the table.
TEST_P(Suites, AreReceivedAndOpenedIndependently) {
  a_.apply(at_sender());
  c_.apply(at_listener());
  const std::string name = "datagram" + std::string(55, ' ');
  expect_heard(3, name);
  EXPECT_THAT(opened(), ElementsAre(std::pair(1U, name + "0"), std::pair(2U, name + "1"),
                                    std::pair(3U, name + "2")));
  ASSERT_EQ(keys_of("c").size(), 1U);
  EXPECT_EQ(keys_of("c")[0].esn, kind_.esn);
  const auto sizes = esp_octets();
  ASSERT_EQ(sizes.size(), 1U);
  record(std::to_string(*sizes.begin()));
}

INSTANTIATE_TEST_SUITE_P(All, Suites, ::testing::ValuesIn(kinds()),
                         [](const auto& kind) { return text_of(kind.param); });

class SharedCounterMode : public OnWire, public ::testing::WithParamInterface<Kind> {
 protected:
  SharedCounterMode() : OnWire(GetParam()) {}
};

// The kernel would take it (RFC 6054 says why nobody should).
TEST_P(SharedCounterMode, IsRefusedBeforeTheKernelIsAsked) {
  for (const auto& spec : {at_sender(), at_listener()}) {
    const auto applied = a_.try_apply(spec);
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().kind, xfrm::kBadSpec);
  }
  EXPECT_THAT(keys_of("a"), IsEmpty());
  record("refused");
}

INSTANTIATE_TEST_SUITE_P(All, SharedCounterMode, ::testing::ValuesIn(unsafe_kinds()),
                         [](const auto& kind) { return text_of(kind.param); });

class Esn : public OnWire, public ::testing::WithParamInterface<Family> {
 protected:
  Esn() : OnWire({EspSuite::kAesGcm128, GetParam(), true}) {}
};
INSTANTIATE_TEST_SUITE_P(Families, Esn, ::testing::Values(kIpv4, kIpv6),
                         [](const auto& family) { return std::string(family.param.name); });

// The upper half is not on the wire: who comes late must be told where the sender is.
TEST_P(Esn, ALateJoinerPast32BitsHearsOnlyIfSeeded) {
  send_from(0x100000100);
  c_.apply(at_listener());
  expect_refused(2, "unseeded ", "XfrmInStateProtoError");
  ASSERT_TRUE(c_.kernel().remove(c_.record()));
  c_.apply(at_listener(0x100000000));
  expect_heard(2, "seeded ");
  // What c has received goes before 0x100000103, the unseeded were 0x100000101 and 2.
  EXPECT_THAT(
      opened(),
      ElementsAre(std::pair(0x100000101U, "unseeded 0"), std::pair(0x100000102U, "unseeded 1"),
                  std::pair(0x100000103U, "seeded 0"), std::pair(0x100000104U, "seeded 1")));
}

// Seeded low, as a sample of some while ago is.
TEST_P(Esn, ASeedFromBeforeTheTurnServesAfterIt) {
  send_from(0x100000100);
  c_.apply(at_listener(0xfffffff0));
  expect_heard(2, "late ");
}

TEST_P(Esn, TheTurnOf32BitsLosesNothing) {
  send_from(0xfffffffc);
  c_.apply(at_listener(0xfffffff0));
  expect_heard(6, "n");
  EXPECT_THAT(opened(), ElementsAre(std::pair(0xfffffffdU, "n0"), std::pair(0xfffffffeU, "n1"),
                                    std::pair(0xffffffffU, "n2"), std::pair(0x100000000U, "n3"),
                                    std::pair(0x100000001U, "n4"), std::pair(0x100000002U, "n5")));
}

// ESN is the group's: the ICVs of the others are wrong.
TEST_P(Esn, AListenerWithoutItHearsNothing) {
  a_.apply(at_sender());
  xfrm::GroupSpec spec = at_listener();
  spec.esn = false;
  c_.apply(spec);
  expect_refused(3, "n", "XfrmInStateProtoError");
}

class Seeds : public OnWire, public ::testing::WithParamInterface<Family> {
 protected:
  Seeds() : OnWire({EspSuite::kAesGcm128, GetParam(), false}) {}
};
INSTANTIATE_TEST_SUITE_P(Families, Seeds, ::testing::Values(kIpv4, kIpv6),
                         [](const auto& family) { return std::string(family.param.name); });

// What was captured while it stood must not pass at its replacement (profile S16).
TEST_P(Seeds, AReplacedInboundSaRefusesWhatTheFormerReceived) {
  a_.apply(at_sender());
  c_.apply(at_listener());
  expect_heard(4, "first ");
  xfrm::GroupSpec wider = at_listener();
  wider.replay_window = xfrm::kMaxReplayWindow;
  c_.apply(wider);
  send_from(0);  // the same sequence numbers once more, as in a replay
  expect_refused(4, "again ", "XfrmInStateSeqError");
  expect_heard(2, "new ");
}

// The whole bitmap counts, whatever the window.
TEST_P(Seeds, ASeededWindowRefusesAllThatLiesBelow) {
  for (const std::uint32_t window : {xfrm::kMinReplayWindow, xfrm::kMaxReplayWindow}) {
    SCOPED_TRACE(window);
    xfrm::GroupSpec spec = at_listener(10);
    spec.replay_window = window;
    c_.apply(spec);
    send_from(0);
    expect_refused(10, "old ", "XfrmInStateSeqError");
    expect_heard(2, "new ");
    ASSERT_TRUE(c_.kernel().remove(c_.record()));
  }
}

}  // namespace
}  // namespace gkmpd::test
