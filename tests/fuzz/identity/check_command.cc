// The whole way of a command. The first octet says what the rest is: octets of a CMS object; or
// changes to a good one, to create a group or to rekey it.
#include <cstdlib>

#include "agent/identity/command.h"
#include "tests/support/pki.h"

namespace {

using namespace gkmpd;

using identity::CommandAction;

identity::CommandText good_text(CommandAction action) {
  identity::CommandText text;
  text.action = action;
  text.group = "demo";
  text.controller = "a";
  text.counter = 7;
  text.not_after = test::kNow + seconds(600);
  return text;
}

struct World {
  test::TestPki pki{1};
  identity::TrustStore trust = pki.trust();
  identity::GroupPolicy policy = identity::parse_policy(test::policy_text({})).value();
  Bytes create = sign(CommandAction::kCreate);
  Bytes rekey = sign(CommandAction::kRekey);

  Bytes sign(CommandAction action) {
    return pki.token_of_anything(identity::command_text(good_text(action)), pki.commander(),
                                 crypto::oid_command());
  }
};

World& world() {
  static World instance;
  return instance;
}

/// Nobody but the commander signs here, so whatever passes says what the commander signed.
void expect_only(CommandAction action, ByteView der) {
  const auto command = identity::check_command(der, {&world().trust, &world().policy, test::kNow});
  if (command && !(command->text == good_text(action))) std::abort();
}

/// Triples of two octets of place and one of change.
Bytes changed(Bytes octets, ByteView changes) {
  for (std::size_t i = 0; i + 2 < changes.size(); i += 3) {
    const std::size_t place = static_cast<std::size_t>(changes[i] << 8 | changes[i + 1]);
    octets[place % octets.size()] ^= changes[i + 2];
  }
  return octets;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView rest(data + 1, size - 1);
  if (data[0] == 'd') expect_only(CommandAction::kCreate, rest);
  if (data[0] == 'c') expect_only(CommandAction::kCreate, changed(world().create, rest));
  if (data[0] == 'k') expect_only(CommandAction::kRekey, changed(world().rekey, rest));
  return 0;
}
