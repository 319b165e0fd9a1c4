// A peer that keeps the cryptography of the protocol and lies about everything else: it shows any
// certificate, speaks with any key, hands out any octets as token, and never looks at itself. For
// tests of what honest hosts refuse.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/protocol/controller_exchange.h"
#include "agent/protocol/member_exchange.h"

namespace gkmpd::rogue {

/// Who a rogue says it is, and what it says it with.
struct Face {
  crypto::Certificate certificate;  // shown in the Negotiate message
  crypto::PrivateKey key;           // signs, and is shown bare in the Create message
  /// Shown in the Create message instead; what is signed by `key` does not hold under it.
  std::optional<crypto::PublicKey> claimed_key;
};

/// One rogue on a network: as sans-IO as protocol::Endpoint.
class Peer {
 public:
  /// `trust` is what the rogue judges honest hosts by; `categories` are those of the group, which
  /// it takes itself to have.
  Peer(Face face, identity::TrustStore trust, SocketAddress address,
       std::set<std::string> categories, Random& random);
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  virtual ~Peer() = default;

  virtual void handle_datagram(Now now, const SocketAddress& from, ByteView octets) = 0;
  virtual void handle_timeout(Now now) = 0;
  [[nodiscard]] virtual std::optional<MonoTime> next_timeout() const = 0;
  [[nodiscard]] std::optional<protocol::Transmit> poll_transmit();

  [[nodiscard]] const SocketAddress& address() const { return address_; }
  /// Names of the messages that came, in order; repetitions and fragments count once.
  [[nodiscard]] const std::vector<std::string>& heard() const { return heard_; }
  /// The error's name, if the other side refused.
  [[nodiscard]] const std::optional<std::string>& refusal() const { return refusal_; }
  /// The exchange went through: as controller the member has our keys, as member we have its.
  [[nodiscard]] bool keyed() const { return keyed_; }
  /// Why the rogue itself could not go on: it is to fail by its lie, not by this.
  [[nodiscard]] const std::optional<std::string>& own_error() const { return own_error_; }

 protected:
  void note_heard(const wire::Datagram& datagram, ByteView octets);
  void note_own_error(const Error& error);
  void note_drop(const Error& error);

  protocol::Context context_;
  std::optional<std::string> refusal_;
  std::optional<std::string> own_error_;
  bool keyed_ = false;

 private:
  [[nodiscard]] Bytes with_claimed_key(const wire::Datagram& create) const;

  SocketAddress address_;
  std::optional<crypto::PublicKey> claimed_key_;
  std::vector<std::string> heard_;
  Bytes create_1_;  // the controller's, for the member's transcript
};

/// Figures 1 and 2 with one member, for whatever group and token.
class Controller final : public Peer {
 public:
  struct Order {
    protocol::Flow flow = protocol::Flow::kGroup;
    std::string group;
    Bytes token;  // what goes out as token
    /// What the Create message announces instead of the token's own hash.
    std::optional<Digest> announced_hash;
    /// Of the exchange, if not the token's own.
    std::optional<Suite> suite;
    protocol::Candidate member;
  };
  Controller(Face face, identity::TrustStore trust, SocketAddress address,
             std::set<std::string> categories, Random& random, Order order);

  void start(Now now);
  void handle_datagram(Now now, const SocketAddress& from, ByteView octets) override;
  void handle_timeout(Now now) override;
  [[nodiscard]] std::optional<MonoTime> next_timeout() const override;

 private:
  void act_on(Now now, protocol::ControllerExchange::Outcome outcome);
  [[nodiscard]] Result<protocol::Epoch> make_epoch(Now now);

  identity::GroupToken token_;
  protocol::ControllerExchange exchange_;
  std::optional<protocol::Epoch> epoch_;
};

/// Answers whoever opens an exchange.
class Member final : public Peer {
 public:
  using Peer::Peer;

  void handle_datagram(Now now, const SocketAddress& from, ByteView octets) override;
  void handle_timeout(Now) override {}
  [[nodiscard]] std::optional<MonoTime> next_timeout() const override { return std::nullopt; }

 private:
  void look_at_reports();

  std::optional<ExchangeId> exchange_id_;
  std::optional<protocol::MemberExchange> exchange_;
};

}  // namespace gkmpd::rogue
