// Writes the key vectors. Run by hand when something of them changes:
// write_key_vectors tests/vectors/keys
#include <filesystem>
#include <fstream>
#include <iostream>

#include "tests/vectors/key_vectors.h"

int main(int argc, char** argv) {
  namespace test = gkmpd::test;
  if (argc != 2) {
    std::cerr << "usage: write_key_vectors DIRECTORY\n";
    return 2;
  }
  std::filesystem::create_directories(argv[1]);
  std::vector<test::KeyVectorFile> files = test::key_vector_files();
  files.push_back(test::signature_vector_file());
  for (const test::KeyVectorFile& file : files) {
    std::string text;
    for (const auto& field : file.fields) test::put_field(text, field.octets, field.name);
    std::ofstream out(std::filesystem::path(argv[1]) / file.name, std::ios::binary);
    out << text;
    if (!out.good()) {
      std::cerr << "cannot write " << file.name << "\n";
      return 1;
    }
  }
  return 0;
}
