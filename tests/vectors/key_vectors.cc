#include "tests/vectors/key_vectors.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "agent/crypto/hash.h"
#include "agent/crypto/random.h"
#include "agent/crypto/suite.h"
#include "agent/keys/esp.h"
#include "agent/protocol/channel.h"
#include "agent/protocol/rekey_package.h"
#include "tests/unit/crypto/private_keys.h"
#include "tests/vectors/wire_samples.h"

namespace gkmpd::test {
namespace {

using crypto::SignatureContext;
using wire::Header;
using wire::Message;
using wire::MessageType;
using wire::SenderRole;
using wire::samples::filled;

template <typename T>
T must(Result<T> result, const char* what) {
  if (!result) {
    std::fprintf(stderr, "key vectors: %s: %s\n", what, result.error().text().c_str());
    std::abort();
  }
  return std::move(*result);
}

/// Gives what a seed gives, and remembers what it gave last: private parts that are drawn as
/// octets.
class RememberingRandom final : public Random {
 public:
  explicit RememberingRandom(std::uint64_t seed) : inner_(seed) {}
  void fill(std::span<std::uint8_t> out) override {
    inner_.fill(out);
    last_.assign(out.begin(), out.end());
  }
  [[nodiscard]] const Bytes& last() const { return last_; }

 private:
  crypto::SeededRandom inner_;
  Bytes last_;
};

/// One file in the making.
class Recorder {
 public:
  explicit Recorder(Suite suite) : suite_(suite), random_(static_cast<std::uint64_t>(suite)) {
    put("suite", Bytes{static_cast<std::uint8_t>(suite)});
  }

  [[nodiscard]] Suite suite() const { return suite_; }
  [[nodiscard]] crypto::Hash hash() const { return crypto::hash_of(suite_); }
  [[nodiscard]] RememberingRandom& random() { return random_; }

  void put(const std::string& name, ByteView octets) {
    fields_.push_back({name, to_bytes(octets)});
  }
  void put(const std::string& name, const Secret& secret) { put(name, secret.expose()); }
  void put(const std::string& name, const keys::TwoWay& keys) {
    put(name + " down", keys.down);
    put(name + " up", keys.up);
  }
  void put(const std::string& name, const std::vector<Bytes>& datagrams) {
    for (std::size_t i = 0; i < datagrams.size(); ++i) {
      put(name + (i == 0 ? "" : ", datagram " + std::to_string(i + 1)), datagrams[i]);
    }
  }
  /// A new share, its private part recorded.
  [[nodiscard]] crypto::EphemeralKey share(const std::string& whose) {
    auto key = crypto::EphemeralKey::generate(crypto::agreement_of(suite_), random_);
    put(whose + " private part", random_.last());
    return key;
  }
  [[nodiscard]] std::vector<NamedOctets> take() { return std::move(fields_); }

