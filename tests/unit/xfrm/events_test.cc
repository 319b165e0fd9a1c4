#include "xfrm/events.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "tests/unit/xfrm/kernel_messages.h"

namespace gkmpd::xfrm {
namespace {

using gkmpd::test::attribute;
using gkmpd::test::operator+;
using netlink::object_bytes;
using test::demo_group;
using test::ip;
using test::message_of;
using test::policy_of;
using test::sa_of;
using test::shown;

const PolicyState& protect() {
  static const PolicyState policy = policy_of(demo_group(), PolicyKind::kProtect);
  return policy;
}

Bytes first(const Bytes& bytes, std::size_t size) {
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)};
}
Bytes sa_info() { return first(shown(sa_of(demo_group(), 0x0a000001)), sizeof(xfrm_usersa_info)); }
Bytes policy_info() { return first(shown(protect()), sizeof(xfrm_userpolicy_info)); }
/// The attribute with the template of the protect policy.
Bytes policy_template() {
  const Bytes all = shown(protect());
  return {all.begin() + sizeof(xfrm_userpolicy_info), all.end()};
}

Bytes expire(bool hard) {
  xfrm_user_expire event{};
  std::memcpy(&event.state, sa_info().data(), sizeof event.state);
  event.hard = hard ? 1 : 0;
  return to_bytes(object_bytes(event));
}

Bytes acquire() {
  xfrm_user_acquire event{};
  const Bytes policy = policy_info();
  std::memcpy(&event.policy, policy.data(), sizeof event.policy);
  event.sel = event.policy.sel;
  event.id.daddr = event.sel.daddr;
  event.id.proto = IPPROTO_ESP;
  event.saddr = event.sel.saddr;
  return to_bytes(object_bytes(event)) + policy_template();
}

Bytes sa_deletion() {
  const xfrm_usersa_id id{};
  return to_bytes(object_bytes(id)) + attribute(XFRMA_SA, sa_info());
}

Bytes policy_deletion() {
  const xfrm_userpolicy_id id{};
  return to_bytes(object_bytes(id)) + attribute(XFRMA_POLICY, policy_info());
}

Event sa_event(EventKind kind) {
  Event event;
  event.kind = kind;
  event.source = ip("10.9.0.1");
  event.destination = ip("239.1.1.1");
  event.spi = 0x0a000001;
  event.reqid = 0x47007003;
  return event;
}

Event policy_event(EventKind kind, std::uint32_t reqid) {
  Event event;
  event.kind = kind;
  event.source = ip("10.9.0.1");
  event.destination = ip("239.1.1.1");
  event.reqid = reqid;
  event.policy_index = 0x47000719;
  event.ip_protocol = 17;
  event.port = 5000;
  return event;
}

Event flush_event(EventKind kind) {
  Event event;
  event.kind = kind;
  return event;
}

struct Case {
  std::uint16_t type;
  Bytes payload;
  Event event;
};

std::vector<Case> all_events() {
  return {
      {XFRM_MSG_NEWSA, shown(sa_of(demo_group(), 0x0a000001)), sa_event(EventKind::kSaAdded)},
      {XFRM_MSG_UPDSA, shown(sa_of(demo_group(), 0x0a000001)), sa_event(EventKind::kSaUpdated)},
      {XFRM_MSG_DELSA, sa_deletion(), sa_event(EventKind::kSaDeleted)},
      {XFRM_MSG_EXPIRE, expire(false), sa_event(EventKind::kSoftExpire)},
      {XFRM_MSG_EXPIRE, expire(true), sa_event(EventKind::kHardExpire)},
      {XFRM_MSG_ACQUIRE, acquire(), policy_event(EventKind::kAcquire, 0x47007003)},
      {XFRM_MSG_NEWPOLICY, shown(protect()), policy_event(EventKind::kPolicyAdded, 0x47007003)},
      {XFRM_MSG_UPDPOLICY, shown(protect()), policy_event(EventKind::kPolicyUpdated, 0x47007003)},
      {XFRM_MSG_DELPOLICY, policy_deletion(), policy_event(EventKind::kPolicyDeleted, 0)},
      {XFRM_MSG_FLUSHSA, Bytes(4), flush_event(EventKind::kSasFlushed)},
      {XFRM_MSG_FLUSHPOLICY, {}, flush_event(EventKind::kPoliciesFlushed)},
  };
}

TEST(Events, EachKindIsDecoded) {
  for (const Case& one : all_events()) {
    const auto event = decode_event(message_of(one.type, one.payload));
    ASSERT_TRUE(event && *event) << one.type;
    EXPECT_EQ(**event, one.event) << one.type;
  }
}

TEST(Events, TheRequesterIsKept) {
  netlink::Message message = message_of(XFRM_MSG_FLUSHSA, {});
  message.port_id = 4711;
  EXPECT_EQ((*decode_event(message))->requester, 4711U);
}

TEST(Events, OursAreToldByTheirRanges) {
  for (const Case& one : all_events()) {
    const bool flush =
        one.event.kind == EventKind::kSasFlushed || one.event.kind == EventKind::kPoliciesFlushed;
    EXPECT_EQ(one.event.in_our_ranges(), !flush);
  }
  Event foreign = sa_event(EventKind::kSaDeleted);
  foreign.reqid = 16385;
  EXPECT_FALSE(foreign.in_our_ranges());
}

TEST(Events, KindsThatWeDoNotFollowAreNothing) {
  for (const std::uint16_t type : {XFRM_MSG_NEWAE, XFRM_MSG_MAPPING, XFRM_MSG_REPORT}) {
    const auto event = decode_event(message_of(type, Bytes(64)));
    ASSERT_TRUE(event);
    EXPECT_FALSE(event->has_value());
  }
}

TEST(Events, EveryTruncationIsRefusedOrSaysLess) {
  for (const Case& one : all_events()) {
    for (std::size_t size = 0; size < one.payload.size(); ++size) {
      const auto event = decode_event(message_of(one.type, first(one.payload, size)));
      if (!event) {
        EXPECT_EQ(event.error().kind, kBadMessage);
      }
    }
  }
  // The fixed part, and the object of a deletion, cannot be done without.
  for (const Case& one : all_events()) {
    if (one.payload.size() < 8) continue;
    EXPECT_FALSE(decode_event(message_of(one.type, first(one.payload, 8)))) << one.type;
  }
  EXPECT_FALSE(decode_event(message_of(XFRM_MSG_DELSA, first(sa_deletion(), 24))));
  EXPECT_FALSE(decode_event(message_of(XFRM_MSG_DELPOLICY, first(policy_deletion(), 64))));
}

TEST(Events, AnUnknownFamilyShowsNoAddress) {
  const Bytes odd = test::with<xfrm_usersa_info>(
      sa_info(), [](xfrm_usersa_info& info) { info.family = AF_UNIX; });
  const auto event = decode_event(message_of(XFRM_MSG_NEWSA, odd));
  ASSERT_TRUE(event && *event);
  EXPECT_TRUE((*event)->destination.is_unspecified());
}

}  // namespace
}  // namespace gkmpd::xfrm
