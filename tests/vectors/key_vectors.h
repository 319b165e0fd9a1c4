// Whole runs of figures 1 to 3 with fixed randomness: what was on the wire, and every key of
// section 10 of docs/PROTOCOL.md that came of it.
#pragma once

#include <string>
#include <vector>

#include "agent/crypto/signature.h"
#include "agent/protocol/epoch.h"
#include "tests/vectors/vector_text.h"

namespace gkmpd::test {

struct KeyVectorFile {
  std::string name;  // without directory
  std::vector<NamedOctets> fields;
};

/// One file for each control suite. Signed by Ed25519, so that the octets are always the same.
[[nodiscard]] std::vector<KeyVectorFile> key_vector_files();

/// One signature of each kind of key, for each context. Those of ECDSA differ each time.
[[nodiscard]] KeyVectorFile signature_vector_file();

struct SignatureUse {
  std::string name;
  crypto::SignatureContext context;
};
[[nodiscard]] const std::vector<SignatureUse>& signature_uses();
/// What the signatures of the file are over.
[[nodiscard]] Bytes signed_content();

}  // namespace gkmpd::test
