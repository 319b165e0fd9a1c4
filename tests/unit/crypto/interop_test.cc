// Both ways between this directory and the openssl program: it reads ours, we read its.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "agent/crypto/cms.h"
#include "agent/crypto/errors.h"
#include "agent/crypto/x509.h"
#include "tests/unit/crypto/hex.h"
#include "tests/unit/crypto/openssl_program.h"
#include "tests/unit/crypto/pki.h"

namespace gkmpd::crypto {
namespace {

using testing::HasSubstr;

constexpr std::string_view kTokenText = "kind = \"gkmp-group-token-1\"\ngroup = \"demo\"\n";

class Interop : public testing::TestWithParam<KeyType> {
 protected:
  /// `genpkey` arguments that make a key of the type under test.
  [[nodiscard]] std::string genpkey() const {
    switch (GetParam()) {
      case KeyType::kEcdsaP256:
        return "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256";
      case KeyType::kEcdsaP384:
        return "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384";
      case KeyType::kEd25519:
        return "genpkey -algorithm ED25519";
    }
    return {};
  }

  /// root.pem/root.key and host.pem/host.key, made by the program.
  void make_pki() const {
    openssl.must(genpkey() + " -out root.key");
    openssl.must(
        "req -x509 -new -key root.key -subj '/O=Test/CN=Plain Root' -days 30 -out root.pem");
    openssl.must(genpkey() + " -out host.key");
    openssl.must("req -new -key host.key -subj '/O=Test/CN=Ignored' -out host.csr");
    openssl.write("host.ext",
                  "subjectAltName=DNS:Host-P.example,IP:10.9.0.7,IP:fd09::7\n"
                  "keyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\n"
                  "extendedKeyUsage=" +
                      std::string(oid_eku_gkmp()) + ",emailProtection\n" +
                      std::string(oid_permissions()) + "=DER:30:03:02:01:01\n");
    openssl.must(
        "x509 -req -in host.csr -CA root.pem -CAkey root.key -days 10 -set_serial 0x0A1B2C "
        "-extfile host.ext -out host.pem");
  }

  [[nodiscard]] Certificate certificate(const std::string& file) const {
    return Certificate::from_pem(openssl.read(file)).value();
  }

