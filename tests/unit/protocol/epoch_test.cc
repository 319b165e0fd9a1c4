// Receiving a statement (profile P18): every check has a statement that only it refuses.
#include <functional>

#include "agent/crypto/errors.h"
#include "agent/crypto/hash.h"
#include "agent/keys/errors.h"
#include "agent/protocol/errors.h"
#include "tests/unit/protocol/epoch_pair.h"

namespace gkmpd::protocol {
namespace {

using test::kNow;

class EpochChecks : public EpochPair {
 protected:
  /// The download of the epoch with `change` applied to its statement and signed again.
  wire::DownloadGrpKeys download(const std::function<void(wire::Statement&)>& change = {}) {
    wire::Statement statement = epoch_->statement;
    if (change) change(statement);
    wire::DownloadGrpKeys message;
    message.statement = wire::encode(statement);
    message.statement_signature =
        *controller_->config.key.sign(crypto::SignatureContext::kStatement, {message.statement});
    message.sender_table = wire::encode(epoch_->senders);
    message.exclusion_set = wire::encode(epoch_->exclusions);
    message.encrypted_grp_keys = keys::seal_packet(crypto::Hash::kSha256, skek_, message.statement,
                                                   message.statement_signature, epoch_->packet);
    return message;
  }

  Result<Epoch> check(const wire::DownloadGrpKeys& message, const Epoch* held = nullptr) {
    const EpochCheck checked{token_, controller_self(), 0, held};
    return check_epoch(*member_, checked, message, std::nullopt, skek_, kPresent);
  }

  void expect_refused(const std::function<void(wire::Statement&)>& change, ErrorKind error) {
    const auto checked = check(download(change));
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().kind, error) << checked.error().text();
  }

  Secret skek_ = Secret::copy_of(Bytes(32, 9));
};

TEST_F(EpochChecks, AGoodOneComesBackWhole) {
  const auto checked = check(download());
  ASSERT_TRUE(checked) << checked.error().text();
  EXPECT_EQ(checked->statement, epoch_->statement);
  EXPECT_EQ(checked->id, epoch_->id);
  EXPECT_EQ(checked->senders, senders_);
  EXPECT_TRUE(checked->packet.gtek.equals(epoch_->packet.gtek));
}

TEST_F(EpochChecks, OrderIsByTheMark) {
  member_->floors[token_.group_id].tuple = {1, 1, 0, 5};
  EXPECT_TRUE(check(download())) << "a newcomer may take the marked epoch again";
  const auto conflict = check(download([](wire::Statement& s) { s.nonce[0] ^= 1; }), &*epoch_);
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().kind, kTupleConflict);
  EXPECT_TRUE(check(download(), &*epoch_)) << "the very epoch held";
  member_->floors[token_.group_id].tuple = {1, 1, 0, 6};
  expect_refused({}, kStatementStale);
}

TEST_F(EpochChecks, GroupTokenAndSigner) {
  expect_refused([](auto& s) { s.group[0] ^= 1; }, kStatementForm);
  expect_refused([](auto& s) { s.token_hash[0] ^= 1; }, kStatementToken);
  expect_refused([](auto& s) { s.tuple.token_version = 2; }, kStatementToken);
  expect_refused([](auto& s) { s.controller[0] ^= 1; }, kStatementSigner);
  expect_refused([](auto& s) { s.controller_key[0] ^= 1; }, kStatementSigner);
  expect_refused([](auto& s) { s.tuple.rank = 1; }, kStatementSigner);
  auto message = download();
  message.statement_signature =
      *member_->config.key.sign(crypto::SignatureContext::kStatement, {message.statement});
  const auto checked = check(message);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().kind, crypto::kBadSignature);
}

TEST_F(EpochChecks, Validity) {
  expect_refused(
      [](auto& s) {
        s.not_before += seconds(301);
        s.not_after += seconds(301);
      },
      kStatementValidity);
  expect_refused(
      [](auto& s) {
        s.not_before -= seconds(9000);
        s.not_after = kNow;
      },
      kStatementValidity);
  expect_refused([](auto& s) { s.not_after += seconds(1); }, kStatementValidity);
  expect_refused([](auto& s) { s.activation_delay_ms += 1; }, kStatementValidity);
  expect_refused([](auto& s) { s.deactivation_delay_ms += 1; }, kStatementValidity);
}

