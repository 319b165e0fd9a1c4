#include "tests/unit/crypto/openssl_program.h"

#include <stdlib.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace gkmpd::crypto {

OpensslProgram::OpensslProgram()
    : directory_(std::filesystem::temp_directory_path() / "gkmpd-openssl-XXXXXX") {
  if (mkdtemp(directory_.data()) == nullptr) throw std::runtime_error("no temporary directory");
}

OpensslProgram::~OpensslProgram() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

OpensslProgram::Outcome OpensslProgram::run(const std::string& arguments) const {
  const std::string command =
      "cd '" + directory_ + "' && openssl " + arguments + " >stdout.txt 2>stderr.txt </dev/null";
  Outcome outcome;
  // NOLINTNEXTLINE(cert-env33-c): a shell is wanted, and the words are the test's own
  const int status = std::system(command.c_str());
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  outcome.output = read("stdout.txt") + read("stderr.txt");
  return outcome;
}

std::string OpensslProgram::must(const std::string& arguments) const {
  const Outcome outcome = run(arguments);
  if (outcome.status != 0) {
    throw std::runtime_error("openssl " + arguments + ": " + outcome.output);
  }
  return outcome.output;
}

void OpensslProgram::write(const std::string& file, std::string_view content) const {
  std::ofstream out(directory_ + "/" + file, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  if (!out.flush()) throw std::runtime_error("cannot write " + file);
}

std::string OpensslProgram::read(const std::string& file) const {
  std::ifstream in(directory_ + "/" + file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + file);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace gkmpd::crypto
