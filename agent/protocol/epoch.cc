#include "agent/protocol/epoch.h"

#include <algorithm>
#include <set>

#include "agent/crypto/hash.h"
#include "agent/crypto/suite.h"
#include "agent/protocol/errors.h"

namespace gkmpd::protocol {
namespace {

EpochId epoch_id(const Digest& statement_hash) {
  EpochId id{};
  std::copy_n(statement_hash.begin(), id.size(), id.begin());
  return id;
}

/// Longest life of an epoch (profile P8).
seconds longest_life(const identity::GroupPolicy& policy) {
  return seconds(policy.rekey_interval_s) + seconds(policy.token_grace_s);
}

Result<void> check_order(const Context& context, const EpochCheck& check,
                         const wire::Statement& statement, const Digest& hash) {
  if (check.held != nullptr && check.held->statement.tuple == statement.tuple) {
    if (check.held->hash == hash) return {};
    return fail(kTupleConflict, "two statements for epoch " + statement.tuple.text());
  }
  // A host that lost its keys is a newcomer: the epoch on its disk may come again, none below.
  const GroupFloor* floor = context.floor(check.token.group_id);
  const bool newcomer = check.held == nullptr;
  if (floor != nullptr &&
      (newcomer ? statement.tuple < floor->tuple : statement.tuple <= floor->tuple)) {
    return fail(kStatementStale,
                "epoch " + statement.tuple.text() + " is not above " + floor->tuple.text());
  }
  return {};
}

Result<void> check_signer(const EpochCheck& check, const wire::Statement& statement) {
  if (statement.token_hash != check.token.hash ||
      statement.tuple.token_version != check.token.policy.version ||
      statement.suite != check.token.policy.control_suite) {
    return fail(kStatementToken, "the statement is for another token");
  }
  if (statement.controller != check.controller.hash ||
      statement.controller_key != check.controller.certificate.public_key().fingerprint() ||
      statement.tuple.rank != check.rank) {
    return fail(kStatementSigner, "the statement names another controller, key or rank than " +
                                      check.controller.name);
  }
  return {};
}

Result<void> check_validity(const EpochCheck& check, const wire::Statement& statement, Now now) {
  const identity::GroupPolicy& policy = check.token.policy;
  if (statement.not_before > now.wall + identity::kClockSkew) {
    return fail(kStatementValidity, "the epoch starts in the future: compare the hosts' clocks");
  }
  if (statement.not_after <= now.wall) return fail(kStatementValidity, "the epoch has ended");
  if (statement.not_after <= statement.not_before ||
      statement.not_after - statement.not_before > longest_life(policy) ||
      statement.not_after > policy.not_after) {
    return fail(kStatementValidity, "the epoch would live longer than the token allows");
  }
  if (statement.activation_delay_ms != policy.activation_delay_ms ||
      statement.deactivation_delay_ms != policy.deactivation_delay_ms) {
    return fail(kStatementValidity, "the statement's delays are not the token's");
  }
  return {};
}

Result<void> check_crl(const Context& context, const wire::Statement& statement) {
  const std::vector<wire::CrlNumber> ours = context.crl_numbers();
  for (const wire::CrlNumber& needed : statement.crl_numbers) {
    const auto held =
        std::ranges::find(ours, needed.issuer_key_hash, &wire::CrlNumber::issuer_key_hash);
    if (held == ours.end() || held->number < needed.number) {
      return fail(kCrlTooOld, "the controller needs revocation list number " +
                                  std::to_string(needed.number) +
                                  ": install the newest list on this host");
    }
  }
  return {};
}

Result<void> check_exclusions(const Context& context, const EpochCheck& check,
                              const wire::ExclusionSet& exclusions) {
  if (check.held != nullptr &&
      !std::ranges::includes(exclusions.hosts, check.held->exclusions.hosts)) {
    return fail(kExclusions, "the statement readmits a host that was excluded");
  }
  if (std::ranges::binary_search(exclusions.hosts, check.controller.hash)) {
    return fail(kExcluded, "the controller is itself excluded");
  }
  if (std::ranges::binary_search(exclusions.hosts, context.self.hash)) {
    return fail(kExcluded, "this host is excluded from the group");
  }
  return {};
}

/// The commander says who sends; the controller only numbers them.
Result<void> check_senders(const Context& context, const EpochCheck& check,
                           const wire::SenderTable& table) {
  std::set<NameHash> listed;
  for (const std::string& name : check.token.policy.senders) {
    listed.insert(context.name_hash(name));
  }
  for (const wire::SenderTable::Entry& entry : table.entries) {
    if (listed.erase(entry.host) == 0) {
      return fail(kSenderTable, "the sender table has a host twice, or one that the token lacks");
    }
    if (entry.count > kMaxSenderRun) {
      return fail(kSenderTable, "the sender table gives a host " + std::to_string(entry.count) +
                                    " ids, more than this agent takes");
    }
    const IpAddress* own = context.own_address(check.token.policy.family());
    if (entry.host == context.self.hash &&
        (own == nullptr || std::ranges::find(entry.sources, *own) == entry.sources.end())) {
      return fail(kSenderTable, "the sender table gives this host another address than its own");
    }
  }
  return {};
}

Result<void> check_hashes(const wire::Statement& statement, const wire::DownloadGrpKeys& download) {
  if (crypto::sha256({download.sender_table}) != statement.sender_table_hash ||
      crypto::sha256({download.exclusion_set}) != statement.exclusion_hash ||
      crypto::sha256({}) != statement.tree_parts_hash) {
    return fail(kStatementHashes, "the tables are not those that the statement names");
  }
  return {};
}

}  // namespace

NewKeys make_keys_alone(Random& random) {
  NewKeys keys;
  keys.creation = wire::Creation::kAlone;
  keys.gtek_id = random.array<16>();
  keys.gkek_id = random.array<16>();
  for (Secret* key : {&keys.packet.gtek, &keys.packet.gkek}) {
    *key = Secret(keys::kGroupKeySize);
    random.fill(key->expose_for_writing());
  }
  return keys;
}

Result<Epoch> sign_epoch(Context& context, EpochPlan plan, Now now) {
  const identity::GroupPolicy& policy = plan.token.policy;
  Epoch epoch;
  epoch.packet = std::move(plan.keys.packet);
  epoch.senders = std::move(plan.senders);
  epoch.exclusions = std::move(plan.exclusions);
  wire::Statement& statement = epoch.statement;
  statement.suite = policy.control_suite;
  statement.group = plan.token.group_id;
  statement.tuple = plan.tuple;
  statement.controller = context.self.hash;
  statement.controller_key = context.config.key.public_key().fingerprint();
  statement.token_hash = plan.token.hash;
  statement.previous = plan.previous;
  statement.cause = plan.cause;
  statement.creation = plan.keys.creation;
  statement.nonce = context.random.array<16>();
  statement.gtek_id = plan.keys.gtek_id;
  statement.gkek_id = plan.keys.gkek_id;
  statement.commitment = keys::commitment(epoch.packet, statement.group, statement.tuple);
  statement.sender_table_hash = crypto::sha256({wire::encode(epoch.senders)});
  statement.exclusion_hash = crypto::sha256({wire::encode(epoch.exclusions)});
  statement.tree_parts_hash = crypto::sha256({});
  statement.activation_delay_ms = policy.activation_delay_ms;
  statement.deactivation_delay_ms = policy.deactivation_delay_ms;
  statement.not_before = now.wall;
  statement.not_after = std::min(now.wall + longest_life(policy), policy.not_after);
  statement.crl_numbers = context.crl_numbers();

  epoch.octets = wire::encode(statement);
  auto signature = context.config.key.sign(crypto::SignatureContext::kStatement, {epoch.octets});
  if (!signature) return pass_on(signature);
  epoch.signature = std::move(*signature);
  epoch.hash = crypto::sha256({epoch.octets});
  epoch.id = epoch_id(epoch.hash);
  return epoch;
}

Result<void> check_signed(const Context& context, const EpochCheck& check,
                          const wire::Statement& statement, const SignedOctets& as_signed) {
  const Digest hash = crypto::sha256({as_signed.octets});
  if (auto good = check_order(context, check, statement, hash); !good) return good;
  if (auto good = check_signer(check, statement); !good) return good;
  return check.controller.certificate.public_key().verify(crypto::SignatureContext::kStatement,
                                                          {as_signed.octets}, as_signed.signature);
}

Result<Epoch> check_epoch(const Context& context, const EpochCheck& check,
                          const wire::DownloadGrpKeys& download,
                          const std::optional<keys::GroupKeyPacket>& packet, const Secret& skek,
                          Now now) {
  auto statement = wire::decode_statement(download.statement);
  if (!statement) return pass_on(statement);
  if (statement->group != check.token.group_id) {
    return fail(kStatementForm, "the statement is for another group");
  }
  auto senders = wire::decode_sender_table(download.sender_table);
  if (!senders) return pass_on(senders);
  auto exclusions = wire::decode_exclusion_set(download.exclusion_set);
  if (!exclusions) return pass_on(exclusions);

  Epoch epoch;
  epoch.hash = crypto::sha256({download.statement});
  epoch.id = epoch_id(epoch.hash);
  if (auto good = check_signed(context, check, *statement,
                               {download.statement, download.statement_signature});
      !good) {
    return pass_on(good);
  }
  if (auto good = check_validity(check, *statement, now); !good) return pass_on(good);
  if (auto good = check_crl(context, *statement); !good) return pass_on(good);
  if (auto good = check_exclusions(context, check, *exclusions); !good) return pass_on(good);
  if (auto good = check_hashes(*statement, download); !good) return pass_on(good);
  if (auto good = check_senders(context, check, *senders); !good) return pass_on(good);

  if (packet) {
    epoch.packet = packet->clone();
  } else if (download.encrypted_grp_keys) {
    auto opened = keys::open_packet(crypto::hash_of(check.token.policy.control_suite), skek,
                                    download.statement, download.statement_signature,
                                    *download.encrypted_grp_keys);
    if (!opened) return pass_on(opened);
    epoch.packet = std::move(*opened);
  } else {
    return fail(kStatementForm, "the download brings no keys");
  }
  if (auto good = keys::check_commitment(epoch.packet, statement->group, statement->tuple,
                                         statement->commitment);
      !good) {
    return pass_on(good);
  }
  epoch.statement = std::move(*statement);
  epoch.octets = download.statement;
  epoch.signature = download.statement_signature;
  epoch.senders = std::move(*senders);
  epoch.exclusions = std::move(*exclusions);
  return epoch;
}

}  // namespace gkmpd::protocol
