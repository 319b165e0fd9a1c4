// The meddler by itself: what each action makes of which datagram, plans, records and frames.
#include "tests/support/meddler/meddler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <nlohmann/json.hpp>
#include <set>

#include "agent/wire/messages.h"
#include "tests/support/esp_open/packet.h"
#include "tests/support/meddler/frame.h"
#include "tests/support/meddler/plan.h"

namespace gkmpd::meddler {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;
using wire::MessageType;
using Nature = Delivery::Nature;

const GroupId kGroup{1};
const GroupId kOther{2};
const SocketAddress kController{*IpAddress::parse("10.9.0.1"), 8480};
const SocketAddress kMember{*IpAddress::parse("10.9.0.2"), 8480};

bool is_of_controller(MessageType type) {
  return static_cast<int>(type) % 2 == 1;  // the odd types of both figures
}

/// A datagram of `type` in the group's one exchange; `mark` makes it another.
Datagram datagram(MessageType type, const GroupId& group = kGroup, std::uint8_t mark = 0) {
  wire::Header header;
  header.type = type;
  header.role = is_of_controller(type) ? wire::SenderRole::kController : wire::SenderRole::kMember;
  header.group = group;
  header.exchange = {group[0], 9};
  header.message_number = 1;
  Bytes octets = to_bytes(wire::encode_header(header));
  if (type == MessageType::kCreateGrpKeys1) {
    wire::CreateGrpKeys1 create;
    create.gtek_creation = create.gkek_creation = wire::CreationField(wire::kShareOctets[0]);
    create.nonce.fill(mark);
    create.public_key.assign(91, 3);
    create.signature.assign(70, 4);
    append(octets, wire::encode_body(create));
  } else if (type == MessageType::kCreateSessionKek1) {
    wire::CreateSessionKek1 create;
    create.skek_creation = wire::CreationField(wire::kShareOctets[0]);
    create.nonce.fill(mark);
    create.public_key.assign(91, 3);
    create.signature.assign(70, 4);
    append(octets, wire::encode_body(create));
  } else {
    append(octets, Bytes(100, mark));
  }
  return is_of_controller(type) ? Datagram{kController, kMember, octets}
                                : Datagram{kMember, kController, octets};
}

Options first_bits() {
  return {.draw = [](std::size_t) { return std::size_t{0}; }};
}
Meddler meddler(Step step, Action action, unsigned first = 1, unsigned times = 1) {
  return {{{kGroup, step, action, first, times}}, first_bits()};
}

/// Passes a figure's first message, by which its exchange is known.
void open_figure(Meddler& meddler, MessageType first, const GroupId& group = kGroup) {
  ASSERT_EQ(meddler.pass(datagram(first, group)).size(), 1U);
}

unsigned bits_apart(ByteView a, ByteView b) {
  unsigned bits = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    bits += static_cast<unsigned>(std::popcount(static_cast<unsigned>(a[i] ^ b[i])));
  }
  return bits;
}

TEST(MeddlerStep, TextsAreReadAsTheyAreWritten) {
  for (const Step step : all_steps()) EXPECT_EQ(Step::parse(step.text()), step);
  EXPECT_EQ(Step::parse("2.M3"), (Step{2, 3}));
  for (const char* text : {"", "3.M1", "1.M7", "1.M0", "1.M11", "M1"}) {
    EXPECT_FALSE(Step::parse(text)) << text;
  }
  for (const Action action : kAllActions) EXPECT_EQ(parse_action(to_text(action)), action);
  EXPECT_FALSE(parse_action("forge"));
}

TEST(MeddlerAlter, EachTamperedCopyHasOneBitFlippedInARegionOfItsOwn) {
  for (const MessageType type : {MessageType::kCreateGrpKeys1, MessageType::kKeyDownloadAck}) {
    const Bytes octets = datagram(type).octets;
    std::set<std::string> names;
    for (const Altered& copy : tampered(octets, first_bits().draw)) {
      ASSERT_EQ(copy.octets.size(), octets.size());
      EXPECT_EQ(bits_apart(copy.octets, octets), 1U) << copy.how;
      names.insert(copy.how);
    }
    EXPECT_EQ(names.size(), 19U);
  }
}

TEST(MeddlerAlter, TheProofIsWhereItSays) {
  const auto differs_at = [](const Bytes& octets, const std::string& how) {
    for (const Altered& copy : tampered(octets, first_bits().draw)) {
      if (copy.how != how) continue;
      return static_cast<std::size_t>(std::ranges::mismatch(copy.octets, octets).in1 -
                                      copy.octets.begin());
    }
    return octets.size();
  };
  const Bytes sealed = datagram(MessageType::kKeyDownloadAck).octets;
  EXPECT_EQ(differs_at(sealed, "tag"), sealed.size() - 16);
  EXPECT_EQ(differs_at(sealed, "tag-end"), sealed.size() - 1);
  const Bytes clear = datagram(MessageType::kCreateGrpKeys1).octets;
  EXPECT_EQ(differs_at(clear, "signature"), clear.size() - 70);
  EXPECT_EQ(differs_at(clear, "group-id"), 16U);
}