  OpensslProgram openssl;
};

INSTANTIATE_TEST_SUITE_P(AllKeyTypes, Interop,
                         testing::Values(KeyType::kEcdsaP256, KeyType::kEcdsaP384,
                                         KeyType::kEd25519),
                         [](const auto& type) { return std::string(to_text(type.param)); });

const std::string kAtToday = " -attime " + std::to_string(to_unix(kToday)) + " ";

TEST_P(Interop, TheProgramReadsOurCertificates) {
  const Holder root = Holder::root(GetParam());
  CertificateTemplate wanted = host_template("host-a");
  wanted.addresses = {*IpAddress::parse("10.9.0.1")};
  wanted.permissions = hex("3003020101");
  const Holder host = root.issue(wanted, GetParam());
  openssl.write("root.pem", root.certificate.to_pem());
  openssl.write("host.pem", host.certificate.to_pem());

  const std::string text = openssl.must("x509 -in host.pem -noout -text");
  EXPECT_THAT(text, HasSubstr("Version: 3 (0x2)"));
  EXPECT_THAT(text, HasSubstr("Issuer: CN = Test Root"));
  EXPECT_THAT(text, HasSubstr("Subject: CN = host-a"));
  EXPECT_THAT(text, HasSubstr("DNS:host-a, IP Address:10.9.0.1"));
  EXPECT_THAT(text, HasSubstr("X509v3 Basic Constraints: critical\n                CA:FALSE"));
  EXPECT_THAT(text, HasSubstr("X509v3 Key Usage: critical\n                Digital Signature\n"));
  EXPECT_THAT(text, HasSubstr(std::string(oid_eku_gkmp())));
  EXPECT_THAT(text, HasSubstr(std::string(oid_permissions()) + ": \n"));
  EXPECT_THAT(text, HasSubstr("X509v3 Subject Key Identifier"));
  EXPECT_THAT(text, HasSubstr("X509v3 Authority Key Identifier"));
  EXPECT_EQ(openssl.must("x509 -in host.pem -noout -serial"),
            "serial=" + host.certificate.serial() + "\n");
  EXPECT_EQ(openssl.must("verify -x509_strict" + kAtToday + "-CAfile root.pem host.pem"),
            "host.pem: OK\n");
}

TEST_P(Interop, TheProgramReadsOurLists) {
  const Holder root = Holder::root(GetParam());
  const Holder good = root.issue(host_template("good"));
  const Holder bad = root.issue(host_template("bad"));
  openssl.write("root.pem", root.certificate.to_pem());
  openssl.write("good.pem", good.certificate.to_pem());
  openssl.write("bad.pem", bad.certificate.to_pem());
  openssl.write("crl.pem", root.crl(77, {{bad.certificate.serial(), kToday}}).to_pem());

  const std::string text = openssl.must("crl -in crl.pem -noout -text -CAfile root.pem");
  EXPECT_THAT(text, HasSubstr("verify OK"));
  EXPECT_THAT(text, HasSubstr("X509v3 CRL Number: \n                77"));
  EXPECT_THAT(text, HasSubstr("Serial Number: " + bad.certificate.serial()));
  const std::string verify =
      "verify -crl_check -x509_strict" + kAtToday + "-CAfile root.pem -CRLfile crl.pem ";
  EXPECT_EQ(openssl.must(verify + "good.pem"), "good.pem: OK\n");
  const auto revoked = openssl.run(verify + "bad.pem");
  EXPECT_NE(revoked.status, 0);
  EXPECT_THAT(revoked.output, HasSubstr("certificate revoked"));
}

TEST_P(Interop, TheProgramReadsOurKeysAndRequests) {
  const PrivateKey key = PrivateKey::generate(GetParam()).value();
  openssl.write("host.key", as_text(key.to_pem().expose()));
  openssl.write("host.csr", CertificateRequest::make(key, "Host-A")->to_pem());
  openssl.must("pkey -in host.key -noout");
  const std::string text = openssl.must("req -in host.csr -noout -text -verify");
  EXPECT_THAT(text, HasSubstr("Subject: CN = host-a"));
  EXPECT_THAT(text, HasSubstr("verify OK"));
  openssl.must("pkey -in host.key -pubout -outform DER -out spki.der");
  EXPECT_EQ(openssl.read("spki.der"), as_text(key.public_key().spki()));
}

TEST_P(Interop, TheProgramPrintsOurTokens) {
  const Holder root = Holder::root(GetParam());
  CertificateTemplate wanted = host_template("commander");
  wanted.for_commander = true;
  wanted.permissions = hex("3003020101");
  for (const KeyType type : {KeyType::kEcdsaP256, KeyType::kEcdsaP384}) {
    const Holder commander = root.issue(wanted, type);
    const auto der =
        cms_sign(as_bytes(kTokenText), oid_group_token(), commander.certificate, commander.key, {});
    ASSERT_TRUE(der) << der.error().text();
    openssl.write("token.cms", as_text(*der));
    openssl.write("root.pem", root.certificate.to_pem());
    const auto shown = openssl.run("cms -verify -inform DER" + kAtToday +
                                   "-CAfile root.pem -in token.cms -out token.txt");
    ASSERT_EQ(shown.status, 0) << shown.output;
    openssl.must("cms -verify -binary -inform DER" + kAtToday +
                 "-CAfile root.pem -in token.cms -out token.bin");
    EXPECT_EQ(openssl.read("token.bin"), kTokenText);
    EXPECT_THAT(openssl.read("token.txt"), HasSubstr("gkmp-group-token-1"));
    const std::string printed = openssl.must("cms -cmsout -print -inform DER -in token.cms");
    EXPECT_THAT(printed, HasSubstr(std::string(oid_group_token())));
    EXPECT_THAT(printed, testing::Not(HasSubstr("S/MIME Capabilities")));
  }
}

TEST_P(Interop, WeReadItsCertificatesAndKeys) {
  make_pki();
  const Certificate root = certificate("root.pem");
  const Certificate host = certificate("host.pem");
  EXPECT_EQ(host.name(), "host-p.example");
  EXPECT_EQ(host.serial(), "0A1B2C");
  EXPECT_EQ(host.addresses(),
            (std::vector<IpAddress>{*IpAddress::parse("10.9.0.7"), *IpAddress::parse("fd09::7")}));
  EXPECT_EQ(host.public_key().type(), GetParam());
  EXPECT_FALSE(host.is_ca());
  EXPECT_TRUE(host.may_sign());
  EXPECT_TRUE(host.has_extended_usage(oid_eku_gkmp()));
  ASSERT_TRUE(host.extension(oid_permissions()));
  EXPECT_EQ(host.extension(oid_permissions())->value, hex("3003020101"));
  EXPECT_TRUE(root.is_ca());
  EXPECT_TRUE(root.is_self_signed());
  const auto chain = build_chain(host, {}, {root}, host.not_before() + seconds(1));
  ASSERT_TRUE(chain) << chain.error().text();
  EXPECT_EQ(chain->size(), 2U);

  const auto key = PrivateKey::from_pem(Secret::copy_of(as_bytes(openssl.read("host.key"))));
  ASSERT_TRUE(key) << key.error().text();
  EXPECT_EQ(key->public_key(), host.public_key());
  const auto request = CertificateRequest::from_pem(openssl.read("host.csr"));
  ASSERT_TRUE(request) << request.error().text();
  EXPECT_EQ(request->name(), "ignored");
  EXPECT_EQ(request->public_key(), host.public_key());
}

TEST_P(Interop, WeReadItsLists) {
  make_pki();
  openssl.write("ca.cnf",
                "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=number\n"
                "default_crl_days=9\ndefault_md=" +
                    std::string(GetParam() == KeyType::kEd25519 ? "null" : "sha256") +
                    "\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid:always\n");
  openssl.write("index.txt",
                "R\t301231235959Z\t260101000000Z,keyCompromise\t0A1B2C\tunknown\t/CN=host\n");
  openssl.write("number", "01F4\n");
  openssl.must("ca -config ca.cnf -gencrl -cert root.pem -keyfile root.key -out crl.pem");
  const auto crl = Crl::from_pem(openssl.read("crl.pem"));
  ASSERT_TRUE(crl) << crl.error().text();
  EXPECT_EQ(crl->number(), 500U);
  EXPECT_EQ(crl->entry_count(), 1U);
  EXPECT_TRUE(crl->revokes(certificate("host.pem")));
  EXPECT_FALSE(crl->revokes(certificate("root.pem")));
  EXPECT_TRUE(crl->issued_by(certificate("root.pem")));
  EXPECT_FALSE(crl->issued_by(certificate("host.pem")));
}

std::string name_of(const Result<CmsContent>& read) {
  return read ? "read" : std::string(read.error().name());
}

TEST_P(Interop, WeReadItsTokensOfTheRightForm) {
  if (GetParam() == KeyType::kEd25519) {
    // No such signer: see cms_sign. What is left to see is an Ed25519 issuer.
    const Holder root = Holder::root(KeyType::kEd25519);
    const Holder signer = root.issue(host_template("c"), KeyType::kEcdsaP256);
    openssl.write("host.pem", signer.certificate.to_pem());
    openssl.write("host.key", as_text(signer.key.to_pem().expose()));
  } else {
    make_pki();
  }
  openssl.write("token.txt", kTokenText);
  const std::string sign =
      "cms -sign -binary -outform DER -in token.txt -out token.cms -signer host.pem -inkey "
      "host.key -econtent_type ";
  const std::string ours = std::string(oid_group_token()) + " ";
  const auto outcome = [&](const std::string& rest) {
    openssl.must(sign + rest);
    return cms_verify(as_bytes(openssl.read("token.cms")), oid_group_token());
  };
  for (const char* digest : {"sha256", "sha384", "sha512"}) {
    const auto read = outcome(ours + "-nodetach -md " + digest);
    ASSERT_TRUE(read) << digest << ": " << read.error().text();
    EXPECT_EQ(as_text(read->content), kTokenText);
    EXPECT_EQ(read->signer.der(), certificate("host.pem").der());
  }
  EXPECT_EQ(name_of(outcome(ours + "-nodetach -keyid")), "read");
  EXPECT_EQ(name_of(outcome(ours)), "crypto.bad-cms") << "detached";
  EXPECT_EQ(name_of(outcome(ours + "-nodetach -noattr")), "crypto.bad-cms");
  EXPECT_EQ(name_of(outcome(ours + "-nodetach -nocerts")), "crypto.bad-cms");
  EXPECT_EQ(name_of(outcome(ours + "-nodetach -md sha1")), "crypto.bad-cms");
  EXPECT_EQ(name_of(outcome(ours + "-nodetach -stream")), "crypto.bad-cms") << "BER";
  EXPECT_EQ(name_of(outcome("1.2.840.113549.1.7.1 -nodetach")), "crypto.bad-cms");
}

TEST(InteropCms, TwoSignersAreRefused) {
  const OpensslProgram openssl;
  const Holder root = Holder::root();
  for (const char* name : {"a", "b"}) {
    const Holder one = root.issue(host_template(name));
    openssl.write(std::string(name) + ".pem", one.certificate.to_pem());
    openssl.write(std::string(name) + ".key", as_text(one.key.to_pem().expose()));
  }
  openssl.write("token.txt", kTokenText);
  openssl.must(
      "cms -sign -binary -nodetach -outform DER -in token.txt -out token.cms "
      "-signer a.pem -inkey a.key -signer b.pem -inkey b.key -econtent_type " +
      std::string(oid_group_token()));
  EXPECT_EQ(name_of(cms_verify(as_bytes(openssl.read("token.cms")), oid_group_token())),
            "crypto.bad-cms");
  openssl.must("cms -data_create -outform DER -in token.txt -out data.cms");
  EXPECT_EQ(name_of(cms_verify(as_bytes(openssl.read("data.cms")), oid_group_token())),
            "crypto.bad-cms");
}

// Certificates that only the program can be made to make.
class OddCertificates : public testing::Test {
 protected:
  OddCertificates() {
    openssl.must("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out a.key");
    openssl.must("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out b.key");
    openssl.must("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out c.key");
  }

