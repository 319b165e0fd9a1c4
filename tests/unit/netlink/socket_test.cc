// The netlink socket against scripted kernels: everything that can come back, and what must not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>

#include <cerrno>

#include "netlink/kernel_socket.h"
#include "tests/support/netlink_replies.h"

namespace gkmpd::netlink {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using test::operator+;
using test::answer;
using test::done;
using test::message;
using test::queue;

constexpr std::uint16_t kType = 0x10;

class SocketTest : public ::testing::Test {
 protected:
  SocketTest() { mnl_doubles_reset(); }
  ~SocketTest() override {
    socket_.reset();
    EXPECT_EQ(mnl_doubles_open_sockets(), 0);
    mnl_doubles_reset();
  }

  Socket& socket() {
    if (!socket_) socket_ = std::make_unique<Socket>(std::move(Socket::open(6).value()));
    return *socket_;
  }

  /// A batch of `count` requests; a fresh socket numbers them from 1.
  static Batch requests(std::size_t count) {
    Batch batch;
    for (std::size_t i = 0; i < count; ++i) {
      batch.begin(kType, 0, {});
      EXPECT_TRUE(batch.end());
    }
    return batch;
  }

  Result<std::vector<BatchFailure>> run(std::size_t count, const OnMessage& on_reply = {}) {
    Batch batch = requests(count);
    return socket().run(batch, on_reply);
  }

  void expect_bad_reply(const Bytes& datagram, const std::string& words, std::uint32_t sender = 0) {
    (void)socket();
    queue(datagram, sender);
    const auto failures = run(1);
    ASSERT_FALSE(failures) << words;
    EXPECT_EQ(failures.error().kind, kBadReply);
    EXPECT_THAT(failures.error().detail, HasSubstr(words));
  }

  Result<void> dump(std::vector<std::uint16_t>& types, int& restarts) {
    return socket().dump(
        kType, {},
        [&types](const Message& object) -> Result<void> {
          types.push_back(object.type);
          return {};
        },
        [&] {
          ++restarts;
          types.clear();
        });
  }

