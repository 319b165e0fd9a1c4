#include "agent/daemon/base64.h"

#include <gtest/gtest.h>

namespace gkmpd::daemon {
namespace {

TEST(Base64, VectorsOfRfc4648) {
  const std::pair<std::string, std::string> rows[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const auto& [plain, text] : rows) {
    EXPECT_EQ(to_base64(as_bytes(plain)), text);
    ASSERT_TRUE(from_base64(text)) << text;
    EXPECT_EQ(as_text(*from_base64(text)), plain);
  }
}

TEST(Base64, EveryOctetComesBack) {
  Bytes octets;
  for (int i = 0; i < 256; ++i) {
    octets.push_back(static_cast<std::uint8_t>(i));
    EXPECT_EQ(from_base64(to_base64(octets)), octets);
  }
}

TEST(Base64, OnlyTheOneSpellingIsTaken) {
  for (const std::string bad : {"Zg", "Zg=", "Z===", "====", "Zh==", "Zm9=", "Zg==Zg==", "Zm 9",
                                "Zm9-", "Zm9v\n", "=g=="}) {
    EXPECT_FALSE(from_base64(bad)) << bad;
  }
}

}  // namespace
}  // namespace gkmpd::daemon
