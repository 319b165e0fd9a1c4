#include "netlink/parse.h"

#include <gtest/gtest.h>
#include <linux/netlink.h>

#include <cerrno>

#include "tests/support/netlink_replies.h"

namespace gkmpd::netlink {
namespace {

std::vector<std::uint16_t> types_of(ByteView datagram, bool& sound) {
  std::vector<std::uint16_t> types;
  sound = for_each_message(datagram, [&types](const Message& message) -> Result<void> {
            types.push_back(message.type);
            return {};
          }).has_value();
  return types;
}

std::optional<Answer> answer_of(const Bytes& datagram) {
  std::optional<Answer> answer;
  EXPECT_TRUE(for_each_message(datagram, [&answer](const Message& message) -> Result<void> {
    answer = read_answer(message);
    return {};
  }));
  return answer;
}

TEST(Parse, WalksOverPaddedMessages) {
  bool sound = false;
  const Bytes datagram =
      test::operator+(test::message(0x10, 1, Bytes{1, 2, 3}), test::message(0x11, 1, {}));
  EXPECT_EQ(types_of(datagram, sound), (std::vector<std::uint16_t>{0x10, 0x11}));
  EXPECT_TRUE(sound);
}

TEST(Parse, EveryTruncationOfADatagramIsNoticedOrEndsBetweenMessages) {
  const Bytes first = test::message(0x10, 1, Bytes(8));
  const Bytes datagram = test::operator+(first, test::message(0x11, 1, Bytes(4)));
  for (std::size_t size = 0; size < datagram.size(); ++size) {
    bool sound = false;
    const auto types = types_of(ByteView(datagram).first(size), sound);
    EXPECT_EQ(sound, size == 0 || size == first.size()) << size;
    EXPECT_EQ(types.size(), size < first.size() ? 0U : 1U) << size;
  }
}

TEST(Parse, ALengthBelowTheHeaderIsRefused) {
  Bytes datagram = test::message(0x10, 1, {});
  datagram[0] = 15;
  bool sound = true;
  (void)types_of(datagram, sound);
  EXPECT_FALSE(sound);
}

TEST(Parse, StopsWhereTheCallerSaysSo) {
  const Bytes datagram = test::operator+(test::message(0x10, 1, {}), test::message(0x11, 1, {}));
  int seen = 0;
  const auto read = for_each_message(datagram, [&seen](const Message&) -> Result<void> {
    ++seen;
    return fail(kBadReply, "enough");
  });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().detail, "enough");
  EXPECT_EQ(seen, 1);
}

TEST(Parse, AttributesWithTheirFlagBitsMaskedOff) {
  const Bytes attributes = test::operator+(test::attribute(NLA_F_NESTED | 5, Bytes{1, 2, 3}),
                                           test::attribute(6, Bytes{}));
  std::vector<std::pair<std::uint16_t, std::size_t>> seen;
  EXPECT_TRUE(for_each_attribute(attributes, [&seen](std::uint16_t type, ByteView payload) {
    seen.emplace_back(type, payload.size());
  }));
  EXPECT_EQ(seen, (std::vector<std::pair<std::uint16_t, std::size_t>>{{5, 3}, {6, 0}}));
}

TEST(Parse, AttributesThatAreCutShortAreRefused) {
  const auto ignore = [](std::uint16_t, ByteView) {};
  const Bytes sound = test::attribute(5, Bytes(8));
  for (std::size_t size = 1; size < sound.size(); ++size)
    EXPECT_FALSE(for_each_attribute(ByteView(sound).first(size), ignore)) << size;
  EXPECT_FALSE(for_each_attribute(Bytes{3, 0, 1, 0}, ignore)) << "shorter than its own header";
}

TEST(Parse, AnswersWithAndWithoutTheKernelsWords) {
  EXPECT_EQ(answer_of(test::answer(1, 0))->error, 0);
  EXPECT_EQ(answer_of(test::answer(1, EEXIST))->error, EEXIST);
  const auto explained = answer_of(test::answer(1, EINVAL, "Bad\nkey"));
  EXPECT_EQ(explained->error, EINVAL);
  EXPECT_EQ(explained->extack, "Bad?key") << "no control characters in our logs";
}

TEST(Parse, AnAnswerThatQuotesTheRequest) {
  nlmsgerr body{};
  body.error = -EINVAL;
  body.msg.nlmsg_len = sizeof(nlmsghdr) + 5;
  Bytes payload = to_bytes(object_bytes(body));
  append(payload, Bytes(8, 0xee));
  append(payload, test::attribute(NLMSGERR_ATTR_MSG, as_bytes("why")));
  EXPECT_EQ(answer_of(test::message(NLMSG_ERROR, 1, payload, NLM_F_ACK_TLVS))->extack, "why");
}

TEST(Parse, ImpossibleAnswersAreNone) {
  const int positive = 5;
  Bytes payload = to_bytes(object_bytes(positive));
  payload.resize(sizeof(nlmsgerr));
  EXPECT_FALSE(answer_of(test::message(NLMSG_ERROR, 1, payload)));
  EXPECT_FALSE(answer_of(test::message(NLMSG_ERROR, 1, Bytes(sizeof(nlmsgerr) - 1))));
  Bytes torn = test::answer(1, EINVAL, "words");
  torn[sizeof(nlmsghdr) + sizeof(nlmsgerr)] = 200;  // length of the attribute
  EXPECT_FALSE(answer_of(torn));
}

}  // namespace
}  // namespace gkmpd::netlink
