// Rules about what goes over the wire, and into reports.
#pragma once

#include <unordered_map>

#include "agent/protocol/endpoint.h"
#include "agent/wire/header.h"
#include "tests/sim/findings.h"

namespace gkmpd::sim {

/// Looks for many secrets at once in many octets.
class SecretSearch {
 public:
  /// Finds the octets themselves, and their hexadecimal text.
  explicit SecretSearch(const std::vector<Bytes>& secrets);
  [[nodiscard]] bool found_in(ByteView octets) const;

 private:
  static constexpr std::size_t kPrefix = 8;  // of a secret that has to be seen to call it shown
  void add(ByteView pattern);

  std::vector<bool> first_two_;  // octets with which some pattern begins
  std::set<ByteArray<kPrefix>> prefixes_;
};

/// datagram-size: nothing above wire::kMaxDatagram.
/// datagram-form: what is sent can be decoded, and what is for the whole group, and only that, goes
/// to a multicast address.
/// nonce-reuse: one place in an exchange (side, number, fragment) has one ciphertext, so that
/// retransmissions are the same octets and no nonce serves twice.
/// secret-shown: (at the end) no secret in any datagram or report.
class WireRules {
 public:
  explicit WireRules(Findings& findings) : findings_(findings) {}

  /// `incarnation` counts the starts of the host.
  void on_transmit(MonoTime now, HostIndex host, unsigned incarnation,
                   const protocol::Transmit& transmit);
  void on_report(HostIndex host, const protocol::Report& report);
  void at_end(MonoTime now, const std::vector<Bytes>& secrets);

  struct Sent {
    HostIndex host = 0;
    SocketAddress to;
    Bytes octets;
  };
  /// Every datagram sent, each once, in the order of the first transmissions.
  [[nodiscard]] const std::vector<Sent>& sent() const { return sent_; }
  /// Transmissions of messages of that type, repetitions included.
  [[nodiscard]] std::uint64_t count(wire::MessageType type) const {
    const auto counted = counts_.find(type);
    return counted == counts_.end() ? 0 : counted->second;
  }

 private:
  struct Place {
    HostIndex host = 0;
    unsigned incarnation = 0;
    ExchangeId exchange{};
    std::uint8_t role = 0;
    std::uint32_t number = 0;
    std::uint8_t fragment = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };

  Findings& findings_;
  std::vector<Sent> sent_;
  std::set<Digest> known_;
  std::map<Place, Digest> ciphertexts_;
  std::vector<std::pair<HostIndex, std::string>> reports_;
  std::map<wire::MessageType, std::uint64_t> counts_;
};

}  // namespace gkmpd::sim
