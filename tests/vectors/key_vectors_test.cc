// The vectors in tests/vectors/keys are the key schedule: what we derive must be their octets.
// decode.py derives them again, after docs/PROTOCOL.md.
#include "tests/vectors/key_vectors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

namespace gkmpd::test {
namespace {

const std::filesystem::path kDirectory = GKMPD_KEY_VECTORS;

std::vector<NamedOctets> read(const std::string& name) {
  std::ifstream in(kDirectory / name, std::ios::binary);
  EXPECT_TRUE(in.good()) << name;
  const auto fields = fields_of_text(
      std::string{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()});
  EXPECT_TRUE(fields) << name;
  return fields.value_or(std::vector<NamedOctets>{});
}

TEST(KeyVectors, AreWhatWeDerive) {
  for (const KeyVectorFile& file : key_vector_files()) {
    const auto written = read(file.name);
    ASSERT_EQ(written.size(), file.fields.size()) << file.name;
    for (std::size_t i = 0; i < written.size(); ++i) {
      EXPECT_EQ(written[i].name, file.fields[i].name) << file.name;
      EXPECT_EQ(to_hex(written[i].octets), to_hex(file.fields[i].octets))
          << file.name << ": " << written[i].name;
    }
  }
}

TEST(KeyVectors, SignaturesHold) {
  const auto fields = read("signatures.txt");
  const auto octets = [&](const std::string& name) {
    const auto found = std::ranges::find(fields, name, &NamedOctets::name);
    EXPECT_NE(found, fields.end()) << name;
    return found == fields.end() ? Bytes{} : found->octets;
  };
  EXPECT_EQ(octets("content"), signed_content());
  for (const char* type : {"p256", "p384", "ed25519"}) {
    const auto key = crypto::PublicKey::from_spki(octets(std::string(type) + " public key"));
    ASSERT_TRUE(key) << type;
    for (const SignatureUse& use : signature_uses()) {
      EXPECT_TRUE(
          key->verify(use.context, {signed_content()}, octets(std::string(type) + " " + use.name)))
          << type << " " << use.name;
    }
  }
}

TEST(KeyVectors, NothingElseStandsThere) {
  std::set<std::string> ours = {"signatures.txt"};
  for (const KeyVectorFile& file : key_vector_files()) ours.insert(file.name);
  std::set<std::string> theirs;
  for (const auto& entry : std::filesystem::directory_iterator(kDirectory)) {
    theirs.insert(entry.path().filename().string());
  }
  EXPECT_EQ(ours, theirs);
}

}  // namespace
}  // namespace gkmpd::test
