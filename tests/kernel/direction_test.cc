// The direction that an SA may have since Linux 6.10: why ours have none, and that one of ours that
// somebody gave one to is put right. Older kernels ignore the attribute.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#include "netlink/parse.h"
#include "tests/kernel/groups.h"
#include "xfrm/encode.h"

namespace gkmpd::test {
namespace {

using ::testing::ElementsAre;

// Debian 12's headers do not have them.
constexpr std::uint16_t kXfrmaSaDir = 33;
enum class Direction : std::uint8_t { kIn = 1, kOut = 2 };

bool kernel_knows_directions() {
  utsname name{};
  int major = 0;
  int minor = 0;
  EXPECT_EQ(uname(&name), 0);
  EXPECT_EQ(std::sscanf(name.release, "%d.%d", &major, &minor), 2);
  return std::pair(major, minor) >= std::pair(6, 10);
}

/// a sends, c listens.
class Directions : public ::testing::Test {
 protected:
  /// The errno of adding that SA of a host with a direction.
  int add(const std::string& host, const xfrm::SaState& sa, Direction direction) {
    netlink::Batch plain;
    EXPECT_TRUE(xfrm::encode(plain, xfrm::AddSa{sa.clone()}));
    netlink::Batch directed;
    directed.begin(XFRM_MSG_NEWSA, 0, plain.bytes().subspan(NLMSG_HDRLEN));
    directed.put(kXfrmaSaDir, netlink::object_bytes(direction));
    EXPECT_TRUE(directed.end());
    netlink::Socket socket = open(host);
    const auto failures = socket.run(directed);
    if (!failures) {
      ADD_FAILURE() << failures.error().text();
      return -1;
    }
    return failures->empty() ? 0 : failures->front().error;
  }

  /// Of each SA of the host; 0 for one without.
  std::vector<int> directions(const std::string& host) {
    std::vector<int> out;
    const auto on_sa = [&out](const netlink::Message& message) -> Result<void> {
      int direction = 0;
      EXPECT_TRUE(netlink::for_each_attribute(
          netlink::after_header(message.payload, sizeof(xfrm_usersa_info)),
          [&direction](std::uint16_t type, ByteView payload) {
            if (type == kXfrmaSaDir) direction = payload[0];
          }));
      out.push_back(direction);
      return {};
    };
    netlink::Socket socket = open(host);
    EXPECT_TRUE(socket.dump(XFRM_MSG_GETSA, {}, on_sa, [&out] { out.clear(); }));
    return out;
  }

  [[nodiscard]] netlink::Socket open(const std::string& host) const {
    const Inside inside(segment_.host(host));
    return std::move(netlink::Socket::open(NETLINK_XFRM).value());
  }
  [[nodiscard]] static xfrm::GroupSpec at_a() { return sending("10.9.0.1", 0x0a000001); }
  [[nodiscard]] static xfrm::GroupSpec at_c() { return listening("10.9.0.1", 0x0a000001); }
  [[nodiscard]] static xfrm::SaState sa_of(const xfrm::GroupSpec& spec) {
    return xfrm::wanted_state(spec).sas.at(0).clone();
  }

  const bool known_ = kernel_knows_directions();
  Segment segment_{{"a", "c"}};
  Agent a_{segment_, "a"};
  Agent c_{segment_, "c"};
  Listener at_a_{segment_, "a", kGroup, kPort};
  Listener at_c_{segment_, "c", kGroup, kPort};
  Sender from_a_{segment_, "a", "10.9.0.1"};
};

TEST_F(Directions, OursHaveNone) {
  a_.apply(at_a());
  c_.apply(at_c());
  EXPECT_THAT(directions("a"), ElementsAre(0));
  EXPECT_THAT(directions("c"), ElementsAre(0));
}

// The whole price of it: no window, and a host's own listeners do not hear it any more. Nor could
// an SA that all senders share have one.
TEST_F(Directions, ASenderWhoseSaHasOneDoesNotHearItself) {
  a_.apply(at_a());
  c_.apply(at_c());
  EXPECT_EQ(from_a_.send(kGroup, kPort, "without"), 0);
  EXPECT_EQ(at_a_.next(), "without");
  EXPECT_EQ(at_c_.next(), "without");

  segment_.ip("a", "xfrm state flush");
  xfrm::SaState sa = sa_of(at_a());
  EXPECT_EQ(add("a", sa, Direction::kOut), known_ ? EINVAL : 0);
  sa.replay_window = 0;
  segment_.ip("a", "xfrm state flush");
  EXPECT_EQ(add("a", sa, Direction::kOut), 0);
  // Beyond what c has received before: the sequence numbers begin anew.
  EXPECT_EQ(from_a_.send(kGroup, kPort, "repeated"), 0);
  EXPECT_EQ(from_a_.send(kGroup, kPort, "with"), 0);
  EXPECT_EQ(at_c_.next(), "with");
  if (known_) {
    EXPECT_EQ(segment_.xfrm_counter_at("a", "XfrmInStateDirError", 2), 2U);
  } else {
    EXPECT_EQ(at_a_.next(), "repeated");
    EXPECT_EQ(at_a_.next(), "with");
  }
}

// The gain would be small: an inbound SA has another source than ours and a reqid that no policy
// names, and where it is found nevertheless, nothing else is looked for.
TEST_F(Directions, AnInboundSaInTheOutboundOnesPlaceOnlyFailsTheSend) {
  a_.apply(at_a());
  segment_.ip("a", "xfrm state flush");
  EXPECT_EQ(add("a", sa_of(at_a()), Direction::kIn), 0);
  EXPECT_EQ(from_a_.send(kGroup, kPort, "under an inbound SA"), known_ ? EINVAL : 0);
}

TEST_F(Directions, AnSaOfOursWithOneIsReplaced) {
  EXPECT_EQ(add("c", sa_of(at_c()), Direction::kIn), 0);
  EXPECT_THAT(directions("c"), ElementsAre(known_ ? 1 : 0));
  c_.apply(at_c());
  EXPECT_THAT(directions("c"), ElementsAre(0));
}

}  // namespace
}  // namespace gkmpd::test
