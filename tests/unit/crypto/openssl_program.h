// The openssl program as an independent reader and maker of what this directory makes and reads.
#pragma once

#include <string>
#include <string_view>

namespace gkmpd::crypto {

/// A directory of its own in which the program runs; removed at the end.
class OpensslProgram {
 public:
  OpensslProgram();
  OpensslProgram(const OpensslProgram&) = delete;
  OpensslProgram& operator=(const OpensslProgram&) = delete;
  ~OpensslProgram();

  struct Outcome {
    int status = -1;
    std::string output;  // standard output, then standard error
  };
  /// Runs `openssl ARGUMENTS`, words split as a shell does.
  [[nodiscard]] Outcome run(const std::string& arguments) const;
  /// Runs it and gives what it printed; throws if it failed.
  std::string must(const std::string& arguments) const;

  void write(const std::string& file, std::string_view content) const;
  [[nodiscard]] std::string read(const std::string& file) const;

 private:
  std::string directory_;
};

}  // namespace gkmpd::crypto
