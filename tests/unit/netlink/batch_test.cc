#include "netlink/batch.h"

#include <gtest/gtest.h>
#include <linux/netlink.h>

#include "netlink/errors.h"
#include "netlink/parse.h"

namespace gkmpd::netlink {
namespace {

constexpr std::uint16_t kType = 0x10;
const Bytes kHeader = {1, 2, 3, 4};

/// The messages of a batch, read back.
std::vector<std::pair<Message, Bytes>> messages_of(const Batch& batch) {
  std::vector<std::pair<Message, Bytes>> all;
  const auto read = for_each_message(batch.bytes(), [&all](const Message& message) -> Result<void> {
    all.emplace_back(message, to_bytes(message.payload));
    return {};
  });
  EXPECT_TRUE(read);
  return all;
}

TEST(Batch, BuildsTheOctetsOfAMessage) {
  Batch batch;
  batch.begin(kType, NLM_F_CREATE, kHeader);
  batch.put(7, Bytes{0xaa, 0xbb, 0xcc, 0xdd, 0xee});
  batch.put(8, object_bytes(std::uint32_t{0x01020304}));
  ASSERT_EQ(batch.end(), 0U);
  batch.seal(5, 99);
  EXPECT_EQ(to_hex(batch.bytes()),
            "28000000"
            "1000"
            "0504"
            "05000000"
            "63000000"
            "01020304"
            "09000700aabbccddee000000"
            "0800080004030201");
}

TEST(Batch, AcknowledgesTheLastAndNumbersAll) {
  Batch batch;
  for (int i = 0; i < 3; ++i) {
    batch.begin(kType, 0, kHeader);
    ASSERT_EQ(batch.end(), static_cast<std::size_t>(i));
  }
  batch.seal(0xffffffff, 7);
  const auto messages = messages_of(batch);
  ASSERT_EQ(messages.size(), 3U);
  EXPECT_EQ(messages[0].first.flags, NLM_F_REQUEST);
  EXPECT_EQ(messages[1].first.flags, NLM_F_REQUEST);
  EXPECT_EQ(messages[2].first.flags, NLM_F_REQUEST | NLM_F_ACK);
  EXPECT_EQ(messages[0].first.sequence, 0xffffffffU);
  EXPECT_EQ(messages[1].first.sequence, 0U);
  EXPECT_EQ(messages[2].first.sequence, 1U);
  EXPECT_EQ(messages[1].first.port_id, 7U);
}

TEST(Batch, TakesNoMoreThanItsNumberOfMessages) {
  Batch batch;
  for (std::size_t i = 0; i < kMaxBatch; ++i) {
    batch.begin(kType, 0, kHeader);
    ASSERT_TRUE(batch.end());
  }
  batch.begin(kType, 0, kHeader);
  const auto over = batch.end();
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().kind, kBatchFull);
  EXPECT_EQ(batch.size(), kMaxBatch);
}

TEST(Batch, AMessageThatDoesNotFitIsDroppedWhole) {
  Batch batch(64);
  batch.begin(kType, 0, kHeader);
  ASSERT_TRUE(batch.end());
  const std::string before = to_hex(batch.bytes());

  batch.begin(kType, 0, kHeader);
  batch.put(1, Bytes(64, 0x55));
  batch.put(2, Bytes(4));
  const auto over = batch.end();
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().kind, kBatchFull);
  EXPECT_EQ(to_hex(batch.bytes()), before);

  batch.begin(kType, 0, kHeader);
  EXPECT_EQ(batch.end(), 1U) << "the batch goes on after a refusal";
}

TEST(Batch, AHeaderThatDoesNotFitIsRefused) {
  Batch batch(19);
  batch.begin(kType, 0, kHeader);
  EXPECT_FALSE(batch.end());
  EXPECT_TRUE(batch.empty());
}

TEST(Batch, AnAttributeTooLongForItsLengthFieldIsRefused) {
  Batch batch;
  batch.begin(kType, 0, kHeader);
  batch.put(1, Bytes(0xffff - 3));
  EXPECT_FALSE(batch.end());
}

TEST(Batch, EndWithoutBeginIsRefused) {
  Batch batch;
  batch.put(1, Bytes(4));
  EXPECT_FALSE(batch.end());
  EXPECT_TRUE(batch.bytes().empty());
}

}  // namespace
}  // namespace gkmpd::netlink
