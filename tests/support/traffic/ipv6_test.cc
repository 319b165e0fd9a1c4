// The IPv6 side of the group sockets, over a cable from one interface to another. It makes that
// cable, so it runs in the kernel of scripts/kernel, in a network of its own.
#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <cstdlib>

#include "tests/support/traffic/group_socket.h"
#include "tests/support/traffic/payload.h"

namespace gkmpd::traffic {
namespace {

constexpr std::uint16_t kPort = 47101;

class Ipv6GroupSocket : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_EQ(std::system("ip link add name near type veth peer name far && "
                          "ip link set near up && ip link set far up && "
                          "ip address add fd77::1/64 dev near nodad && "
                          "ip address add fd77::2/64 dev far nodad"),
              0);
  }

  static bool arrives(const Socket& socket, int wait_ms) {
    pollfd waiting{socket.fd(), POLLIN, 0};
    return poll(&waiting, 1, wait_ms) == 1;
  }

  static void send_one(const Socket& sender) {
    std::array<std::uint8_t, kPayloadHeaderSize> out{};
    write_payload({3, 1}, out);
    ASSERT_EQ(send(sender.fd(), out.data(), out.size(), 0), static_cast<ssize_t>(out.size()));
  }
};

TEST_F(Ipv6GroupSocket, CarriesADatagramToItsGroup) {
  // Of site scope, and of link scope, which needs the interface in the address too.
  for (const char* text : {"ff15::77:1", "ff12::77:1"}) {
    const auto receiver = open_receiver({text, kPort, "far"}, {});
    ASSERT_TRUE(receiver) << receiver.error();
    SendOptions options;
    options.source = "fd77::1";
    const auto sender = open_sender({text, kPort, "near"}, options);
    ASSERT_TRUE(sender) << sender.error();
    send_one(*sender);
    ASSERT_TRUE(arrives(*receiver, 10000)) << text;
    std::array<std::uint8_t, 64> in{};
    sockaddr_storage from{};
    socklen_t from_size = sizeof from;
    const ssize_t size = recvfrom(receiver->fd(), in.data(), in.size(), 0,
                                  reinterpret_cast<sockaddr*>(&from), &from_size);
    ASSERT_EQ(size, static_cast<ssize_t>(kPayloadHeaderSize));
    EXPECT_EQ(read_payload(std::span(in).first(kPayloadHeaderSize)), (Payload{3, 1}));
    EXPECT_EQ(to_text(from), "fd77::1");
  }
}

TEST_F(Ipv6GroupSocket, OnlyTheGroupPortAndInterfaceAskedForArrive) {
  const auto receiver = open_receiver({"ff15::77:1", kPort, "far"}, {});
  ASSERT_TRUE(receiver) << receiver.error();
  SendOptions options;
  options.loop = false;
  const auto other_group = open_sender({"ff15::77:2", kPort, "near"}, options);
  const auto other_port = open_sender({"ff15::77:1", kPort + 1, "near"}, options);
  const auto other_way = open_sender({"ff15::77:1", kPort, "far"}, options);
  ASSERT_TRUE(other_group && other_port && other_way);
  send_one(*other_group);
  send_one(*other_port);
  send_one(*other_way);
  EXPECT_FALSE(arrives(*receiver, 200));
}

TEST_F(Ipv6GroupSocket, LoopsACopyToTheOwnHostIfTold) {
  for (const bool loop : {true, false}) {
    const GroupOptions group{"ff15::77:1", kPort, "near"};
    const auto receiver = open_receiver(group, {});
    ASSERT_TRUE(receiver) << receiver.error();
    SendOptions options;
    options.loop = loop;
    const auto sender = open_sender(group, options);
    ASSERT_TRUE(sender) << sender.error();
    send_one(*sender);
    EXPECT_EQ(arrives(*receiver, loop ? 10000 : 200), loop);
  }
}

TEST_F(Ipv6GroupSocket, SetsTheHopLimit) {
  SendOptions options;
  options.ttl = 7;
  const auto sender = open_sender({"ff15::77:1", kPort, "near"}, options);
  ASSERT_TRUE(sender) << sender.error();
  int hops = -1;
  socklen_t size = sizeof hops;
  ASSERT_EQ(getsockopt(sender->fd(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, &size), 0);
  EXPECT_EQ(hops, 7);
}

TEST_F(Ipv6GroupSocket, RefusesWhatIsNoGroup) {
  EXPECT_FALSE(open_receiver({"fd09::1", kPort, "near"}, {}));
  EXPECT_FALSE(open_receiver({"fd77::1", kPort, "near"}, {}));  // can be bound, not joined
}

}  // namespace
}  // namespace gkmpd::traffic
