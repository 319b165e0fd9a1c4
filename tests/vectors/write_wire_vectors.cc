// Writes the wire vectors and the seeds of the fuzz corpus made from them. Run by hand when the
// format changes: write_wire_vectors tests/vectors/wire tests/fuzz/wire/corpus
#include <filesystem>
#include <fstream>
#include <iostream>

#include "agent/wire/fragment.h"
#include "tests/vectors/wire_text.h"

namespace {

using gkmpd::Bytes;
using gkmpd::ByteView;
namespace wire = gkmpd::wire;
namespace samples = gkmpd::wire::samples;

bool write(const std::filesystem::path& path, std::string_view octets) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary);
  out << octets;
  return out.good();
}

bool write_vectors(const std::filesystem::path& directory) {
  bool good = true;
  for (const samples::VectorFile& file : samples::vector_files()) {
    good = write(directory / file.name, file.text) && good;
  }
  return good;
}

bool write_corpus(const std::filesystem::path& directory) {
  bool good = true;
  for (const samples::MessageSample& sample : samples::messages()) {
    const Bytes body = wire::encode_body(sample.message);
    Bytes datagram = gkmpd::to_bytes(wire::encode_header(sample.header));
    gkmpd::append(datagram, body);
    // The body target takes the message's type from the first octet.
    Bytes typed{static_cast<std::uint8_t>(sample.header.type)};
    gkmpd::append(typed, body);
    good = write(directory / "datagram" / sample.name, gkmpd::as_text(datagram)) && good;
    good = write(directory / "body" / sample.name, gkmpd::as_text(typed)) && good;
  }
  const auto put = [&](std::string_view target, const Bytes& octets) {
    good = write(directory / target / "sample", gkmpd::as_text(octets)) && good;
  };
  put("statement", wire::encode(samples::statement()));
  put("sender_table", wire::encode(samples::sender_table()));
  put("exclusion_set", wire::encode(samples::exclusion_set()));
  put("group_report", wire::encode(samples::group_report()));
  // Steps of five octets: index, count, size (two octets), fill. Three fragments, the last first.
  put("reassembler", {2, 3, 0x00, 0x07, 0xcc, 0, 3, 0x04, 0x98, 0xaa, 1, 3, 0x04, 0x98, 0xbb});
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: write_wire_vectors VECTOR_DIRECTORY CORPUS_DIRECTORY\n";
    return 2;
  }
  if (!write_vectors(argv[1]) || !write_corpus(argv[2])) {
    std::cerr << "cannot write\n";
    return 1;
  }
  return 0;
}
