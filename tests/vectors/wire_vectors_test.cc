// The vectors in tests/vectors/wire are the format: what we encode must be their octets, and what
// they hold must decode to what was encoded.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "tests/vectors/vector_text.h"
#include "tests/vectors/wire_text.h"

namespace gkmpd::wire::samples {
namespace {

const std::filesystem::path kDirectory = GKMPD_WIRE_VECTORS;

std::string read_file(const std::string& name) {
  std::ifstream in(kDirectory / name, std::ios::binary);
  EXPECT_TRUE(in.good()) << name;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

Bytes read_octets(const std::string& name) {
  const auto fields = test::fields_of_text(read_file(name));
  EXPECT_TRUE(fields) << name;
  Bytes octets;
  for (const auto& field : fields.value_or(std::vector<test::NamedOctets>{})) {
    append(octets, field.octets);
  }
  return octets;
}

TEST(WireVectors, AreWhatWeEncode) {
  std::set<std::string> ours;
  for (const VectorFile& file : vector_files()) {
    ours.insert(file.name);
    EXPECT_EQ(to_hex(read_octets(file.name)), to_hex(file.octets)) << file.name;
    EXPECT_EQ(read_file(file.name), file.text) << file.name;
  }
  std::set<std::string> theirs;
  for (const auto& entry : std::filesystem::directory_iterator(kDirectory)) {
    theirs.insert(entry.path().filename().string());
  }
  EXPECT_EQ(ours, theirs);
}

TEST(WireVectors, MessagesDecodeToTheirSamples) {
  for (const MessageSample& sample : messages()) {
    const Bytes octets = read_octets(std::string(sample.name) + ".txt");
    // What is sealed has a tag behind it on the wire, and may be shorter than that before.
    Bytes on_the_wire = octets;
    if (is_sealed(sample.header.type)) on_the_wire.resize(octets.size() + kSealOverhead);
    const auto datagram = decode_datagram(on_the_wire);
    ASSERT_TRUE(datagram) << sample.name << ": " << datagram.error().text();
    EXPECT_EQ(datagram->header, sample.header) << sample.name;
    const auto message = decode_body(datagram->header.type, ByteView(octets).subspan(kHeaderSize));
    ASSERT_TRUE(message) << sample.name << ": " << message.error().text();
    EXPECT_EQ(*message, sample.message) << sample.name;
  }
}

TEST(WireVectors, ObjectsDecodeToTheirSamples) {
  EXPECT_EQ(decode_statement(read_octets("statement.txt")).value(), statement());
  EXPECT_EQ(decode_statement(read_octets("statement-of-a-rekey.txt")).value(), rekey_statement());
  EXPECT_EQ(decode_sender_table(read_octets("sender-table.txt")).value(), sender_table());
  EXPECT_EQ(decode_exclusion_set(read_octets("exclusion-set.txt")).value(), exclusion_set());
  EXPECT_EQ(decode_group_report(read_octets("group-report.txt")).value(), group_report());
}

}  // namespace
}  // namespace gkmpd::wire::samples
