#include "tests/unit/ctl/program.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace gkmpd::ctl {

Workplace::Workplace() {
  std::string name = (std::filesystem::temp_directory_path() / "gkmpd-ctl-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) std::abort();
  directory_ = name;
}

Workplace::~Workplace() { std::filesystem::remove_all(directory_); }

Outcome Workplace::run(const std::string& command) const {
  const std::string line = "cd " + directory_.string() + " && { " + command + "\n} 2>&1";
  std::FILE* pipe = popen(line.c_str(), "r");
  if (pipe == nullptr) std::abort();
  Outcome outcome;
  char buffer[4096];
  while (const std::size_t size = fread(buffer, 1, sizeof buffer, pipe)) {
    outcome.output.append(buffer, size);
  }
  const int status = pclose(pipe);
  if (WIFEXITED(status)) outcome.code = WEXITSTATUS(status);
  return outcome;
}

std::string Workplace::program() {
  // The build puts all programs into one directory.
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "gkmpctl";
}

Outcome Workplace::gkmpctl(const std::string& arguments) const {
  return run(program() + " " + arguments);
}

std::string Workplace::read(const std::string& file) const {
  std::ifstream stream(directory_ / file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void Workplace::write(const std::string& file, const std::string& content) const {
  std::ofstream(directory_ / file, std::ios::binary) << content;
}

bool Workplace::has(const std::string& file) const {
  return std::filesystem::exists(directory_ / file);
}

unsigned Workplace::mode(const std::string& file) const {
  struct stat status{};
  if (stat((directory_ / file).c_str(), &status) != 0) return 0;
  return status.st_mode & 07777;
}

Outcome Workplace::init(const std::string& key_type) const {
  return gkmpctl("pki init --dir ca --name test-ca --key-type " + key_type);
}

std::string Workplace::request(const std::string& name, const std::string& key_type) const {
  const Outcome made = gkmpctl("pki csr --name " + name + " --key " + name + ".key --out " + name +
                               ".csr --key-type " + key_type);
  return field(made.output, "fingerprint");
}

Outcome Workplace::issue(const std::string& name, const std::string& more,
                         const std::string& key_type) const {
  const std::string fingerprint = request(name, key_type);
  return gkmpctl("pki issue --dir ca --csr " + name + ".csr --fingerprint " + fingerprint +
                 " --level 2 --category blue --out " + name + ".pem " + more);
}

std::string field(const std::string& text, const std::string& label) {
  const std::string head = label + ": ";
  const std::size_t at = text.find(head);
  if (at == std::string::npos) return {};
  const std::size_t start = at + head.size();
  return text.substr(start, text.find('\n', start) - start);
}

}  // namespace gkmpd::ctl
