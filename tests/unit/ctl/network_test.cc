// gkmpctl group create and group rekey with --controller, as far as they go without a controller.
// What becomes of an order that is taken is seen in tests/kernel/lab/commands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

#include "agent/base/fd.h"
#include "tests/unit/ctl/program.h"

namespace gkmpd::ctl {
namespace {

using testing::HasSubstr;

class NetworkOrderTest : public testing::Test {
 protected:
  void SetUp() override {
    succeeds(place_.init());
    succeeds(place_.issue("chief", "--role commander --group demo"));
    place_.write("demo.toml", kPolicy);
    place_.write("members.toml", list());
    sign();
  }
  static std::string list() {
    return "kind = \"gkmp-member-list-1\"\ngroup = \"demo\"\n[[member]]\nname = \"a\"\n"
           "[[member]]\nname = \"b\"\naddress = \"10.9.0.2\"\n";
  }
  void succeeds(const Outcome& outcome) { ASSERT_EQ(outcome.code, 0) << outcome.output; }
  void sign() {
    succeeds(
        place_.gkmpctl("token sign --policy demo.toml --members members.toml --cert chief.pem "
                       "--key chief.key --out demo.token --force"));
  }
  Outcome create(const std::string& controller, const std::string& more = "",
                 const std::string& signer = "chief") {
    return place_.gkmpctl("group create demo.token --members members.toml --controller " +
                          controller + " --cert " + signer + ".pem --key " + signer +
                          ".key --anchor ca/anchor.pem --crl ca/crl.pem " + more);
  }

  Workplace place_;
};

TEST_F(NetworkOrderTest, WantsAllPapersOrNone) {
  EXPECT_EQ(
      place_.gkmpctl("group create demo.token --members members.toml --controller 127.0.0.1").code,
      2);
  EXPECT_EQ(place_.gkmpctl("group create demo.token --members members.toml --cert chief.pem").code,
            2);
  EXPECT_EQ(
      place_.gkmpctl("group create demo.token --members members.toml --address 127.0.0.1").code, 2);
}

TEST_F(NetworkOrderTest, SaysThatNobodyAnswers) {
  const Outcome outcome = create("127.0.0.1:9", "--wait 1");
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.output,
              HasSubstr("ctl.agent-unreachable: no answer from 127.0.0.1:9 within 1 s"));
  const Outcome json = create("127.0.0.1:9", "--wait 1 --json");
  EXPECT_EQ(json.code, 3);
  EXPECT_THAT(json.output, HasSubstr("\"error\": \"ctl.agent-unreachable\""));
}

TEST_F(NetworkOrderTest, ARekeyGoesTheSameWay) {
  const std::string order = "group rekey demo.token --cert chief.pem --key chief.key";
  const std::string network = order + " --controller 127.0.0.1:9";
  EXPECT_EQ(place_.gkmpctl(network).code, 2) << "the controller is checked";
  EXPECT_EQ(place_.gkmpctl(order + " --anchor ca/anchor.pem --crl ca/crl.pem").code, 2);
  EXPECT_EQ(place_.gkmpctl(order + " --members members.toml").code, 2);
  const Outcome outcome =
      place_.gkmpctl(network + " --anchor ca/anchor.pem --crl ca/crl.pem --wait 1");
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.output,
              HasSubstr("ctl.agent-unreachable: no answer from 127.0.0.1:9 within 1 s"));
}

TEST_F(NetworkOrderTest, SaysWhatItDropped) {
  const Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof own;
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&own), size), 0);
  ASSERT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&own), &size), 0);
  std::thread babbler([&fd] {
    char octets[2048];
    sockaddr_in from{};
    socklen_t from_size = sizeof from;
    if (::recvfrom(fd.get(), octets, sizeof octets, 0, reinterpret_cast<sockaddr*>(&from),
                   &from_size) < 0) {
      return;
    }
    ::sendto(fd.get(), "?", 1, 0, reinterpret_cast<sockaddr*>(&from), from_size);
  });
  const Outcome outcome = create("127.0.0.1:" + std::to_string(ntohs(own.sin_port)), "--wait 2");
  ::shutdown(fd.get(), SHUT_RDWR);
  babbler.join();
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.output, HasSubstr("within 2 s; dropped: wire.truncated 1"));
}

TEST_F(NetworkOrderTest, RefusesBeforeItAsks) {
  Outcome outcome = create("nowhere");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("ctl.bad-address"));
  outcome = create("127.0.0.1:9", "--address 192.0.2.1");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("ctl.udp-failed: address 192.0.2.1"));

  succeeds(place_.issue("plain", "--role member"));
  outcome = create("127.0.0.1:9", "", "plain");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("identity.not-commander"));
}

TEST_F(NetworkOrderTest, SaysWhatToDoAboutAListThatIsTooLong) {
  place_.write("members.toml", list() + "#" + std::string(65'535, 'x') + "\n");
  sign();
  const Outcome outcome = create("127.0.0.1:9");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("protocol.member-list-too-long"));
  EXPECT_THAT(outcome.output, HasSubstr("on the controller's host"));
}

}  // namespace
}  // namespace gkmpd::ctl