TEST(MeddlerAlter, TruncatedCopiesAreBeginnings) {
  const Bytes octets = datagram(MessageType::kKeyDownloadAck).octets;
  std::set<std::size_t> sizes;
  for (const Altered& copy : truncated(octets)) {
    ASSERT_LT(copy.octets.size(), octets.size());
    EXPECT_TRUE(equal(copy.octets, ByteView(octets).first(copy.octets.size()))) << copy.how;
    sizes.insert(copy.octets.size());
  }
  for (const std::size_t size : {0U, 1U, 39U, 40U, 124U, 139U}) EXPECT_TRUE(sizes.contains(size));
}

TEST(MeddlerAlter, AGraftHasTheOthersPartAndOurs) {
  const Bytes ours = datagram(MessageType::kKeyDownloadAck, kGroup, 1).octets;
  const Bytes others = datagram(MessageType::kKeyDownloadAck, kOther, 2).octets;
  const auto copies = grafted(ours, others);
  ASSERT_EQ(copies.size(), 3U);
  EXPECT_EQ(bits_apart(copies[0].octets, ours), 2U);  // group ids 1 and 2
  EXPECT_TRUE(equal(ByteView(copies[1].octets).first(40), ByteView(others).first(40)));
  EXPECT_TRUE(equal(ByteView(copies[1].octets).subspan(40), ByteView(ours).subspan(40)));
  EXPECT_TRUE(equal(ByteView(copies[2].octets).first(40), ByteView(ours).first(40)));
  EXPECT_TRUE(equal(ByteView(copies[2].octets).subspan(40), ByteView(others).subspan(40)));
}

TEST(Meddler, WhatItHasNoOrderForPasses) {
  Meddler idle = meddler({1, 4}, Action::kDrop);
  open_figure(idle, MessageType::kCreateGrpKeys1);
  const auto of_other = idle.pass(datagram(MessageType::kNegotiateGrpKeys2, kOther));
  ASSERT_EQ(of_other.size(), 1U);
  EXPECT_EQ(of_other[0].nature, Nature::kAsSent);
  const Datagram garbage{kMember, kController, Bytes(50, 7)};
  ASSERT_EQ(idle.pass(garbage).size(), 1U);
  EXPECT_FALSE(idle.finished());
  EXPECT_EQ(idle.outcomes()[0].seen, 0U);
}

/// Both figures end in the same types: the exchange tells which is meant.
TEST(Meddler, KnowsTheFigureOfADownload) {
  Meddler second = meddler({2, 5}, Action::kDrop);
  open_figure(second, MessageType::kCreateGrpKeys1);
  EXPECT_EQ(second.pass(datagram(MessageType::kDownloadGrpKeys)).size(), 1U);
  Meddler other = meddler({2, 5}, Action::kDrop);
  open_figure(other, MessageType::kCreateSessionKek1);
  EXPECT_TRUE(other.pass(datagram(MessageType::kDownloadGrpKeys)).empty());
  EXPECT_TRUE(other.finished());
}

TEST(Meddler, BeginsAndStopsWhenTheOrderSays) {
  Meddler late = meddler({1, 4}, Action::kDrop, 2, 2);
  open_figure(late, MessageType::kCreateGrpKeys1);
  const Datagram message = datagram(MessageType::kNegotiateGrpKeys2);
  std::vector<std::size_t> arrived;
  for (int i = 0; i < 5; ++i) arrived.push_back(late.pass(message).size());
  EXPECT_EQ(arrived, (std::vector<std::size_t>{1, 0, 0, 1, 1}));
  EXPECT_EQ(late.outcomes()[0].seen, 5U);
  EXPECT_EQ(late.outcomes()[0].done, 2U);
  EXPECT_TRUE(late.finished());
}

TEST(Meddler, WhatIsAlteredComesInsteadOfTheMessage) {
  for (const Action action : {Action::kTamper, Action::kTruncate}) {
    Meddler one = meddler({1, 1}, action);
    const Datagram message = datagram(MessageType::kCreateGrpKeys1);
    for (const Delivery& delivery : one.pass(message)) {
      EXPECT_EQ(delivery.nature, Nature::kAltered);
      EXPECT_EQ(delivery.datagram.to, kMember);
      EXPECT_NE(delivery.datagram.octets, message.octets);
      EXPECT_EQ(one.outcomes()[0].deliveries.at(delivery.how), 1U);
    }
  }
}

