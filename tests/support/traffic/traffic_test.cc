#include <gtest/gtest.h>
#include <poll.h>

#include <array>

#include "tests/support/traffic/group_socket.h"
#include "tests/support/traffic/payload.h"
#include "tests/support/traffic/schedule.h"
#include "tests/support/traffic/sequence_tracker.h"

namespace gkmpd::traffic {
namespace {

TEST(Payload, ReadsWhatItWrote) {
  for (const std::size_t size : {kPayloadHeaderSize, std::size_t{21}, std::size_t{1400}}) {
    std::vector<std::uint8_t> octets(size);
    const Payload payload{0xfedcba98, 0x0123456789abcdef};
    write_payload(payload, octets);
    EXPECT_EQ(read_payload(octets), payload) << size;
  }
}

TEST(Payload, EveryOctetCounts) {
  std::vector<std::uint8_t> octets(64);
  const Payload payload{1, 7};
  write_payload(payload, octets);
  for (std::size_t i = 0; i < octets.size(); ++i) {
    auto changed = octets;
    changed[i] ^= 1;
    EXPECT_NE(read_payload(changed), payload) << i;
  }
}

TEST(Payload, ShorterThanItsHeaderIsNone) {
  std::vector<std::uint8_t> octets(kPayloadHeaderSize);
  write_payload({1, 7}, octets);
  for (std::size_t size = 0; size < octets.size(); ++size) {
    EXPECT_EQ(read_payload(std::span(octets).first(size)), std::nullopt) << size;
  }
}

TEST(SequenceTracker, TellsLossDuplicatesAndOrderApart) {
  SequenceTracker tracker;
  for (const std::uint64_t number : {1U, 2U, 2U, 5U, 4U, 9U, 2U}) EXPECT_TRUE(tracker.add(number));
  EXPECT_EQ(tracker.received(), 7U);
  EXPECT_EQ(tracker.duplicates(), 2U);
  EXPECT_EQ(tracker.reordered(), 1U);  // 4 after 5
  EXPECT_EQ(tracker.lost(), 5U);       // 0, 3, 6, 7, 8
  EXPECT_EQ(tracker.end(), 10U);
}

TEST(SequenceTracker, RefusesNumbersBeyondItsRoom) {
  SequenceTracker tracker;
  EXPECT_FALSE(tracker.add(SequenceTracker::kMaxSequence));
  EXPECT_EQ(tracker.end(), 0U);
  EXPECT_EQ(tracker.received(), 0U);
}

TEST(Schedule, KeepsItsRateAndItsCount) {
  using std::chrono::milliseconds;
  const Schedule::Clock::time_point start{std::chrono::hours(1)};
  Schedule schedule(500, 12, start);
  EXPECT_EQ(schedule.due(0, start), 1U);
  EXPECT_EQ(schedule.due(1, start + milliseconds(1)), 1U);
  EXPECT_EQ(schedule.due(1, start + milliseconds(3)), 2U);
  EXPECT_EQ(schedule.due(2, start + milliseconds(13)), 7U);
  EXPECT_EQ(schedule.due(7, start + milliseconds(27)), 12U);
}

TEST(Schedule, SlipsInsteadOfSendingABurst) {
  using std::chrono::milliseconds;
  const Schedule::Clock::time_point start{std::chrono::hours(1)};
  Schedule schedule(500, 1000, start);
  EXPECT_EQ(schedule.due(0, start), 1U);
  // A second without running: 500 are owed, those of 20 ms are sent.
  EXPECT_EQ(schedule.due(1, start + milliseconds(1001)), 12U);
  EXPECT_EQ(schedule.due(12, start + milliseconds(1002)), 12U);
  EXPECT_EQ(schedule.due(12, start + milliseconds(1005)), 14U);
}

TEST(GroupSocket, CarriesADatagramOverLoopback) {
  const GroupOptions group{"239.255.77.1", 47101, "lo"};

  const auto receiver = open_receiver(group, {});
  ASSERT_TRUE(receiver) << receiver.error();
  const auto sender = open_sender(group, {});
  ASSERT_TRUE(sender) << sender.error();
  std::array<std::uint8_t, kPayloadHeaderSize> out{};
  write_payload({3, 1}, out);
  ASSERT_EQ(send(sender->fd(), out.data(), out.size(), 0), static_cast<ssize_t>(out.size()));
  pollfd waiting{receiver->fd(), POLLIN, 0};
  ASSERT_EQ(poll(&waiting, 1, 10000), 1);
  std::array<std::uint8_t, 64> in{};
  const ssize_t size = recv(receiver->fd(), in.data(), in.size(), 0);
  ASSERT_EQ(size, static_cast<ssize_t>(out.size()));
  EXPECT_EQ(read_payload(std::span(in).first(out.size())), (Payload{3, 1}));
}

TEST(Address, FamilyIsThatOfTheText) {
  for (const auto& [text, family] : {std::pair{"239.1.1.1", AF_INET}, {"ff15::1:1", AF_INET6}}) {
    const auto address = parse_address(text, 5000);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->family(), family);
    EXPECT_EQ(to_text(address->storage), text);
  }
}

TEST(GroupSocketErrors, AreInWords) {
  const auto no_interface = open_sender({"239.1.1.1", 5000, "no-such"}, {});
  ASSERT_FALSE(no_interface);
  EXPECT_NE(no_interface.error().find("no-such"), std::string::npos);
  const auto no_group = open_receiver({"a name", 5000, "lo"}, {});
  ASSERT_FALSE(no_group);
  EXPECT_NE(no_group.error().find("a name"), std::string::npos);
  EXPECT_FALSE(open_receiver({"10.1.1.1", 5000, "lo"}, {}));
}

}  // namespace
}  // namespace gkmpd::traffic
