// Receiving a Rekey_Multicast (RFC 2093 4.12, state 10): every check has a package that only it
// refuses, and of several faults the first in the order is told.
#include "agent/protocol/rekey_package.h"

#include <functional>
#include <vector>

#include "agent/crypto/errors.h"
#include "agent/crypto/hash.h"
#include "agent/identity/errors.h"
#include "agent/keys/errors.h"
#include "agent/protocol/errors.h"
#include "agent/protocol/review.h"
#include "tests/unit/protocol/epoch_pair.h"

namespace gkmpd::protocol {
namespace {

using test::kDay;
using test::kNow;

/// Places in the datagram's header.
constexpr std::size_t kAtSuite = 3;
constexpr std::size_t kAtGroup = 16;
constexpr std::size_t kAtNumber = 35;

test::PolicyOptions rekeyed() {
  test::PolicyOptions options;
  options.actions = {"create", "rekey"};
  return options;
}

/// The member holds epoch_; next_ takes its place.
class RekeyChecks : public EpochPair {
 protected:
  RekeyChecks() : EpochPair(rekeyed()), kek_(epoch_->packet.gkek.clone()) {
    member_->floors[token_.group_id].tuple = epoch_->statement.tuple;
    next_.emplace(*sign_epoch(*controller_,
                              {.token = token_,
                               .tuple = {1, 1, 0, 6},
                               .keys = make_keys_alone(random_),
                               .senders = senders_,
                               .cause = wire::Cause::kRoutine,
                               .previous = epoch_->id},
                              kPresent));
  }

  using Change = std::function<void(wire::Statement&)>;

  /// The rekey with `change` made to its statement, signed by `signer`, its keys under kek_.
  Bytes rekey(const Change& change, const Context& signer) {
    Epoch changed;
    changed.statement = next_->statement;
    if (change) change(changed.statement);
    changed.octets = wire::encode(changed.statement);
    changed.signature =
        *signer.config.key.sign(crypto::SignatureContext::kStatement, {changed.octets});
    changed.packet = next_->packet.clone();
    Epoch before;
    before.packet.gkek = kek_.clone();
    return rekey_datagram(changed, before);
  }
  Bytes rekey(const Change& change = {}) { return rekey(change, *controller_); }

  [[nodiscard]] static Result<RekeyPackage> read(const Bytes& octets) {
    auto datagram = wire::decode_datagram(octets);
    if (!datagram) return pass_on(datagram);
    return read_rekey(*datagram);
  }

  [[nodiscard]] Result<Epoch> check(const Bytes& octets) {
    auto package = read(octets);
    if (!package) return pass_on(package);
    return check_rekey(*member_, {token_, controller_self(), 0, &*epoch_}, *package, kPresent);
  }

  [[nodiscard]] std::string_view refusal_of(const Bytes& octets) {
    const auto checked = check(octets);
    return checked ? "" : checked.error().kind.name();
  }