 private:
  std::unique_ptr<Socket> socket_;
};

TEST_F(SocketTest, OpensWithExtendedAcksAndMemberships) {
  const auto opened = Socket::open(6, {1, 3});
  ASSERT_TRUE(opened) << opened.error().text();
  EXPECT_TRUE(mnl_doubles_joined(1));
  EXPECT_FALSE(mnl_doubles_joined(2));
  EXPECT_TRUE(mnl_doubles_joined(3));
  EXPECT_TRUE(mnl_doubles_option_set(NETLINK_EXT_ACK));
  EXPECT_TRUE(mnl_doubles_option_set(NETLINK_CAP_ACK));
}

TEST_F(SocketTest, EachStepOfOpeningThatFailsIsNamed) {
  const std::vector<std::pair<void (*)(), std::string>> steps = {
      {[] { mnl_doubles_fail_open(EPROTONOSUPPORT); }, "socket: EPROTONOSUPPORT"},
      {[] { mnl_doubles_fail_bind(EPERM); }, "bind: EPERM"},
      {[] { mnl_doubles_fail_option(NETLINK_EXT_ACK, ENOPROTOOPT); }, "NETLINK_EXT_ACK: ENOPROTO"},
      {[] { mnl_doubles_fail_option(NETLINK_CAP_ACK, ENOPROTOOPT); }, "NETLINK_CAP_ACK: ENOPROTO"},
      {[] { mnl_doubles_fail_option(NETLINK_ADD_MEMBERSHIP, EPERM); }, "joining group 3: EPERM"}};
  for (const auto& [arrange, words] : steps) {
    arrange();
    const auto opened = Socket::open(6, {3});
    ASSERT_FALSE(opened) << words;
    EXPECT_EQ(opened.error().kind, kOpenFailed);
    EXPECT_THAT(opened.error().detail, HasSubstr(words));
    EXPECT_EQ(mnl_doubles_open_sockets(), 0) << words;
  }
}

TEST_F(SocketTest, ABatchIsOneSendAndOneAcknowledgement) {
  queue(answer(3, 0));
  const auto failures = run(3);
  ASSERT_TRUE(failures) << failures.error().text();
  EXPECT_THAT(*failures, IsEmpty());
  EXPECT_EQ(mnl_doubles_sent_count(), 1U);
}

TEST_F(SocketTest, AnEmptyBatchSendsNothing) {
  ASSERT_TRUE(run(0));
  EXPECT_EQ(mnl_doubles_sent_count(), 0U);
}

TEST_F(SocketTest, RefusalsAreTakenToTheirRequests) {
  queue(answer(2, EEXIST));
  queue(answer(3, EINVAL, "Missing key") + answer(5, 0));
  const auto failures = run(5);
  ASSERT_TRUE(failures) << failures.error().text();
  ASSERT_THAT(*failures, SizeIs(2));
  EXPECT_EQ((*failures)[0].index, 1U);
  EXPECT_EQ((*failures)[0].text(), "EEXIST (File exists)");
  EXPECT_EQ((*failures)[1].index, 2U);
  EXPECT_EQ((*failures)[1].text(), "EINVAL (Invalid argument): Missing key");
}

TEST_F(SocketTest, ARefusalOfTheLastEndsTheBatch) {
  queue(answer(2, ESRCH));
  const auto failures = run(2);
  ASSERT_TRUE(failures) << failures.error().text();
  ASSERT_THAT(*failures, SizeIs(1));
  EXPECT_EQ(failures->front().index, 1U);
  EXPECT_EQ(failures->front().error, ESRCH);
}

TEST_F(SocketTest, SequenceNumbersGoOnFromBatchToBatch) {
  queue(answer(2, 0));
  ASSERT_TRUE(run(2));
  queue(answer(3, EPERM));
  const auto failures = run(1);
  ASSERT_TRUE(failures) << failures.error().text();
  EXPECT_THAT(*failures, SizeIs(1));
}

TEST_F(SocketTest, RepliesAreHandedOn) {
  queue(message(kType, 1, Bytes{1, 2, 3, 4}) + answer(1, 0));
  Bytes seen;
  const auto failures = run(1, [&seen](const Message& reply) -> Result<void> {
    seen = to_bytes(reply.payload);
    return {};
  });
  ASSERT_TRUE(failures) << failures.error().text();
  EXPECT_EQ(seen, (Bytes{1, 2, 3, 4}));
}

TEST_F(SocketTest, AnUnexpectedReplyIsRefused) {
  expect_bad_reply(message(kType, 1, Bytes(4)), "type 16");
}

TEST_F(SocketTest, ForeignRepliesAreRefused) {
  expect_bad_reply(answer(1, 0), "sent by port 77", /* sender= */ 77);
}
TEST_F(SocketTest, RepliesForAnotherPortAreRefused) {
  Bytes other = answer(1, 0);
  other[12] = 0x01;
  expect_bad_reply(other, "reply for port");
}
TEST_F(SocketTest, RepliesToAnotherRequestAreRefused) {
  expect_bad_reply(answer(2, 0), "reply to request 2");
}
TEST_F(SocketTest, RepliesToAFormerRequestAreRefused) {
  expect_bad_reply(answer(0, 0), "reply to request 0");
}
TEST_F(SocketTest, RepliesCutShortAreRefused) {
  Bytes torn = answer(1, 0);
  torn.resize(18);
  expect_bad_reply(torn, "impossible length");
}
TEST_F(SocketTest, AnswersCutShortAreRefused) {
  expect_bad_reply(message(NLMSG_ERROR, 1, Bytes(8)), "answer cut short");
}
TEST_F(SocketTest, EmptyDatagramsAreRefused) { expect_bad_reply({}, "empty"); }
TEST_F(SocketTest, OtherControlMessagesAreRefused) {
  expect_bad_reply(message(NLMSG_OVERRUN, 1, {}), "type 4");
}

TEST_F(SocketTest, ADatagramLargerThanAnyIsTruncatedAndRefused) {
  (void)socket();
  queue(Bytes(65 * 1024));
  const auto failures = run(1);
  ASSERT_FALSE(failures);
  EXPECT_EQ(failures.error().kind, kBadReply);
  EXPECT_THAT(failures.error().detail, HasSubstr("truncated"));
}

TEST_F(SocketTest, AShortReadIsRefused) {
  const Bytes whole = answer(1, 0);
  mnl_doubles_queue_announced(whole.data(), whole.size(), whole.size() + 16);
  const auto failures = run(1);
  ASSERT_FALSE(failures);
  EXPECT_EQ(failures.error().kind, kBadReply);
  EXPECT_THAT(failures.error().detail, HasSubstr("were announced"));
}

TEST_F(SocketTest, NoAnswerIsAnErrorAndNeverAWait) {
  const auto failures = run(1);
  ASSERT_FALSE(failures);
  EXPECT_EQ(failures.error().kind, kBadReply);
  EXPECT_THAT(failures.error().detail, HasSubstr("no answer"));
}

TEST_F(SocketTest, LostRepliesAreAnOverrun) {
  queue(answer(1, EEXIST));
  mnl_doubles_queue_error(ENOBUFS);
  const auto failures = run(2);
  ASSERT_FALSE(failures);
  EXPECT_EQ(failures.error().kind, kOverrun);
}

TEST_F(SocketTest, FailingReadsAreNamed) {
  mnl_doubles_queue_error(EBADF);
  EXPECT_EQ(run(1).error().kind, kReceiveFailed);
  mnl_doubles_queue_late_error(ENOBUFS);
  EXPECT_EQ(run(1).error().kind, kOverrun);
  mnl_doubles_queue_late_error(EIO);
  EXPECT_EQ(run(1).error().kind, kReceiveFailed);
}

TEST_F(SocketTest, InterruptedCallsAreRepeated) {
  mnl_doubles_fail_send(EINTR);
  mnl_doubles_queue_error(EINTR);
  queue(answer(1, 0));
  EXPECT_TRUE(run(1));
}

TEST_F(SocketTest, FailingAndShortSendsAreNamed) {
  mnl_doubles_fail_send(EPERM);
  const auto refused = run(1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, kSendFailed);
  EXPECT_THAT(refused.error().detail, HasSubstr("EPERM"));

  mnl_doubles_shorten_send(8);
  const auto shortened = run(1);
  ASSERT_FALSE(shortened);
  EXPECT_EQ(shortened.error().kind, kSendFailed);
  EXPECT_THAT(shortened.error().detail, HasSubstr("8 of 16"));
}

TEST_F(SocketTest, AfterAFailureTheNextBatchDoesNotMeetItsRemains) {
  queue(answer(9, 0));
  queue(answer(1, 0));
  queue(answer(2, 0));
  EXPECT_FALSE(run(2));
  EXPECT_EQ(mnl_doubles_queued(), 0U);
  queue(answer(3, 0));
  EXPECT_TRUE(run(1));
}

TEST_F(SocketTest, ADumpIsReadToItsEnd) {
  queue(message(0x10, 1, {}, NLM_F_MULTI) + message(0x11, 1, {}, NLM_F_MULTI));
  queue(message(0x12, 1, {}, NLM_F_MULTI));
  queue(done(1));
  std::vector<std::uint16_t> types;
  int restarts = 0;
  const auto dumped = dump(types, restarts);
  ASSERT_TRUE(dumped) << dumped.error().text();
  EXPECT_THAT(types, ElementsAre(0x10, 0x11, 0x12));
  EXPECT_EQ(restarts, 0);
}

TEST_F(SocketTest, ADisturbedDumpIsReadAgain) {
  queue(message(0x10, 1, {}, NLM_F_MULTI | NLM_F_DUMP_INTR) + done(1));
  queue(message(0x11, 2, {}, NLM_F_MULTI));
  queue(done(2, 0, NLM_F_DUMP_INTR));
  queue(message(0x12, 3, {}, NLM_F_MULTI) + done(3));
  std::vector<std::uint16_t> types;
  int restarts = 0;
  const auto dumped = dump(types, restarts);
  ASSERT_TRUE(dumped) << dumped.error().text();
  EXPECT_THAT(types, ElementsAre(0x12));
  EXPECT_EQ(restarts, 2);
}

TEST_F(SocketTest, ADumpThatIsAlwaysDisturbedEnds) {
  for (std::uint32_t i = 1; i <= kMaxDumpTries; ++i) queue(done(i, 0, NLM_F_DUMP_INTR));
  std::vector<std::uint16_t> types;
  int restarts = 0;
  const auto dumped = dump(types, restarts);
  ASSERT_FALSE(dumped);
  EXPECT_EQ(dumped.error().kind, kDumpInterrupted);
}

TEST_F(SocketTest, ADumpThatIsRefusedSaysWhy) {
  std::vector<std::uint16_t> types;
  int restarts = 0;
  queue(answer(1, EPERM));
  const auto refused = dump(types, restarts);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, kKernelRefused);
  EXPECT_THAT(refused.error().detail, HasSubstr("EPERM"));

