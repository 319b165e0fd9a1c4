#include "agent/protocol/rekey_package.h"

#include "agent/crypto/hash.h"
#include "agent/crypto/suite.h"
#include "agent/protocol/channel.h"
#include "agent/protocol/errors.h"

namespace gkmpd::protocol {
namespace {

/// What a Rekey_Multicast's header has to be, whoever sends it.
wire::Header rekey_header(const wire::Statement& statement) {
  wire::Header header;
  header.suite = statement.suite;
  header.type = wire::MessageType::kRekeyMulticast;
  header.role = wire::SenderRole::kController;
  header.group = statement.group;
  header.message_number = statement.tuple.epoch;
  return header;
}

Result<void> check_cause(const EpochCheck& check, const wire::Statement& statement) {
  // Whatever keeps somebody out never goes under a key that he held (profile S3).
  if (statement.cause != wire::Cause::kRoutine) {
    return fail(kStatementCause, "an epoch of this cause does not come by Rekey_Multicast");
  }
  if (!check.token.policy.actions.contains(identity::Action::kRekey)) {
    return fail(kActionMissing, "the token does not allow to rekey the group");
  }
  return {};
}

}  // namespace

Bytes rekey_datagram(const Epoch& epoch, const Epoch& before) {
  wire::RekeyMulticast message;
  message.statement = epoch.octets;
  message.statement_signature = epoch.signature;
  message.encrypted_grp_keys =
      keys::seal_packet(crypto::hash_of(epoch.statement.suite), before.packet.gkek, epoch.octets,
                        epoch.signature, epoch.packet);
  return plain_datagram(rekey_header(epoch.statement), message);
}

Result<RekeyPackage> read_rekey(const wire::Datagram& datagram) {
  auto message = wire::decode_body(wire::MessageType::kRekeyMulticast, datagram.body);
  if (!message) return pass_on(message);
  RekeyPackage package{.message = std::get<wire::RekeyMulticast>(std::move(*message)),
                       .statement = {},
                       .datagram = {}};
  auto statement = wire::decode_statement(package.message.statement);
  if (!statement) return pass_on(statement);
  if (rekey_header(*statement) != datagram.header) {
    return fail(kStatementForm, "the header is not the statement's");
  }
  package.hash = crypto::sha256({package.message.statement});
  package.datagram = plain_datagram(datagram.header, package.message);
  package.statement = std::move(*statement);
  return package;
}

Result<void> check_made_by_holder(const Epoch& held, const RekeyPackage& package) {
  const wire::RekeyMulticast& message = package.message;
  auto opened =
      keys::open_packet(crypto::hash_of(held.statement.suite), held.packet.gkek, message.statement,
                        message.statement_signature, message.encrypted_grp_keys);
  if (!opened) return pass_on(opened);
  return {};
}

Result<Epoch> check_rekey(const Context& context, const EpochCheck& check,
                          const RekeyPackage& package, Now now) {
  const Epoch& held = *check.held;
  const wire::Statement& statement = package.statement;
  if (statement.previous != held.id) {
    auto good = check_signed(context, check, statement,
                             {package.message.statement, package.message.statement_signature});
    if (!good) return pass_on(good);
    return fail(kEpochMissing, "epoch " + statement.tuple.text() + " follows one that is missing");
  }
  if (auto good = check_cause(check, statement); !good) return pass_on(good);
  const wire::DownloadGrpKeys offered{.statement = package.message.statement,
                                      .statement_signature = package.message.statement_signature,
                                      .encrypted_grp_keys = package.message.encrypted_grp_keys,
                                      .sender_table = wire::encode(held.senders),
                                      .exclusion_set = wire::encode(held.exclusions)};
  return check_epoch(context, check, offered, std::nullopt, held.packet.gkek, now);
}

}  // namespace gkmpd::protocol