  Secret kek_;
  std::optional<Epoch> next_;
};

TEST_F(RekeyChecks, AGoodOneComesBackWhole) {
  const Bytes octets = rekey();
  const auto package = read(octets);
  ASSERT_TRUE(package) << package.error().text();
  EXPECT_EQ(package->datagram, octets);
  EXPECT_TRUE(check_made_by_holder(*epoch_, *package));
  const auto checked = check(octets);
  ASSERT_TRUE(checked) << checked.error().text();
  EXPECT_EQ(checked->statement, next_->statement);
  EXPECT_EQ(checked->id, next_->id);
  EXPECT_TRUE(checked->packet.gtek.equals(next_->packet.gtek));
  EXPECT_TRUE(checked->packet.gkek.equals(next_->packet.gkek));
  EXPECT_EQ(checked->senders, senders_) << "the table of the epoch before goes on";
}

TEST_F(RekeyChecks, TheHeaderIsTheStatements) {
  for (const std::size_t at : {kAtSuite, kAtGroup, kAtNumber}) {
    Bytes octets = rekey();
    octets[at] ^= 2;
    EXPECT_EQ(refusal_of(octets), kStatementForm.name()) << at;
  }
  const auto header_of_another = [&](const Change& change) {
    Bytes octets = rekey(change);
    std::ranges::copy(ByteView(rekey()).first(wire::kHeaderSize), octets.begin());
    return refusal_of(octets);
  };
  EXPECT_EQ(header_of_another([](auto& s) { s.group[0] ^= 1; }), kStatementForm.name());
  EXPECT_EQ(header_of_another([](auto& s) { s.tuple.epoch = 7; }), kStatementForm.name());
  EXPECT_EQ(header_of_another([](auto& s) { s.suite = Suite::kX25519Sha384; }),
            kStatementForm.name());
}

/// They are covered by nothing: who sends the package again leaves them out.
TEST_F(RekeyChecks, ItemsThatWereSkippedAreNotPassedOn) {
  const Bytes octets = rekey();
  Bytes longer = octets;
  append(longer, from_hex("12340003010203").value());
  const auto package = read(longer);
  ASSERT_TRUE(package) << package.error().text();
  EXPECT_EQ(package->datagram, octets);
}

TEST_F(RekeyChecks, OnlyAHolderOfTheKeysCanHaveMadeIt) {
  const auto by_holder = [&](const Bytes& octets) {
    return check_made_by_holder(*epoch_, *read(octets));
  };
  EXPECT_TRUE(by_holder(rekey({}, *member_))) << "whose signature is not looked at";
  kek_ = Secret::copy_of(Bytes(32, 7));
  EXPECT_EQ(by_holder(rekey()).error().kind, keys::kBadPacket);
  EXPECT_EQ(refusal_of(rekey()), keys::kBadPacket.name());
  kek_ = epoch_->packet.gtek.clone();
  EXPECT_EQ(by_holder(rekey()).error().kind, keys::kBadPacket);
  kek_ = epoch_->packet.gkek.clone();
  // Statement, signature and keys are bound to each other.
  constexpr std::size_t kStatementNonce = 145;
  Bytes other_nonce = rekey();
  other_nonce[wire::kHeaderSize + 4 + kStatementNonce] ^= 1;
  EXPECT_EQ(by_holder(other_nonce).error().kind, keys::kBadPacket);
  Bytes other_signature = rekey();
  other_signature[wire::kHeaderSize + 4 + next_->octets.size() + 4 + 8] ^= 1;
  EXPECT_EQ(by_holder(other_signature).error().kind, keys::kBadPacket);
  Bytes other_keys = rekey();
  other_keys.back() ^= 1;
  EXPECT_EQ(by_holder(other_keys).error().kind, keys::kBadPacket);
}

TEST_F(RekeyChecks, CauseActionAndOrder) {
  EXPECT_EQ(refusal_of(rekey([](auto& s) { s.cause = wire::Cause::kCreate; })),
            kStatementCause.name());
  EXPECT_EQ(refusal_of(rekey([](auto& s) { s.tuple.epoch = 5; })), kTupleConflict.name());
  EXPECT_EQ(refusal_of(rekey([](auto& s) { s.tuple.epoch = 4; })), kStatementStale.name());
  EXPECT_EQ(refusal_of(rekey([](auto& s) { s.tuple.rank = 1; })), kStatementStale.name())
      << "the lower rank is the better one";
  member_->floors[token_.group_id].tuple = {1, 1, 0, 6};
  EXPECT_EQ(refusal_of(rekey()), kStatementStale.name());
  member_->floors[token_.group_id].tuple = {1, 1, 0, 5};
  EXPECT_EQ(refusal_of(rekey()), "");
  token_.policy.actions.erase(identity::Action::kRekey);
  EXPECT_EQ(refusal_of(rekey()), kActionMissing.name());
}

TEST_F(RekeyChecks, TokenSignerAndValidity) {
  EXPECT_EQ(refusal_of(rekey([](auto& s) { s.token_hash[0] ^= 1; })), kStatementToken.name());
  EXPECT_EQ(refusal_of(rekey([](auto& s) { s.tuple.token_version = 2; })), kStatementToken.name());
  EXPECT_EQ(refusal_of(rekey([](auto& s) {
              s.tuple.rank = 1;
              s.tuple.term = 2;
            })),
            kStatementSigner.name());
  EXPECT_EQ(refusal_of(rekey([](auto& s) { s.suite = Suite::kP256Sha256; })),
            kStatementToken.name());
  EXPECT_EQ(refusal_of(rekey([](auto& s) { s.controller[0] ^= 1; })), kStatementSigner.name());
  EXPECT_EQ(refusal_of(rekey([](auto& s) { s.controller_key[0] ^= 1; })), kStatementSigner.name());
  EXPECT_EQ(refusal_of(rekey({}, *member_)), crypto::kBadSignature.name());
  EXPECT_EQ(refusal_of(rekey([](auto& s) { s.not_before += seconds(301); })),
            kStatementValidity.name());
  EXPECT_EQ(refusal_of(rekey([](auto& s) { s.not_after += seconds(1); })),
            kStatementValidity.name());
  EXPECT_EQ(refusal_of(rekey([](auto& s) { s.activation_delay_ms += 1; })),
            kStatementValidity.name());
}

TEST_F(RekeyChecks, ListsTablesAndKeys) {
  EXPECT_EQ(refusal_of(rekey([](auto& s) { s.crl_numbers.at(0).number += 1; })), kCrlTooOld.name());
  EXPECT_EQ(refusal_of(rekey([](auto& s) { s.sender_table_hash[0] ^= 1; })),
            kStatementHashes.name());
  EXPECT_EQ(refusal_of(rekey([](auto& s) { s.exclusion_hash[0] ^= 1; })), kStatementHashes.name());
  EXPECT_EQ(refusal_of(rekey([](auto& s) { s.tree_parts_hash[0] ^= 1; })), kStatementHashes.name());
  EXPECT_EQ(refusal_of(rekey([](auto& s) { s.commitment[0] ^= 1; })), keys::kBadCommitment.name());
}

/// The set goes by its hash, so it is the one held: it can neither shrink nor grow.
TEST_F(RekeyChecks, ExclusionsAreThoseHeld) {
  const auto with_set = [&](const wire::ExclusionSet& set) {
    return refusal_of(
        rekey([&](auto& s) { s.exclusion_hash = crypto::sha256({wire::encode(set)}); }));
  };
  const wire::ExclusionSet none;
  const wire::ExclusionSet other{{member_->name_hash("x")}};
  EXPECT_EQ(with_set(other), kStatementHashes.name());
  epoch_->exclusions = other;
  EXPECT_EQ(with_set(none), kStatementHashes.name());
  EXPECT_EQ(with_set(other), "");
  epoch_->exclusions = {{member_->self.hash}};
  EXPECT_EQ(with_set(epoch_->exclusions), kExcluded.name());
  epoch_->exclusions = {{controller_->self.hash}};
  EXPECT_EQ(with_set(epoch_->exclusions), kExcluded.name());
}

/// That an epoch is missing is believed of the controller only.
TEST_F(RekeyChecks, OneThatFollowsAnEpochNotHeldIsMissingIfItIsSigned) {
  const auto unknown_and = [&](const Change& change) {
    return [change](wire::Statement& s) {
      s.previous[0] ^= 1;
      if (change) change(s);
    };
  };
  EXPECT_EQ(refusal_of(rekey(unknown_and({}))), kEpochMissing.name());
  kek_ = Secret::copy_of(Bytes(32, 7));
  EXPECT_EQ(refusal_of(rekey(unknown_and({}))), kEpochMissing.name()) << "whatever it is under";
  EXPECT_EQ(refusal_of(rekey(unknown_and({}), *member_)), crypto::kBadSignature.name());
  EXPECT_EQ(refusal_of(rekey(unknown_and([](auto& s) { s.token_hash[0] ^= 1; }))),
            kStatementToken.name());
  EXPECT_EQ(refusal_of(rekey(unknown_and([](auto& s) { s.controller[0] ^= 1; }))),
            kStatementSigner.name());
  EXPECT_EQ(refusal_of(rekey(unknown_and([](auto& s) { s.tuple.epoch = 5; }))),
            kTupleConflict.name());
  EXPECT_EQ(refusal_of(rekey(unknown_and([](auto& s) { s.tuple.epoch = 4; }))),
            kStatementStale.name());
}

/// One fault more each time, each checked before those that are there.
TEST_F(RekeyChecks, AreInTheirOrder) {
  struct Fault {
    Change change;
    ErrorKind error;
  };
  const std::vector<Fault> faults = {
      {[](auto& s) { s.commitment[0] ^= 1; }, keys::kBadCommitment},
      {[](auto& s) { s.sender_table_hash[0] ^= 1; }, kStatementHashes},
      {[](auto& s) { s.crl_numbers.at(0).number += 1; }, kCrlTooOld},
      {[](auto& s) { s.not_after += seconds(1); }, kStatementValidity},
      {{}, crypto::kBadSignature},
      {[](auto& s) { s.controller[0] ^= 1; }, kStatementSigner},
      {[](auto& s) { s.token_hash[0] ^= 1; }, kStatementToken},
      {[](auto& s) { s.tuple.epoch = 5; }, kTupleConflict},
      {[](auto& s) { s.cause = wire::Cause::kCreate; }, kStatementCause},
  };
  bool forged = false;
  for (std::size_t count = 1; count <= faults.size(); ++count) {
    forged = forged || !faults[count - 1].change;
    const Bytes octets = rekey(
        [&](wire::Statement& s) {
          for (std::size_t i = 0; i < count; ++i) {
            if (faults[i].change) faults[i].change(s);
          }
        },
        forged ? *member_ : *controller_);
    EXPECT_EQ(refusal_of(octets), faults[count - 1].error.name());
  }
}

// --- What has to hold still ----------------------------------------------------------------------

TEST_F(RekeyChecks, NobodyMayHaveBeenRevokedMeanwhile) {
  const auto again = [&] {
    const auto good = review_again(*member_, token_, controller_self(), kPresent);
    return good ? "" : good.error().kind.name();
  };
  EXPECT_EQ(again(), "");
  for (const auto& certificate :
       {token_.commander.certificate, controller_host_.certificate, member_host_.certificate}) {
    test::TestPki elsewhere(pki_.root(), 7);
    elsewhere.revoke(certificate);
    auto trust = *identity::TrustStore::make(pki_.anchor());
    ASSERT_TRUE(trust.accept_crl(elsewhere.crl(), kNow));
    member_->config.trust = trust;
    EXPECT_EQ(again(), identity::kRevoked.name()) << certificate.name();
  }
}

TEST_F(RekeyChecks, NobodysCertificateMayHaveExpiredMeanwhile) {
  auto options = controller_options();
  options.not_after = kNow + kDay;
  const identity::Host brief = *member_->config.trust.check_host(
      pki_.reissue(controller_host_, options).certificate, {}, kNow);
  const Now tomorrow{kPresent.mono, kNow + kDay + identity::kClockSkew + seconds(1)};
  EXPECT_TRUE(review_again(*member_, token_, brief, kPresent));
  EXPECT_EQ(review_again(*member_, token_, brief, tomorrow).error().kind, crypto::kChainExpired);
  EXPECT_TRUE(review_again(*member_, token_, controller_self(), tomorrow));

  test::HostOptions own;
  own.not_after = kNow + kDay;
  member_->config.certificate = pki_.reissue(member_host_, own).certificate;
  EXPECT_TRUE(review_again(*member_, token_, controller_self(), kPresent));
  EXPECT_EQ(review_again(*member_, token_, controller_self(), tomorrow).error().kind,
            crypto::kChainExpired);

  identity::GroupToken token = token_;
  test::HostOptions commander;
  commander.roles = {identity::Role::kCommander};
  commander.groups = {"*"};
  commander.not_after = kNow + kDay;
  token.commander =
      *member_->config.trust.check_host(pki_.host("commander", commander).certificate, {}, kNow);
  member_->config.certificate = member_host_.certificate;
  EXPECT_TRUE(review_again(*member_, token, controller_self(), kPresent));
  EXPECT_EQ(review_again(*member_, token, controller_self(), tomorrow).error().kind,
            crypto::kChainExpired);
}

}  // namespace
}  // namespace gkmpd::protocol