  /// A certificate for KEY.key; self-signed if `issuer` is empty.
  [[nodiscard]] Result<Certificate> make(const std::string& key, const std::string& subject,
                                         const std::string& issuer, const std::string& extensions,
                                         const std::string& more = "") const {
    openssl.must("req -new -key " + key + ".key -subj '" + subject + "' -out x.csr");
    openssl.write("x.ext", extensions);
    openssl.must("x509 -req -in x.csr -days 10 " +
                 (issuer.empty() ? "-signkey " + key + ".key "
                                 : "-CA " + issuer + ".pem -CAkey " + issuer +
                                       ".key "
                                       "-set_serial 77 ") +
                 (extensions.empty() ? "" : "-extfile x.ext ") + more + " -out " + key + ".pem");
    return Certificate::from_pem(openssl.read(key + ".pem"));
  }

  /// How a chain root a, CA b, host c ends when CA, host and root have these extensions.
  [[nodiscard]] std::string chain_with(
      const std::string& ca, const std::string& host,
      const std::string& of_root = "basicConstraints=critical,CA:TRUE\n") const {
    const auto root = make("a", "/CN=r", "", of_root);
    const auto sub = make("b", "/CN=s", "a", ca);
    const auto leaf = make("c", "/CN=h", "b", host);
    if (!root || !sub || !leaf) return "not read";
    const auto chain = build_chain(*leaf, {*sub}, {*root}, leaf->not_before() + seconds(1));
    return chain ? "found" : std::string(chain.error().name());
  }

