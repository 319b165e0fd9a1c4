// Writes the seeds of the fuzz targets: `crypto_corpus DIRECTORY`. Run by hand when what we make
// changes its form; the outcome is committed.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "agent/crypto/cms.h"
#include "agent/crypto/random.h"
#include "tests/unit/crypto/pki.h"

namespace gkmpd::crypto {
namespace {

void write(const std::filesystem::path& path, ByteView octets) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary);
  out << as_text(octets);
}

void write_seeds(const std::filesystem::path& directory, KeyType type) {
  const std::string name(to_text(type));
  const Holder root = Holder::root(type);
  CertificateTemplate wanted = host_template("host-a");
  wanted.addresses = {*IpAddress::parse("10.9.0.1"), *IpAddress::parse("fd09::1")};
  wanted.permissions = Bytes{0x30, 0x03, 0x02, 0x01, 0x01};
  wanted.for_commander = true;
  const Holder host = root.issue(wanted, type);
  write(directory / "certificate" / ("root-" + name), root.certificate.der());
  write(directory / "certificate" / ("host-" + name), host.certificate.der());
  write(directory / "certificate" / ("pem-" + name), as_bytes(host.certificate.to_pem()));
  write(directory / "crl" / ("empty-" + name), root.crl(1, {}).der());
  write(directory / "crl" / ("some-" + name),
        root.crl(2, {{host.certificate.serial(), kToday}, {"0A", kToday}}).der());
  const CertificateRequest request = CertificateRequest::make(host.key, "host-a").value();
  write(directory / "request" / ("der-" + name), request.der());
  write(directory / "request" / ("pem-" + name), as_bytes(request.to_pem()));
  write(directory / "public_key" / name, host.key.public_key().spki());
  if (type == KeyType::kEd25519) return;
  write(directory / "cms" / name, cms_sign(as_bytes("kind = \"x\"\n"), oid_group_token(),
                                           host.certificate, host.key, {root.certificate})
                                      .value());
}

}  // namespace
}  // namespace gkmpd::crypto

int main(int count, char** arguments) {
  using gkmpd::crypto::KeyType;
  if (count != 2) {
    std::fprintf(stderr, "usage: crypto_corpus DIRECTORY\n");
    return 2;
  }
  const gkmpd::crypto::SeededRandom::OpenSslOverride override(1);
  for (const KeyType type : {KeyType::kEcdsaP256, KeyType::kEcdsaP384, KeyType::kEd25519}) {
    gkmpd::crypto::write_seeds(arguments[1], type);
  }
  return 0;
}