 private:
  Suite suite_;
  RememberingRandom random_;
  std::vector<NamedOctets> fields_;
};

/// A session as it came to its SKEK, whichever figure it was.
struct Session {
  keys::PairwiseKeys pair;
  ExchangeId exchange{};
};

/// Of Ed25519; the private part is 32 octets 0x4d.
constexpr std::string_view kMemberPem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIE1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1N\n"
    "-----END PRIVATE KEY-----\n";

crypto::PrivateKey key_of_pem(std::string_view pem) {
  return must(crypto::PrivateKey::from_pem(Secret::copy_of(as_bytes(pem))), "key");
}

crypto::PrivateKey key_of(crypto::KeyType type) {
  const auto known = std::ranges::find(crypto::kCases, type, &crypto::KeyCase::type);
  return key_of_pem(known->pem);
}

struct Hosts {
  crypto::PrivateKey controller = key_of(crypto::KeyType::kEd25519);
  crypto::PrivateKey member = key_of_pem(kMemberPem);
};

/// As tokens name it.
std::string_view name_of(Suite suite) {
  switch (suite) {
    case Suite::kX25519Sha256:
      return "x25519-sha256";
    case Suite::kP256Sha256:
      return "p256-sha256";
    case Suite::kP384Sha384:
      return "p384-sha384";
    case Suite::kX25519Sha384:
      return "x25519-sha384";
  }
  return "unknown";
}

const GroupId kGroup = filled<16>(0x60);
const Digest kTokenHash = filled<32>(0x63);

Header header_of(Suite suite, MessageType type, const ExchangeId& exchange, std::uint32_t number) {
  Header header;
  header.suite = suite;
  header.type = type;
  header.exchange = exchange;
  header.group = kGroup;
  header.message_number = number;
  return header;
}

Header from_member(Header header) {
  header.role = SenderRole::kMember;
  return header;
}

/// `certificate_octets` of M3: more than fit one datagram make two of it.
wire::Negotiate1 negotiate_1(std::vector<KeyId> key_ids, std::size_t certificate_octets) {
  return {.key_ids = std::move(key_ids),
          .certificates = {Bytes(certificate_octets, 0x33)},
          .token = Bytes(40, 0x35),
          .crl_numbers = {{filled<32>(0x31), 7}},
          .signature = {}};
}

wire::Negotiate2 negotiate_2(std::vector<KeyId> key_ids) {
  return {.key_ids = std::move(key_ids),
          .certificates = {Bytes(60, 0x37)},
          .crl_numbers = {{filled<32>(0x31), 7}},
          .source_addresses = {*IpAddress::parse("10.9.0.2")}};
}

/// M3 and M4 under `seal`, and what comes of them.
Session negotiate(Recorder& out, const std::string& figure, const Hosts& hosts,
                  const std::pair<Bytes, Bytes>& creates, ByteView create_2_signature, ByteView th1,
                  const keys::TwoWay& seal, const Secret& root, wire::Negotiate1 m3,
                  const std::pair<MessageType, MessageType>& types) {
  const ExchangeId exchange = wire::decode_datagram(creates.first)->header.exchange;
  const Header down = header_of(out.suite(), types.first, exchange, 2);
  const Header up = from_member(header_of(out.suite(), types.second, exchange, 2));
  m3.signature =
      must(hosts.controller.sign(SignatureContext::kNegotiate1,
                                 {protocol::negotiate_1_content(th1, create_2_signature,
                                                                protocol::signed_part(down, m3))}),
           "M3");
  const auto sealed_3 = protocol::Channel::seal(down, wire::encode_body(m3), seal.down);
  const auto sealed_4 =
      protocol::Channel::seal(up, wire::encode_body(negotiate_2(m3.key_ids)), seal.up);
  out.put(figure + ": M3", sealed_3.datagrams);
  out.put(figure + ": M4", sealed_4.datagrams);
  const Bytes th2 = keys::transcript_2(out.hash(), creates.first, creates.second,
                                       sealed_3.transcript, sealed_4.transcript);
  Session session{keys::derive_pairwise(out.hash(), root, th2), exchange};
  out.put(figure + ": TH2", th2);
  out.put(figure + ": SKEK", session.pair.skek);
  out.put(figure + ": pairwise", session.pair.pairwise);
  return session;
}

/// Both Creates of figure 1, signed, recorded and put into a transcript.
template <typename M1, typename M2>
struct Creates {
  std::pair<Bytes, Bytes> octets;
  Bytes th1;

