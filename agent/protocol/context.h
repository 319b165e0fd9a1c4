// What all parts of one endpoint share: who we are, what we hold, and the queues to the outside.
#pragma once

#include <deque>
#include <map>
#include <string_view>

#include "agent/protocol/adopted.h"
#include "agent/protocol/cookies.h"
#include "agent/protocol/endpoint.h"
#include "agent/protocol/limits.h"

namespace gkmpd::protocol {

/// Queues of what the daemon is to do, and the counters.
class Outbox {
 public:
  void transmit(const SocketAddress& to, Bytes octets) {
    transmits_.push_back({to, std::move(octets)});
  }
  void event(Event event) { events_.push_back(std::move(event)); }
  /// Reports are dropped, and the drop counted, when nobody fetches them.
  void report(Report report);
  void count(ErrorKind kind) { ++counters_[kind.name()]; }

  [[nodiscard]] std::optional<Transmit> next_transmit();
  [[nodiscard]] std::optional<Event> next_event();
  [[nodiscard]] const std::map<std::string_view, std::uint64_t>& counters() const {
    return counters_;
  }

 private:
  std::deque<Transmit> transmits_;
  std::deque<Event> events_;
  std::size_t queued_reports_ = 0;
  std::map<std::string_view, std::uint64_t> counters_;
};

/// Addresses of a group that this host has to do with.
struct GroupAddresses {
  std::string name;
  IpAddress data;
  std::uint8_t protocol = 17;
  std::uint16_t port = 0;       // 0: every port
  std::uint8_t spi_prefix = 0;  // 0: not known
  IpAddress control;
};

struct Context {
  EndpointConfig config;
  identity::Host self;
  Random& random;
  std::map<GroupId, GroupFloor> floors;
  AdoptedGroups adopted = {};
  Outbox out;
  CookieJar cookies = {};
  std::uint64_t next_id = 1;         // of saves and installs
  std::size_t answered_octets = 0;   // of unfinished messages, in exchanges that others opened
  std::size_t opened_octets = 0;     // in those that we opened
  std::size_t commanded_octets = 0;  // in commanders' sessions

  /// Of every group that stands on this host or is being made: policies of two groups with one
  /// data address, protocol and port cannot stand side by side.
  std::map<GroupId, GroupAddresses> addresses{};
  /// What a group that is being created elsewhere still has in the kernel.
  std::map<GroupId, GroupAddresses> former_addresses{};

  [[nodiscard]] const Digest& anchor() const { return config.trust.anchor_key_hash(); }
  [[nodiscard]] NameHash name_hash(std::string_view host) const {
    return identity::name_hash(anchor(), host);
  }
  [[nodiscard]] const GroupFloor* floor(const GroupId& group) const;
  /// Ours of that family; null if this host has none.
  [[nodiscard]] const IpAddress* own_address(IpFamily family) const;
  /// `protocol.address-taken` if another group has the token's data address, protocol and port for
  /// data, or its data address for control, or its control address for data;
  /// `protocol.spi-prefix-taken` if it shares only the data address, but could have the same SPIs.
  [[nodiscard]] Result<void> check_addresses_free(const identity::GroupToken& token) const;
  void take_addresses(const identity::GroupToken& token);
  /// Of a group that came to nothing: what it had before, if it had any, is what it has.
  void give_addresses_back(const GroupId& group, const std::optional<GroupAddresses>& earlier) {
    addresses.erase(group);
    former_addresses.erase(group);
    if (earlier) addresses.emplace(group, *earlier);
  }
  [[nodiscard]] std::vector<wire::CrlNumber> crl_numbers() const;
  /// Our certificate and intermediates in DER, leaf first.
  [[nodiscard]] std::vector<Bytes> certificate_chain() const;
  /// Asks for `floor` to be saved; the answer names the returned id.
  SaveId save(const GroupId& group, std::string group_name, const GroupFloor& floor);
};

/// Compares a peer's revocation lists with ours: true, and counted as `protocol.peer-crl-newer`, if
/// `theirs` has a number above ours for an issuer that we know.
bool note_crls(Context& context, const std::vector<wire::CrlNumber>& theirs);

/// That of `family` in a list with one address of each family at most; null if there is none.
[[nodiscard]] const IpAddress* find_family(const std::vector<IpAddress>& addresses,
                                           IpFamily family);

/// Earlier of two times, either of which may be "never".
void keep_earlier(std::optional<MonoTime>& earliest, std::optional<MonoTime> candidate);

}  // namespace gkmpd::protocol