  queue(done(2, ENOMEM));
  const auto broken = dump(types, restarts);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().kind, kKernelRefused);
  EXPECT_THAT(broken.error().detail, HasSubstr("ENOMEM"));
}

TEST_F(SocketTest, ADumpThatBreaksOffIsAnError) {
  std::vector<std::uint16_t> types;
  int restarts = 0;
  queue(message(0x10, 1, {}, NLM_F_MULTI));
  EXPECT_EQ(dump(types, restarts).error().kind, kBadReply);
  mnl_doubles_queue_error(ENOBUFS);
  EXPECT_EQ(dump(types, restarts).error().kind, kOverrun);
  queue(message(0x10, 77, {}, NLM_F_MULTI) + done(77));
  EXPECT_EQ(dump(types, restarts).error().kind, kBadReply);
}

TEST_F(SocketTest, EventsAreHandedOnUntilNoneWaits) {
  queue(message(0x10, 0, {}, 0, 0) + message(0x11, 5, {}, 0, 4711));
  queue(message(0x12, 0, {}, 0, 0));
  std::vector<std::uint32_t> ports;
  const auto read = socket().read_events([&ports](const Message& event) -> Result<void> {
    ports.push_back(event.port_id);
    return {};
  });
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_THAT(ports, ElementsAre(0, 4711, 0));
}