TEST(Meddler, AReflectionGoesBackAsIfFromThePeer) {
  Meddler one = meddler({1, 1}, Action::kReflect);
  const auto out = one.pass(datagram(MessageType::kCreateGrpKeys1));
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].datagram.to, kController);
  EXPECT_EQ(out[0].datagram.from, kMember);
  EXPECT_EQ(out[0].nature, Nature::kAltered);
}

TEST(Meddler, AReplayComesAgainSoonWhenOverAndAtEachRelease) {
  Meddler one = meddler({1, 1}, Action::kReplay);
  const auto out = one.pass(datagram(MessageType::kCreateGrpKeys1));
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].nature, Nature::kAsSent);
  EXPECT_EQ(out[1].nature, Nature::kRepeated);
  EXPECT_GT(out[1].after, milliseconds(0));
  const auto over = one.pass(datagram(MessageType::kKeyDownloadAck));
  ASSERT_EQ(over.size(), 2U);
  EXPECT_EQ(over[1].how, "again-when-over");
  EXPECT_EQ(one.pass(datagram(MessageType::kKeyDownloadAck)).size(), 1U);
  EXPECT_EQ(one.release().size(), 1U);
  EXPECT_EQ(one.release().size(), 1U);
}

TEST(Meddler, ASwapWaitsForTheOtherGroupAndIsMadeOfBoth) {
  Meddler one = meddler({1, 1}, Action::kSwap);
  EXPECT_TRUE(one.pass(datagram(MessageType::kCreateGrpKeys1)).empty());
  EXPECT_FALSE(one.finished());
  const Datagram others = datagram(MessageType::kCreateGrpKeys1, kOther, 5);
  const auto out = one.pass(others);
  ASSERT_EQ(out.size(), 5U);  // itself, and what is made of it
  EXPECT_EQ(out[0].nature, Nature::kAsSent);
  EXPECT_EQ(out[4].nature, Nature::kMisplaced);
  EXPECT_EQ(out[4].datagram.octets, others.octets);
  EXPECT_TRUE(one.finished());

  Meddler again = meddler({1, 1}, Action::kSwap);
  open_figure(again, MessageType::kCreateGrpKeys1, kOther);
  EXPECT_EQ(again.pass(datagram(MessageType::kCreateGrpKeys1)).size(), 4U);
}

TEST(Meddler, WhatIsHeldBackComesBehindALaterOne) {
  Meddler one = meddler({1, 1}, Action::kHoldBack);
  EXPECT_TRUE(one.pass(datagram(MessageType::kCreateGrpKeys1, kGroup, 1)).empty());
  const auto out = one.pass(datagram(MessageType::kCreateGrpKeys1, kGroup, 2));
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[1].how, "held-back");
  EXPECT_EQ(out[1].datagram.octets, datagram(MessageType::kCreateGrpKeys1, kGroup, 1).octets);
}

TEST(Meddler, WhatIsDelayedComesWhenTheExchangeIsOver) {
  Meddler one = meddler({1, 6}, Action::kDelay);
  open_figure(one, MessageType::kCreateGrpKeys1);
  // The first acknowledgement does not end the exchange: it does not arrive.
  EXPECT_TRUE(one.pass(datagram(MessageType::kKeyDownloadAck)).empty());
  const auto out = one.pass(datagram(MessageType::kKeyDownloadAck));
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[1].how, "delayed");

  Meddler never = meddler({1, 1}, Action::kDelay);
  EXPECT_TRUE(never.pass(datagram(MessageType::kCreateGrpKeys1)).empty());
  ASSERT_EQ(never.release().size(), 1U);
  EXPECT_TRUE(never.release().empty());
}

// --- Plans and records ---------------------------------------------------------------------------

GroupId id_of(std::string_view name) { return GroupId{static_cast<std::uint8_t>(name.size())}; }

TEST(MeddlerPlan, IsReadLineByLine) {
  const auto plan =
      parse_plan("# what to do\n\ndemo 1.M3 tamper\ngroup-2 2.M6 hold-back 2 3\n", id_of);
  ASSERT_TRUE(plan) << plan.error();
  ASSERT_EQ(plan->size(), 2U);
  EXPECT_EQ((*plan)[0].group, "demo");
  EXPECT_EQ((*plan)[0].order.action, Action::kTamper);
  EXPECT_EQ((*plan)[0].order.times, 1U);
  EXPECT_EQ((*plan)[1].order.group, GroupId{7});
  EXPECT_EQ((*plan)[1].order.step, (Step{2, 6}));
  EXPECT_EQ((*plan)[1].order.first, 2U);
  EXPECT_EQ((*plan)[1].order.times, 3U);
}

