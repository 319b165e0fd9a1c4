// Runs gkmpctl and openssl in a directory of their own, as an operator would.
#pragma once

#include <filesystem>
#include <string>

namespace gkmpd::ctl {

struct Outcome {
  int code = -1;
  std::string output;  // stdout and stderr
};

class Workplace {
 public:
  Workplace();
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;
  ~Workplace();

  /// A shell command; its files are relative to the workplace.
  [[nodiscard]] Outcome run(const std::string& command) const;
  /// Where gkmpctl is.
  [[nodiscard]] static std::string program();
  /// gkmpctl with these arguments.
  [[nodiscard]] Outcome gkmpctl(const std::string& arguments) const;

  [[nodiscard]] std::string read(const std::string& file) const;
  void write(const std::string& file, const std::string& content) const;
  [[nodiscard]] bool has(const std::string& file) const;
  /// Permission bits.
  [[nodiscard]] unsigned mode(const std::string& file) const;

  /// Makes a security manager in ca/.
  [[nodiscard]] Outcome init(const std::string& key_type = "p256") const;
  /// Makes NAME.key and NAME.csr; the fingerprint that gkmpctl prints for it.
  [[nodiscard]] std::string request(const std::string& name,
                                    const std::string& key_type = "p256") const;
  /// request() and its certificate NAME.pem, with further arguments of pki issue.
  [[nodiscard]] Outcome issue(const std::string& name, const std::string& more,
                              const std::string& key_type = "p256") const;

 private:
  std::filesystem::path directory_;
};

/// Of a group "demo" of hosts a and b, both senders, controlled by a.
inline constexpr const char* kPolicy = R"(kind = "gkmp-group-token-1"
version = 1
group = "demo"
not_before = 2026-01-01T00:00:00Z
not_after = 2099-01-01T00:00:00Z
controllers = ["a"]
actions = ["create"]
level = 2
categories = ["blue"]
rekey_interval_s = 3600
senders = ["a", "b"]
[ipsec]
address = "239.1.1.1"
spi_prefix = 10
[control]
address = "239.1.1.2"
port = 8480
)";

/// What stands behind "label: " in a text, up to the end of the line.
[[nodiscard]] std::string field(const std::string& text, const std::string& label);

}  // namespace gkmpd::ctl