  OpensslProgram openssl;
};

constexpr const char* kCa = "basicConstraints=critical,CA:TRUE\n";
constexpr const char* kHost = "basicConstraints=CA:FALSE\n";

TEST_F(OddCertificates, NamesFollowTheRule) {
  const auto name = [&](const std::string& subject, const std::string& extensions) {
    return make("a", subject, "", kHost + extensions).value().name();
  };
  EXPECT_EQ(name("/CN=Only-CN", ""), "only-cn");
  EXPECT_EQ(name("/CN=cn", "subjectAltName=DNS:SAN"), "san");
  EXPECT_EQ(name("/CN=cn", "subjectAltName=IP:10.0.0.1"), "cn");
  EXPECT_EQ(name("/CN=cn", "subjectAltName=DNS:a,DNS:b"), "");
  EXPECT_EQ(name("/CN=a/CN=b", ""), "");
  EXPECT_EQ(name("/O=o", ""), "");
  EXPECT_EQ(name("/O=o", "subjectAltName=DNS:san,email:x@y"), "san");
  EXPECT_EQ(name("/CN=h\xc3\xa9", ""), "");
}

TEST_F(OddCertificates, UsageIsRead) {
  EXPECT_TRUE(make("a", "/CN=h", "", kHost).value().may_sign());
  EXPECT_FALSE(
      make("a", "/CN=h", "", std::string(kHost) + "keyUsage=keyAgreement").value().may_sign());
  EXPECT_TRUE(make("a", "/CN=h", "", std::string(kHost) + "keyUsage=digitalSignature,keyAgreement")
                  .value()
                  .may_sign());
  EXPECT_FALSE(make("a", "/CN=h", "", kHost).value().has_extended_usage(oid_eku_gkmp()));
  // "Any usage" is not ours.
  EXPECT_FALSE(make("a", "/CN=h", "", "extendedKeyUsage=anyExtendedKeyUsage")
                   .value()
                   .has_extended_usage(oid_eku_gkmp()));
}

TEST_F(OddCertificates, OtherFormsAreRefused) {
  const auto kind = [](const Result<Certificate>& read) {
    return read ? "read" : std::string(read.error().name());
  };
  EXPECT_EQ(kind(make("a", "/CN=h", "", kHost)), "read");
  EXPECT_EQ(kind(make("a", "/CN=h", "", "")), "crypto.bad-certificate") << "version 1";
  EXPECT_EQ(kind(make("a", "/CN=h", "", kHost, "-sha1")), "crypto.bad-certificate");
  EXPECT_EQ(kind(make("a", "/CN=h", "", kHost, "-sha224")), "crypto.bad-certificate");
  EXPECT_EQ(kind(make("a", "/CN=h", "", "2.5.29.17=DER:30:80:00:00")), "crypto.bad-certificate");
  EXPECT_EQ(kind(make("a", "/CN=h", "", "2.5.29.17=DER:30:05:87:03:01:02:03")),
            "crypto.bad-certificate")
      << "an iPAddress of three octets";
  EXPECT_EQ(kind(make("a", "/CN=h", "", "2.5.29.19=DER:30:00:05:00")), "crypto.bad-certificate")
      << "octets behind an extension's value";
  EXPECT_EQ(kind(make("a", "/CN=h", "", "2.5.29.15=DER:04:00")), "crypto.bad-certificate");
  openssl.must("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key");
  EXPECT_EQ(kind(make("rsa", "/CN=h", "", kHost)), "crypto.bad-certificate");
  openssl.must("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp521r1 -out p521.key");
  EXPECT_EQ(kind(make("p521", "/CN=h", "", kHost)), "crypto.bad-certificate");
  openssl.must("ecparam -name prime256v1 -param_enc explicit -genkey -noout -out explicit.key");
  EXPECT_EQ(kind(make("explicit", "/CN=h", "", kHost)), "crypto.bad-certificate");
}

TEST_F(OddCertificates, ChainsKeepTheConstraintsOfTheirIssuers) {
  EXPECT_EQ(chain_with(kCa, kHost), "found");
  EXPECT_EQ(chain_with(kHost, kHost), "crypto.chain-invalid");
  EXPECT_EQ(chain_with("keyUsage=keyCertSign\n", kHost), "crypto.chain-invalid")
      << "a CA by keyUsage alone";
  EXPECT_NE(chain_with(std::string(kCa) + "keyUsage=cRLSign\n", kHost), "found");
  const std::string no_deeper = "basicConstraints=critical,CA:TRUE,pathlen:0\n";
  EXPECT_EQ(chain_with(no_deeper, kHost), "found");
  EXPECT_EQ(chain_with(kCa, kHost, no_deeper), "crypto.chain-invalid");
  EXPECT_EQ(chain_with(std::string(kCa) + "nameConstraints=critical,permitted;DNS:x\n",
                       std::string(kHost) + "subjectAltName=DNS:y"),
            "crypto.chain-invalid");
  const std::string unknown = std::string(oid_permissions()) + "=";
  EXPECT_EQ(chain_with(kCa, kHost + unknown + "DER:05:00"), "found");
  EXPECT_EQ(chain_with(kCa, kHost + unknown + "critical,DER:05:00"), "crypto.chain-invalid");
  EXPECT_EQ(chain_with(kCa + unknown + "critical,DER:05:00", kHost), "crypto.chain-invalid");
}

}  // namespace
}  // namespace gkmpd::crypto
