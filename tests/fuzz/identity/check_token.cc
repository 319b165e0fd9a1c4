// The whole way of a token. The first octet says what the rest is: octets of a CMS object; changes
// to a good one; or a policy text, which a commander then signs.
#include <cstdlib>

#include "agent/crypto/cms.h"
#include "agent/identity/token.h"
#include "tests/support/pki.h"

namespace {

using namespace gkmpd;

struct World {
  test::TestPki pki{1};
  identity::TrustStore trust = pki.trust();
  test::TestHost commander = pki.commander();
  std::string policy = test::policy_text({});
  Bytes token = pki.token(policy, commander);
};

World& world() {
  static World instance;
  return instance;
}

Result<identity::GroupToken> check(ByteView der) {
  return identity::check_token(der, {.trust = &world().trust, .now = test::kNow});
}

/// Nobody but the commander signs here, so whatever passes says what the commander signed.
void expect_only(ByteView der, const std::string& text) {
  if (!check(der)) return;
  const auto content = crypto::cms_verify(der, crypto::oid_group_token());
  if (!content || as_text(content->content) != text) std::abort();
}

/// Triples of two octets of place and one of change.
Bytes changed(Bytes octets, ByteView changes) {
  for (std::size_t i = 0; i + 2 < changes.size(); i += 3) {
    const std::size_t place = static_cast<std::size_t>(changes[i] << 8 | changes[i + 1]);
    octets[place % octets.size()] ^= changes[i + 2];
  }
  return octets;
}

void sign_and_check(const std::string& text) {
  const bool good = identity::parse_policy(text).has_value();
  const auto token = check(world().pki.token_of_anything(text, world().commander));
  if (token && !good) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView rest(data + 1, size - 1);
  switch (data[0]) {
    case 'd':
      expect_only(rest, world().policy);
      break;
    case 'c':
      expect_only(changed(world().token, rest), world().policy);
      break;
    case 't':
      if (rest.size() <= identity::kMaxPolicySize) sign_and_check(std::string(as_text(rest)));
      break;
    default:
      break;
  }
  return 0;
}
