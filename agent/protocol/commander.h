// A commander on a host of its own, sans-IO: opens a session with a controller, gives it an order
// for a group, and follows what becomes of it (RFC 2093 4.1; profile P30). The other end is
// command_exchange.h.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/identity/command.h"
#include "agent/protocol/endpoint.h"

namespace gkmpd::protocol {

struct CommanderConfig {
  identity::TrustStore trust;
  crypto::Certificate certificate;
  std::vector<crypto::Certificate> intermediates;
  crypto::PrivateKey key;
  /// Where the controller answers; with port 0, at the token's control port.
  SocketAddress controller;
  /// The counter of this order: above that of every earlier one for the group.
  std::uint64_t counter = 0;
  /// Signs the order for the controller that has proven itself.
  std::function<Result<Bytes>(const identity::CommandText&)> sign;
};

/// What is to be done with the group of a token.
struct CommanderOrder {
  Bytes token;              // CMS, DER
  std::string member_list;  // its exact text; to create the group, else empty
  identity::CommandAction action = identity::CommandAction::kCreate;
};

class Commander {
 public:
  /// Checks what the controller would refuse anyway: this commander, token, member list and its
  /// size (`protocol.member-list-too-long`).
  [[nodiscard]] static Result<Commander> make(CommanderConfig config, CommanderOrder order,
                                              Random& random, Now now);
  Commander(Commander&&) noexcept;
  Commander& operator=(Commander&&) noexcept;
  ~Commander();

  void handle_datagram(Now now, const SocketAddress& from, ByteView octets);
  void handle_timeout(Now now);
  [[nodiscard]] std::optional<Transmit> poll_transmit();
  [[nodiscard]] std::optional<MonoTime> poll_timeout() const;

  /// The group as the controller showed it last, whole, with members' addresses as far as the list
  /// has them; none before it has taken the order.
  [[nodiscard]] const std::optional<GroupView>& group() const;
  /// Why nothing more will come. `protocol.refused-by-peer` if the controller said so.
  [[nodiscard]] const std::optional<Error>& error() const;
  /// The name that the controller gave to its refusal, empty without one.
  [[nodiscard]] const std::string& refused_as() const;
  [[nodiscard]] const std::string& group_name() const;
  [[nodiscard]] const SocketAddress& controller() const;
  /// How often each named error or drop has happened.
  [[nodiscard]] const std::map<std::string_view, std::uint64_t>& counters() const;

 private:
  class Impl;
  explicit Commander(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gkmpd::protocol
