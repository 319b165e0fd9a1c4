#include "agent/wire/codec.h"

#include <gtest/gtest.h>

#include <limits>

#include "agent/wire/values.h"

namespace gkmpd::wire {
namespace {

template <typename T>
void expect_numbers_round_trip() {
  for (int bit = 0; bit < std::numeric_limits<T>::digits; ++bit) {
    const auto power = static_cast<T>(std::uint64_t{1} << bit);
    for (const T value : {static_cast<T>(power - 1), power, static_cast<T>(power + 1)}) {
      Writer out;
      out.number(value);
      const Bytes octets = out.take();
      ASSERT_EQ(octets.size(), sizeof(T));
      Reader in(octets);
      EXPECT_EQ(in.number<T>(), value);
      EXPECT_TRUE(in.finish());
    }
  }
}

TEST(Codec, NumbersRoundTripAroundEveryPowerOfTwo) {
  expect_numbers_round_trip<std::uint8_t>();
  expect_numbers_round_trip<std::uint16_t>();
  expect_numbers_round_trip<std::uint32_t>();
  expect_numbers_round_trip<std::uint64_t>();
}

TEST(Codec, NumbersAreBigEndian) {
  Writer out;
  out.number<std::uint16_t>(0x0102);
  out.number<std::uint32_t>(0x03040506);
  out.number<std::uint64_t>(0x0708090a0b0c0d0e);
  EXPECT_EQ(to_hex(out.take()), "0102030405060708090a0b0c0d0e");
}

TEST(Reader, ViewsTheCallersOctets) {
  const Bytes octets{1, 2, 3};
  Reader in(octets);
  EXPECT_EQ(in.octets(2).data(), octets.data());
  EXPECT_EQ(in.left(), 1U);
}

TEST(Reader, FirstErrorSticks) {
  const Bytes octets{1, 2, 3};
  Reader in(octets);
  EXPECT_EQ(in.number<std::uint16_t>(), 0x0102);
  EXPECT_EQ(in.number<std::uint16_t>(), 0);
  EXPECT_FALSE(in.ok());
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(in.number<std::uint8_t>(), 0);
  in.fail(kBadValue, "later");
  EXPECT_EQ(in.finish().error().kind, kTruncated);
}

TEST(Reader, SaysWhatIsLeftOver) {
  const Bytes octets{1, 2, 3};
  Reader in(octets);
  (void)in.number<std::uint8_t>();
  EXPECT_EQ(in.finish().error().kind, kTrailing);
}

TEST(Values, AnAddressReadOverAnotherKeepsNothingOfIt) {
  const Bytes octets{4, 10, 9, 0, 1};
  Reader in(octets);
  IpAddress address = *IpAddress::parse("fd09::1");
  get(in, address);
  EXPECT_EQ(address, *IpAddress::parse("10.9.0.1"));
}

}  // namespace
}  // namespace gkmpd::wire