TEST_F(EpochChecks, RevocationListsExclusionsAndTables) {
  expect_refused([](auto& s) { s.crl_numbers.at(0).number += 1; }, kCrlTooOld);
  expect_refused([](auto& s) { s.crl_numbers.at(0).issuer_key_hash[0] ^= 1; }, kCrlTooOld);
  expect_refused([](auto& s) { s.sender_table_hash[0] ^= 1; }, kStatementHashes);
  expect_refused([](auto& s) { s.exclusion_hash[0] ^= 1; }, kStatementHashes);
  expect_refused([](auto& s) { s.tree_parts_hash[0] ^= 1; }, kStatementHashes);

  const auto excluding = [&](const NameHash& host) {
    epoch_->exclusions.hosts = {host};
    return download([&](wire::Statement& s) {
      s.exclusion_hash = crypto::sha256({wire::encode(epoch_->exclusions)});
    });
  };
  EXPECT_EQ(check(excluding(member_->self.hash)).error().kind, kExcluded);
  EXPECT_EQ(check(excluding(controller_->self.hash)).error().kind, kExcluded);
  const auto some_other = excluding(member_->name_hash("x"));
  EXPECT_TRUE(check(some_other));

  Epoch held = *check(some_other);
  held.statement.tuple.epoch = 4;
  epoch_->exclusions.hosts.clear();
  const auto readmitted = check(download(), &held);
  ASSERT_FALSE(readmitted);
  EXPECT_EQ(readmitted.error().kind, kExclusions);
}

TEST_F(EpochChecks, SendersAreThoseOfTheToken) {
  const auto with = [&](const wire::SenderTable& table) {
    epoch_->senders = table;
    return check(download(
        [&](wire::Statement& s) { s.sender_table_hash = crypto::sha256({wire::encode(table)}); }));
  };
  const auto refused = [&](const wire::SenderTable& table) {
    const auto checked = with(table);
    return !checked && checked.error().kind == kSenderTable;
  };
  const IpAddress address = *IpAddress::parse("10.9.0.1");
  EXPECT_TRUE(with({0, {}})) << "fewer than listed";
  EXPECT_TRUE(refused({0, {{member_->self.hash, 1, 1, {address}}}})) << "the token lists a alone";
  EXPECT_TRUE(refused(
      {0, {{controller_->self.hash, 1, 1, {address}}, {controller_->self.hash, 2, 1, {address}}}}));
  EXPECT_TRUE(with({0, {{controller_->self.hash, 1, kMaxSenderRun, {address}}}}));
  EXPECT_TRUE(refused({0, {{controller_->self.hash, 1, kMaxSenderRun + 1, {address}}}}));
  token_.policy.senders.push_back("b");
  EXPECT_TRUE(with({0, {{member_->self.hash, 1, 1, {address}}}}));
  EXPECT_TRUE(refused({0, {{member_->self.hash, 1, 1, {*IpAddress::parse("10.9.0.9")}}}}));
}

TEST_F(EpochChecks, KeysMustBeThoseOfTheCommitment) {
  expect_refused([](auto& s) { s.commitment[0] ^= 1; }, keys::kBadCommitment);
  auto none = download();
  none.encrypted_grp_keys.reset();
  EXPECT_EQ(check(none).error().kind, kStatementForm);
  auto others = download();
  (*others.encrypted_grp_keys)[0] ^= 1;
  EXPECT_EQ(check(others).error().kind, keys::kBadPacket);

  const auto own = check_epoch(*member_, {token_, controller_self(), 0, nullptr}, none, packet(),
                               skek_, kPresent);
  EXPECT_TRUE(own) << "a first member brings its own";
}

}  // namespace
}  // namespace gkmpd::protocol
