// Which groups an event of the kernel is about.
#include "agent/daemon/kernel_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gkmpd::daemon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using xfrm::Event;
using xfrm::EventKind;

constexpr std::uint32_t kOwnPort = 4711;
const IpAddress kA = *IpAddress::parse("239.1.1.1");
const IpAddress kB = *IpAddress::parse("ff05::1");
const std::vector<IpAddress> kOurs{kA, kB};

Event event(EventKind kind, const IpAddress& destination, std::uint32_t requester = 99) {
  Event event;
  event.kind = kind;
  event.destination = destination;
  event.requester = requester;
  return event;
}

TEST(KernelWatch, WhatOthersDoAtAnAddressConcernsItsGroups) {
  for (const EventKind kind :
       {EventKind::kHardExpire, EventKind::kSaAdded, EventKind::kSaUpdated, EventKind::kSaDeleted,
        EventKind::kPolicyAdded, EventKind::kPolicyUpdated, EventKind::kPolicyDeleted}) {
    EXPECT_THAT(concerned(event(kind, kA), kOwnPort, kOurs), ElementsAre(kA));
    EXPECT_THAT(concerned(event(kind, kB, 0), kOwnPort, kOurs), ElementsAre(kB));
    EXPECT_THAT(concerned(event(kind, *IpAddress::parse("239.1.1.3")), kOwnPort, kOurs), IsEmpty());
    EXPECT_THAT(concerned(event(kind, kA, kOwnPort), kOwnPort, kOurs), IsEmpty()) << "our own";
  }
}

TEST(KernelWatch, AFlushConcernsAll) {
  for (const EventKind kind : {EventKind::kSasFlushed, EventKind::kPoliciesFlushed}) {
    EXPECT_THAT(concerned(event(kind, {}), kOwnPort, kOurs), ElementsAre(kA, kB));
    EXPECT_THAT(concerned(event(kind, {}, kOwnPort), kOwnPort, kOurs), IsEmpty());
  }
}

TEST(KernelWatch, WhatMayOpenAnAddressIsUrgent) {
  for (const EventKind kind : {EventKind::kPolicyAdded, EventKind::kPolicyUpdated,
                               EventKind::kPolicyDeleted, EventKind::kPoliciesFlushed}) {
    EXPECT_EQ(urgency_of(event(kind, kA)), Urgency::kAtOnce);
  }
  for (const EventKind kind : {EventKind::kHardExpire, EventKind::kSaAdded, EventKind::kSaUpdated,
                               EventKind::kSaDeleted, EventKind::kSasFlushed}) {
    EXPECT_EQ(urgency_of(event(kind, kA)), Urgency::kMayWait);
  }
}

TEST(KernelWatch, WhatChangesNothingConcernsNobody) {
  for (const EventKind kind : {EventKind::kAcquire, EventKind::kSoftExpire}) {
    EXPECT_THAT(concerned(event(kind, kA), kOwnPort, kOurs), IsEmpty());
  }
}

}  // namespace
}  // namespace gkmpd::daemon
