#include "agent/daemon/sender_totals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gkmpd::daemon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const IpAddress kA = *IpAddress::parse("10.9.0.1");
const IpAddress kB = *IpAddress::parse("10.9.0.2");

/// The SA of that SPI in the epoch of that generation.
SaView sa(const IpAddress& source, std::uint32_t spi, std::uint64_t packets,
          xfrm::Generation generation = 1) {
  SaView view{.group = "demo", .sender = source == kA ? "a" : "b"};
  view.usage.id = {xfrm::ObjectKind::kSa, *IpAddress::parse("239.1.1.1"), spi,
                   xfrm::reqid(0, generation, xfrm::SaDirection::kIn)};
  view.usage.source = source;
  view.usage.added_at_s = 1000;
  view.usage.packets = packets;
  view.usage.octets = packets * 100;
  return view;
}

std::uint64_t packets_of(const SenderTotals& totals, const std::string& group = "demo") {
  std::uint64_t sum = 0;
  for (const SenderView& sender : totals.of(group)) sum += sender.packets;
  return sum;
}

TEST(SenderTotals, AddUpTheSasOfEachSender) {
  SenderTotals totals;
  SaView dropped = sa(kB, 0x103, 1);
  dropped.usage.replayed = 3;
  dropped.usage.behind_window = 4;
  dropped.usage.forged = 5;
  totals.look({sa(kA, 0x101, 7), sa(kA, 0x102, 2), dropped});
  EXPECT_THAT(totals.of("demo"), ElementsAre(SenderView{"a", kA, 9, 900, 0, 0, 0},
                                             SenderView{"b", kB, 1, 100, 3, 4, 5}));
  EXPECT_THAT(totals.of("other"), IsEmpty());
}

TEST(SenderTotals, CountNothingTwice) {
  SenderTotals totals;
  totals.look({sa(kA, 0x101, 7)});
  totals.look({sa(kA, 0x101, 7)});
  EXPECT_EQ(packets_of(totals), 7U);
  totals.look({sa(kA, 0x101, 12)});
  EXPECT_EQ(packets_of(totals), 12U);
}

TEST(SenderTotals, KeepWhatAnSaCountedThatIsGone) {
  SenderTotals totals;
  totals.look({sa(kA, 0x101, 7)});
  totals.look({sa(kA, 0x101, 8), sa(kA, 0x201, 1, 2)});
  totals.look({sa(kA, 0x201, 5, 2)});
  EXPECT_EQ(packets_of(totals), 13U);
  totals.look({});
  EXPECT_EQ(packets_of(totals), 13U);
}

// One that was put back starts from nothing, in the place of the one before.
TEST(SenderTotals, TellAnSaFromAnotherInItsPlace) {
  SenderTotals totals;
  totals.look({sa(kA, 0x101, 7)});
  SaView put_back = sa(kA, 0x101, 9);
  put_back.usage.added_at_s = 1001;
  totals.look({put_back});
  EXPECT_EQ(packets_of(totals), 16U);
  // Within the same second: fewer packets than before tell it too.
  put_back.usage.packets = 4;
  put_back.usage.octets = 400;
  totals.look({put_back});
  EXPECT_EQ(packets_of(totals), 20U);
}

TEST(SenderTotals, CountDropsOverTheEndOfTheKernelsNumbers) {
  SenderTotals totals;
  SaView view = sa(kA, 0x101, 1);
  view.usage.forged = 0xfffffffeU;
  totals.look({view});
  view.usage.forged = 3;
  totals.look({view});
  EXPECT_EQ(totals.of("demo").front().forged, 0x100000003U);
}

// Of an adopted group names are not known; one that was known stays.
// Both in one second, and neither has carried anything.
TEST(SenderTotals, AnSaWithFewerDropsIsAnother) {
  SenderTotals totals;
  SaView first = sa(kA, 0x101, 0);
  first.usage.replayed = 100;
  SaView second = sa(kA, 0x101, 0);
  second.usage.replayed = 3;
  totals.look({first});
  totals.look({second});
  EXPECT_EQ(totals.of("demo").at(0).replayed, 103U);
}

TEST(SenderTotals, KnowASenderByItsAddress) {
  SenderTotals totals;
  SaView nameless = sa(kA, 0x101, 1);
  nameless.sender.clear();
  totals.look({nameless});
  EXPECT_EQ(totals.of("demo").front().name, "");
  totals.look({nameless, sa(kA, 0x201, 1, 2)});
  EXPECT_THAT(totals.of("demo"), ElementsAre(SenderView{"a", kA, 2, 200, 0, 0, 0}));
  totals.look({nameless});
  EXPECT_EQ(totals.of("demo").front().name, "a");
}

TEST(SenderTotals, ForgetGroupsThatAreGone) {
  SenderTotals totals;
  SaView other = sa(kA, 0x301, 3);
  other.group = "other";
  totals.look({sa(kA, 0x101, 7), other});
  totals.keep_only({"other"});
  EXPECT_EQ(packets_of(totals), 0U);
  EXPECT_EQ(packets_of(totals, "other"), 3U);
}

}  // namespace
}  // namespace gkmpd::daemon