  Creates(Recorder& out, const std::string& figure, const Hosts& hosts, MessageType first, M1& m1,
          MessageType second, M2& m2, const ExchangeId& exchange) {
    const Header down = header_of(out.suite(), first, exchange, 1);
    const Header up = from_member(header_of(out.suite(), second, exchange, 1));
    m1.signature = must(
        hosts.controller.sign(SignatureContext::kCreate1, {protocol::signed_part(down, m1)}), "M1");
    octets.first = protocol::plain_datagram(down, m1);
    th1 = keys::transcript_1(out.hash(), octets.first, protocol::signed_part(up, m2));
    m2.signature = must(hosts.member.sign(SignatureContext::kCreate2, {th1}), "M2");
    octets.second = protocol::plain_datagram(up, m2);
    out.put(figure + ": M1", octets.first);
    out.put(figure + ": M2", octets.second);
    out.put(figure + ": TH1", th1);
  }
};

/// What M1 and M2 have alike.
template <typename M>
M create(Recorder& out, const crypto::PrivateKey& key) {
  M message;
  message.nonce = out.random().array<32>();
  message.public_key = key.public_key().spki();
  message.token_hash = kTokenHash;
  return message;
}

/// Figure 1 to TH2, and the group keys that it made.
std::pair<Session, protocol::NewKeys> first_member(Recorder& out, const Hosts& hosts) {
  const std::string figure = "figure 1";
  auto gtek_c = out.share(figure + ": controller's GTEK share,");
  auto gkek_c = out.share(figure + ": controller's GKEK share,");
  auto gtek_m = out.share(figure + ": member's GTEK share,");
  auto gkek_m = out.share(figure + ": member's GKEK share,");
  auto m1 = create<wire::CreateGrpKeys1>(out, hosts.controller);
  auto m2 = create<wire::CreateGrpKeys2>(out, hosts.member);
  m1.gtek_id = m2.gtek_id = filled<16>(0x11);
  m1.gkek_id = m2.gkek_id = filled<16>(0x12);
  m1.gtek_creation = gtek_c.share();
  m1.gkek_creation = gkek_c.share();
  m2.gtek_creation = gtek_m.share();
  m2.gkek_creation = gkek_m.share();
  const Creates creates(out, figure, hosts, MessageType::kCreateGrpKeys1, m1,
                        MessageType::kCreateGrpKeys2, m2, filled<8>(0xe1));

  const Secret zt = must(std::move(gtek_c).agree(m2.gtek_creation), "Zt");
  const Secret zk = must(std::move(gkek_c).agree(m2.gkek_creation), "Zk");
  auto stage = keys::derive_group_stage(out.hash(), {m1.nonce, m2.nonce}, zt, zk, creates.th1);
  out.put(figure + ": Zt", zt);
  out.put(figure + ": Zk", zk);
  out.put("GTEK", stage.packet.gtek);
  out.put("GKEK", stage.packet.gkek);
  out.put(figure + ": R", stage.root);
  out.put(figure + ": negotiate", stage.negotiate);
  Session session =
      negotiate(out, figure, hosts, creates.octets, m2.signature, creates.th1, stage.negotiate,
                stage.root, negotiate_1({m1.gtek_id, m1.gkek_id}, 80),
                {MessageType::kNegotiateGrpKeys1, MessageType::kNegotiateGrpKeys2});
  protocol::NewKeys made{wire::Creation::kCooperative, m1.gtek_id, m1.gkek_id,
                         std::move(stage.packet)};
  return {std::move(session), std::move(made)};
}

/// Figure 2 to TH2.
Session other_member(Recorder& out, const Hosts& hosts) {
  const std::string figure = "figure 2";
  auto skek_c = out.share(figure + ": controller's SKEK share,");
  auto skek_m = out.share(figure + ": member's SKEK share,");
  auto m1 = create<wire::CreateSessionKek1>(out, hosts.controller);
  auto m2 = create<wire::CreateSessionKek2>(out, hosts.member);
  m1.skek_id = m2.skek_id = filled<16>(0x21);
  m1.skek_creation = skek_c.share();
  m2.skek_creation = skek_m.share();
  const Creates creates(out, figure, hosts, MessageType::kCreateSessionKek1, m1,
                        MessageType::kCreateSessionKek2, m2, filled<8>(0xe2));
  const Secret z = must(std::move(skek_c).agree(m2.skek_creation), "Z");
  const auto stage = keys::derive_session_stage(out.hash(), {m1.nonce, m2.nonce}, z, creates.th1);
  out.put(figure + ": Z", z);
  out.put(figure + ": R", stage.root);
  out.put(figure + ": STEK", stage.stek);
  return negotiate(out, figure, hosts, creates.octets, m2.signature, creates.th1, stage.stek,
                   stage.root, negotiate_1({m1.skek_id}, 1300),
                   {MessageType::kNegotiateSessionKeys1, MessageType::kNegotiateSessionKeys2});
}

/// An epoch as its controller signs it.
protocol::Epoch sign(Recorder& out, const Hosts& hosts, protocol::NewKeys keys,
                     const EpochTuple& tuple, const protocol::Epoch* before) {
  protocol::Epoch epoch;
  epoch.senders = wire::samples::sender_table();
  wire::Statement& statement = epoch.statement;
  statement = wire::samples::statement();
  statement.suite = out.suite();
  statement.group = kGroup;
  statement.tuple = tuple;
  statement.controller_key = hosts.controller.public_key().fingerprint();
  statement.token_hash = kTokenHash;
  statement.previous = before == nullptr ? EpochId{} : before->id;
  statement.cause = before == nullptr ? wire::Cause::kCreate : wire::Cause::kRoutine;
  statement.creation = keys.creation;
  statement.nonce = out.random().array<16>();
  statement.gtek_id = keys.gtek_id;
  statement.gkek_id = keys.gkek_id;
  statement.commitment = keys::commitment(keys.packet, kGroup, tuple);
  statement.sender_table_hash = crypto::sha256({wire::encode(epoch.senders)});
  statement.exclusion_hash = crypto::sha256({wire::encode(epoch.exclusions)});
  statement.tree_parts_hash = crypto::sha256({});
  epoch.packet = std::move(keys.packet);
  epoch.octets = wire::encode(statement);
  epoch.signature =
      must(hosts.controller.sign(SignatureContext::kStatement, {epoch.octets}), "statement");
  epoch.hash = crypto::sha256({epoch.octets});
  std::copy_n(epoch.hash.begin(), epoch.id.size(), epoch.id.begin());
  return epoch;
}

void put_epoch(Recorder& out, const std::string& name, const protocol::Epoch& epoch) {
  out.put(name + ": statement", epoch.octets);
  out.put(name + ": epoch id", epoch.id);
  out.put(name + ": commitment", epoch.statement.commitment);
}

/// M5 and M6.
void download(Recorder& out, const std::string& figure, const Session& session,
              const protocol::Epoch& epoch, bool with_keys) {
  wire::DownloadGrpKeys m5{.statement = epoch.octets,
                           .statement_signature = epoch.signature,
                           .encrypted_grp_keys = {},
                           .sender_table = wire::encode(epoch.senders),
                           .exclusion_set = wire::encode(epoch.exclusions)};
  if (with_keys) {
    m5.encrypted_grp_keys = keys::seal_packet(out.hash(), session.pair.skek.down, epoch.octets,
                                              epoch.signature, epoch.packet);
  }
  constexpr auto kAck = MessageType::kKeyDownloadAck;
  const wire::KeyDownloadAck m6{
      epoch.id,
      keys::confirmation(session.pair.pairwise, static_cast<std::uint8_t>(kAck), epoch.hash)};
  const Header down = header_of(out.suite(), MessageType::kDownloadGrpKeys, session.exchange, 3);
  const Header up = from_member(header_of(out.suite(), kAck, session.exchange, 3));
  out.put(figure + ": M5",
          protocol::Channel::seal(down, wire::encode_body(m5), session.pair.skek.down).datagrams);
  out.put(figure + ": confirmation", m6.confirmation);
  out.put(figure + ": M6",
          protocol::Channel::seal(up, wire::encode_body(m6), session.pair.skek.up).datagrams);
}

void put_heartbeat(Recorder& out, const Hosts& hosts, const protocol::Epoch& epoch) {
  wire::Heartbeat heartbeat =
      std::get<wire::Heartbeat>(wire::samples::sample_of(MessageType::kHeartbeat).message);
  heartbeat.tuple = epoch.statement.tuple;
  heartbeat.epoch_id = epoch.id;
  heartbeat.token_hash = kTokenHash;
  heartbeat.exclusion_hash = epoch.statement.exclusion_hash;
  const Header header = header_of(out.suite(), MessageType::kHeartbeat, {},
                                  static_cast<std::uint32_t>(heartbeat.number));
  heartbeat.signature = must(hosts.controller.sign(SignatureContext::kHeartbeat,
                                                   {protocol::signed_part(header, heartbeat)}),
                             "heartbeat");
  out.put("heartbeat", protocol::plain_datagram(header, heartbeat));
}

/// Of one sender, in every suite; and of all senders together, where a suite may be shared.
void put_esp(Recorder& out, const std::string& name, const protocol::Epoch& epoch) {
  constexpr std::uint8_t kPrefix = 10;
  constexpr std::uint16_t kSender = 3;
  const keys::EspKeys esp(out.hash(), epoch.packet.gtek, epoch.hash);
  const EpochTuple& tuple = epoch.statement.tuple;
  const std::uint32_t own = must(keys::spi(kPrefix, tuple, kSender), "SPI");
  const std::uint32_t shared = must(keys::spi(kPrefix, tuple, keys::kSharedSenderId), "SPI");
  const auto octets_of = [](std::uint32_t spi) {
    Bytes octets;
    append_u32(octets, spi);
    return octets;
  };
  out.put(name + ": SPI of prefix 10, sender 3", octets_of(own));
  out.put(name + ": SPI of prefix 10, all senders", octets_of(shared));
  for (std::uint8_t number = 1; number <= 12; ++number) {
    const auto suite = static_cast<xfrm::EspSuite>(number);
    out.put(name + ": ESP suite " + std::to_string(number), esp.sender_key(suite, own, kSender));
    if (!xfrm::is_counter_mode(suite)) {
      out.put(name + ": ESP suite " + std::to_string(number) + ", shared",
              esp.shared_key(suite, shared));
    }
  }
}

KeyVectorFile run(Suite suite) {
  Recorder out(suite);
  const Hosts hosts;
  auto [first, keys] = first_member(out, hosts);
  const protocol::Epoch epoch = sign(out, hosts, std::move(keys), {3, 1, 0, 5}, nullptr);
  put_epoch(out, "epoch", epoch);
  download(out, "figure 1", first, epoch, false);
  const Session other = other_member(out, hosts);
  download(out, "figure 2", other, epoch, true);
  put_esp(out, "epoch", epoch);

  protocol::NewKeys alone = protocol::make_keys_alone(out.random());
  out.put("next GTEK", alone.packet.gtek);
  out.put("next GKEK", alone.packet.gkek);
  const protocol::Epoch next = sign(out, hosts, std::move(alone), {3, 1, 0, 6}, &epoch);
  put_epoch(out, "next epoch", next);
  out.put("rekey", protocol::rekey_datagram(next, epoch));
  put_esp(out, "next epoch", next);
  put_heartbeat(out, hosts, next);
  return {std::string(name_of(suite)) + ".txt", out.take()};
}

}  // namespace

std::vector<KeyVectorFile> key_vector_files() {
  std::vector<KeyVectorFile> files;
  for (const Suite suite : kSuites) files.push_back(run(suite));
  return files;
}

const std::vector<SignatureUse>& signature_uses() {
  static const std::vector<SignatureUse> uses = {
      {"create-1", SignatureContext::kCreate1},       {"create-2", SignatureContext::kCreate2},
      {"negotiate-1", SignatureContext::kNegotiate1}, {"statement", SignatureContext::kStatement},
      {"heartbeat", SignatureContext::kHeartbeat},    {"join", SignatureContext::kJoin}};
  return uses;
}

Bytes signed_content() { return to_bytes(as_bytes("what is signed")); }

KeyVectorFile signature_vector_file() {
  KeyVectorFile file{"signatures.txt", {{"content", signed_content()}}};
  for (const crypto::KeyCase& known : crypto::kCases) {
    const crypto::PrivateKey key = key_of(known.type);
    const std::string name(crypto::to_text(known.type));
    file.fields.push_back({name + " public key", key.public_key().spki()});
    for (const SignatureUse& use : signature_uses()) {
      file.fields.push_back(
          {name + " " + use.name, must(key.sign(use.context, {signed_content()}), "signature")});
    }
  }
  return file;
}

}  // namespace gkmpd::test