TEST(MeddlerPlan, NamesTheLineThatIsWrong) {
  for (const char* line : {"demo", "demo 1.M3", "demo 1.M9 tamper", "demo 1.M3 forge",
                           "demo 1.M3 tamper 2", "demo 1.M3 tamper 0 1", "demo 1.M3 tamper 1 0",
                           "demo 1.M3 tamper 1 1 1", "demo 1.M3 tamper x 1"}) {
    const auto plan = parse_plan(std::string("demo 1.M1 drop\n") + line + "\n", id_of);
    ASSERT_FALSE(plan) << line;
    EXPECT_THAT(plan.error(), HasSubstr("line 2: "));
  }
}

TEST(MeddlerPlan, TheRecordSaysWhatWasDone) {
  const auto plan =
      parse_plan("g 1.M1 reflect 1 1\ng 1.M2 drop 1 1\n", [](std::string_view) { return kGroup; });
  Meddler one({(*plan)[0].order, (*plan)[1].order}, first_bits());
  (void)one.pass(datagram(MessageType::kCreateGrpKeys1));
  EXPECT_EQ(nlohmann::json::parse(record_json(*plan, one)), nlohmann::json::parse(R"({
    "finished": false,
    "orders": [
      {"group": "g", "step": "1.M1", "action": "reflect", "first": 1, "times": 1,
       "seen": 1, "done": 1, "deliveries": {"reflected": 1}},
      {"group": "g", "step": "1.M2", "action": "drop", "first": 1, "times": 1,
       "seen": 0, "done": 0, "deliveries": {}}]})"));
}

// --- Frames --------------------------------------------------------------------------------------

UdpFrame sample(const char* from, const char* to, std::size_t size) {
  return {{2, 0, 0, 0, 0, 1},
          {2, 0, 0, 0, 0, 2},
          {*IpAddress::parse(from), 8480},
          {*IpAddress::parse(to), 5000},
          Bytes(size, 0x5a)};
}

/// As the traffic tools' own reader of captures sees it, which shares no code with this one.
bool reads_elsewhere(const UdpFrame& frame, ByteView octets) {
  const auto packet =
      esp_open::find_ip(esp_open::LinkType::kEthernet, {.time_ns = 0, .octets = octets});
  if (!packet || packet->source != frame.from.ip.text()) return false;
  const auto udp = esp_open::read_udp(*packet, packet->payload, /*check=*/true);
  return udp && udp->destination_port == frame.to.port && equal(udp->payload, frame.payload);
}

TEST(MeddlerFrame, OfBothFamiliesIsWrittenAsOthersReadIt) {
  for (const std::size_t size : {0U, 1U, 2U, 1232U}) {
    for (const UdpFrame& frame :
         {sample("10.9.0.1", "10.9.0.2", size), sample("fd09::1", "fd09::2", size)}) {
      const Bytes octets = write_udp_frame(frame);
      EXPECT_TRUE(reads_elsewhere(frame, octets)) << frame.from.text() << " " << size;
      const auto read = read_udp_frame(octets);
      ASSERT_TRUE(read);
      EXPECT_EQ(read->source_mac, frame.source_mac);
      EXPECT_EQ(read->destination_mac, frame.destination_mac);
      EXPECT_EQ(read->from, frame.from);
      EXPECT_EQ(read->to, frame.to);
      EXPECT_EQ(read->payload, frame.payload);
    }
  }
}

TEST(MeddlerFrame, AChecksumIsMendedThoughEthernetPadsTheFrame) {
  const UdpFrame frame = sample("10.9.0.1", "10.9.0.2", 3);
  Bytes octets = write_udp_frame(frame);
  octets.resize(60);
  octets[14 + 20 + 6] ^= 0xff;
  EXPECT_FALSE(reads_elsewhere(frame, octets));
  mend_checksum(octets);
  EXPECT_TRUE(reads_elsewhere(frame, octets));
  EXPECT_EQ(read_udp_frame(octets)->payload.size(), 3U);
}

TEST(MeddlerFrame, OnlyWholeUdpDatagramsAreRead) {
  const Bytes good = write_udp_frame(sample("10.9.0.1", "10.9.0.2", 30));
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(read_udp_frame(ByteView(good).first(size))) << size;
  }
  const auto changed = [&](std::size_t at, std::uint8_t value) {
    Bytes octets = good;
    octets[at] = value;
    return read_udp_frame(octets).has_value();
  };
  EXPECT_FALSE(changed(13, 0x06));        // ARP
  EXPECT_FALSE(changed(14, 0x44));        // header too short
  EXPECT_FALSE(changed(14 + 6, 0x20));    // more fragments
  EXPECT_FALSE(changed(14 + 7, 1));       // a later fragment
  EXPECT_FALSE(changed(14 + 9, 2));       // IGMP
  EXPECT_FALSE(changed(14 + 20 + 5, 7));  // UDP length below its header
  EXPECT_FALSE(changed(14 + 20 + 4, 1));  // and beyond the packet
}

}  // namespace
}  // namespace gkmpd::meddler
