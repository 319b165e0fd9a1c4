#include "tests/support/rogue/files.h"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>

namespace gkmpd::rogue {

void give_up(const std::string& why) {
  std::cerr << why << '\n';
  std::exit(1);
}

std::string read_file(const Path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) give_up(file.string() + ": cannot read");
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const Path& file, std::string_view octets, bool is_private) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  if (is_private) {
    std::filesystem::permissions(
        file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  out << octets;
  out.flush();
  if (!out) give_up(file.string() + ": cannot write");
}

crypto::Certificate read_certificate(const Path& file) {
  return must(crypto::Certificate::from_pem(read_file(file)), file.string());
}

crypto::PrivateKey read_key(const Path& file) {
  const std::string pem = read_file(file);
  return must(crypto::PrivateKey::from_pem(Secret::copy_of(as_bytes(pem))), file.string());
}

identity::TrustStore read_trust(const Path& anchor, const Path& crl, WallTime now) {
  auto trust = must(identity::TrustStore::make(read_certificate(anchor)), anchor.string());
  must(trust.accept_crl(must(crypto::Crl::from_pem(read_file(crl)), crl.string()), now),
       crl.string());
  return trust;
}

test::TestHost read_host(const Path& directory, const std::string& name) {
  return {name, read_key(directory / (name + ".key")),
          read_certificate(directory / (name + ".pem"))};
}

void write_host(const Path& directory, const std::string& name, const crypto::Certificate& shown,
                const crypto::PrivateKey& key) {
  write_file(directory / (name + ".pem"), shown.to_pem());
  write_file(directory / (name + ".key"), as_text(key.to_pem().expose()), true);
}

}  // namespace gkmpd::rogue