TEST_F(SocketTest, LostEventsAreAnOverrunAndTheSocketGoesOn) {
  mnl_doubles_queue_error(ENOBUFS);
  queue(message(0x10, 0, {}, 0, 0));
  int seen = 0;
  const auto count = [&seen](const Message&) -> Result<void> {
    ++seen;
    return {};
  };
  EXPECT_EQ(socket().read_events(count).error().kind, kOverrun);
  EXPECT_TRUE(socket().read_events(count));
  EXPECT_EQ(seen, 1);
}

TEST_F(SocketTest, EventsNotOfTheKernelAreRefused) {
  queue(message(0x10, 0, {}, 0, 0), /* sender= */ 99);
  int seen = 0;
  const auto read = socket().read_events([&seen](const Message&) -> Result<void> {
    ++seen;
    return {};
  });
  EXPECT_EQ(read.error().kind, kBadReply);
  EXPECT_EQ(seen, 0);
}

TEST_F(SocketTest, OneCallTakesABoundedNumberOfEvents) {
  for (int i = 0; i < kMaxEventDatagrams + 10; ++i) queue(message(0x10, 0, {}, 0, 0));
  int seen = 0;
  const auto count = [&seen](const Message&) -> Result<void> {
    ++seen;
    return {};
  };
  EXPECT_TRUE(socket().read_events(count));
  EXPECT_EQ(seen, kMaxEventDatagrams);
  EXPECT_TRUE(socket().read_events(count));
  EXPECT_EQ(seen, kMaxEventDatagrams + 10);
}

}  // namespace
}  // namespace gkmpd::netlink
