#include <gtest/gtest.h>

#include "agent/base/address.h"
#include "agent/base/bytes.h"
#include "agent/base/ids.h"
#include "agent/base/secret.h"

namespace gkmpd {
namespace {

TEST(Bytes, NumbersGoMostSignificantOctetFirst) {
  Bytes out;
  append_u16(out, 0x0102);
  append_u32(out, 0x03040506);
  append_u64(out, 0x0708090a0b0c0d0e);
  EXPECT_EQ(to_hex(out), "0102030405060708090a0b0c0d0e");
}

TEST(Bytes, HexRoundTripsAndRefusesTheRest) {
  EXPECT_EQ(from_hex("00fFA5"), (Bytes{0x00, 0xff, 0xa5}));
  EXPECT_EQ(from_hex(""), Bytes{});
  EXPECT_EQ(from_hex("0"), std::nullopt);
  EXPECT_EQ(from_hex("0g"), std::nullopt);
}

TEST(Secret, MovesAndLeavesNothingBehind) {
  Secret first = Secret::copy_of(as_bytes("key"));
  Secret second = std::move(first);
  EXPECT_EQ(as_text(second.expose()), "key");
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): the contract under test
}

TEST(Secret, TakeWipesItsSource) {
  Bytes source{1, 2, 3};
  const std::uint8_t* octets = source.data();
  const Secret secret = Secret::take(std::move(source));
  EXPECT_EQ(secret.size(), 3U);
  // Capacity is kept, so the octets are still ours to read.
  EXPECT_EQ(source.capacity(), 3U);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(octets, source.data());
}

TEST(Secret, ComparesByLengthAndContent) {
  const Secret a = Secret::copy_of(as_bytes("abc"));
  EXPECT_TRUE(a.equals(a.clone()));
  EXPECT_FALSE(a.equals(Secret::copy_of(as_bytes("abd"))));
  EXPECT_FALSE(a.equals(Secret::copy_of(as_bytes("ab"))));
  EXPECT_TRUE(Secret().equals(Secret()));
}

TEST(IpAddress, ParsesBothFamiliesAndPrintsThemBack) {
  for (const char* text : {"10.9.0.1", "239.1.1.1", "fd09::1", "ff05::1111"}) {
    const auto address = IpAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->text(), text);
  }
  for (const char* text : {"", "10.9.0", "10.9.0.1/24", "fe80::1%eth0", "host"}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
  EXPECT_FALSE(IpAddress::parse(std::string_view("10.9.0.1\0x", 10)));
}

TEST(IpAddress, KnowsMulticastAndItsScope) {
  const auto multicast = [](const char* text) { return IpAddress::parse(text)->is_multicast(); };
  const auto link = [](const char* text) {
    return IpAddress::parse(text)->is_link_scope_multicast();
  };
  EXPECT_TRUE(multicast("224.0.0.0"));
  EXPECT_TRUE(multicast("239.255.255.255"));
  EXPECT_FALSE(multicast("240.0.0.0"));
  EXPECT_FALSE(multicast("223.255.255.255"));
  EXPECT_TRUE(link("224.0.0.22"));
  EXPECT_FALSE(link("224.0.1.0"));
  EXPECT_TRUE(link("ff02::16"));
  EXPECT_FALSE(link("ff05::2"));
}

TEST(EpochTuple, ALowerRankIsBetter) {
  const EpochTuple base{1, 1, 1, 1};
  EXPECT_LT(base, (EpochTuple{2, 0, 9, 0}));
  EXPECT_LT(base, (EpochTuple{1, 2, 9, 0}));
  EXPECT_LT(base, (EpochTuple{1, 1, 0, 0}));
  EXPECT_LT(base, (EpochTuple{1, 1, 1, 2}));
}

}  // namespace
}  // namespace gkmpd
