// What the kernel that the tests run on offers, and that asking leaves nothing behind.
#include "xfrm/offer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/crypto/random.h"
#include "tests/kernel/groups.h"
#include "tests/kernel/independent_reader.h"

namespace gkmpd::test {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<xfrm::KernelLack> ask(const Segment& segment) {
  const Inside inside(segment.host("a"));
  crypto::SystemRandom random;
  auto lacks = xfrm::find_lacks(random);
  EXPECT_TRUE(lacks) << lacks.error().text();
  return lacks.value_or(std::vector<xfrm::KernelLack>{});
}

std::string text_of(const std::vector<xfrm::KernelLack>& lacks) {
  std::string text;
  for (const xfrm::KernelLack& lack : lacks)
    text += name_of(lack.suite) + (lack.only_esn ? " ESN: " : ": ") + lack.remedy + "\n";
  return text;
}

TEST(KernelOffer, TheKernelOfTheTestsHasEverySuite) {
  const Segment segment({"a"});
  const auto lacks = ask(segment);
  EXPECT_THAT(lacks, IsEmpty()) << text_of(lacks);
}

TEST(KernelOffer, AskingLeavesNothingBehindAndTouchesNobody) {
  const Segment segment({"a"});
  Agent agent(segment, "a");
  agent.apply(sending("10.9.0.1", 0x0a000001));
  const std::string foreign =
      "xfrm state add src 10.9.0.9 dst 239.1.1.9 proto esp spi 0x900 reqid 9 mode transport aead "
      "rfc4106(gcm(aes)) 0x000102030405060708090a0b0c0d0e0f10111213 128";
  segment.ip("a", foreign);
  const auto before = read_sas(segment, "a");
  ASSERT_THAT(before, SizeIs(2));
  for (int i = 0; i < 3; ++i) EXPECT_THAT(ask(segment), IsEmpty());
  EXPECT_EQ(read_sas(segment, "a"), before);
}

}  // namespace
}  // namespace gkmpd::test
